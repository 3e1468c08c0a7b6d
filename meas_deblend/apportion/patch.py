"""The account over a whole patch: parents, isolated objects and sky add up to the image.

Parents are disjoint, so what each of them holds can be counted on its own, in any order and by any worker, and then be
added up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import MeasDeblendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..geometry import Footprint
    from ..image import MultibandExposure
    from .values import LedgerRow

__all__ = ["BandSums", "PatchLedgerRow", "check_patch_ledger", "image_sums", "parent_sums", "patch_ledger"]


@dataclass(frozen=True, slots=True)
class BandSums:
    """What lies on some of the pixels of one band; sums of float64 in image units.

    Parameters
    ----------
    parents : float
        Usable pixels of parents with several peaks, as their children and what nobody claims add up to.
    isolated : float
        The same of parents with one peak.
    sky : float
        Usable pixels outside all parents.
    masked : float
        Finite pixels that carry no usable flux, wherever they lie.
    not_finite : int
        Number of pixels without a finite value.
    """

    parents: float = 0.0
    isolated: float = 0.0
    sky: float = 0.0
    masked: float = 0.0
    not_finite: int = 0


@dataclass(frozen=True, slots=True)
class PatchLedgerRow:
    """The account of one band: ``image = parents + isolated + sky + masked``.

    Parameters
    ----------
    band : str
    image : float
        Sum of all finite pixels of the image.
    scale : float
        Sum of their absolute values, which the account is judged by.
    sums : BandSums
        The parts.
    """

    band: str
    image: float
    scale: float
    sums: BandSums

    @property
    def imbalance(self) -> float:
        """``image − parents − isolated − sky − masked``: 0 but for rounding."""
        part = self.sums
        return _exact((self.image, -part.parents, -part.isolated, -part.sky, -part.masked))


def parent_sums(footprint: Footprint, ledger: Sequence[LedgerRow]) -> tuple[BandSums, ...]:
    """Tell what one parent adds to the account of the patch.

    Parameters
    ----------
    footprint : Footprint
        With its peaks: one peak makes an isolated object.
    ledger : sequence of LedgerRow
        Of the parent, one row per band.

    Returns
    -------
    tuple of BandSums
        One per band, in the order of ``ledger``.
    """
    kind = "isolated" if len(footprint.peaks) == 1 else "parents"
    return tuple(
        BandSums(**{kind: row.children + row.unassigned}, masked=row.masked, not_finite=row.not_finite)
        for row in ledger
    )


def image_sums(exposure: MultibandExposure, footprints: Iterable[Footprint]) -> tuple[PatchLedgerRow, ...]:
    """Add up the image, and the sky: what lies outside all parents.

    Parameters
    ----------
    exposure : MultibandExposure
    footprints : iterable of Footprint
        Of all parents, inside the exposure.

    Returns
    -------
    tuple of PatchLedgerRow
        One per band, in the order of the exposure; parents and isolated objects are 0.
    """
    from ._patch_kernels import row_sums  # noqa: PLC0415 - loads the compiler

    detected = np.zeros(exposure.box.shape, dtype=bool)
    for footprint in footprints:
        detected[footprint.box.slices_in(exposure.box)] |= footprint.mask
    rows, bad = [], exposure.mask_planes.bad_value
    for k, band in enumerate(exposure.bands):
        sums = np.empty((exposure.box.shape[0], 4))
        lost = row_sums((exposure.images[k], exposure.variance[k], exposure.mask[k]), bad, detected, sums)
        image, scale, sky, masked = (_exact(values) for values in sums.T.tolist())
        rows.append(PatchLedgerRow(band, image, scale, BandSums(sky=sky, masked=masked, not_finite=lost)))
    return tuple(rows)


def patch_ledger(image: Sequence[PatchLedgerRow], parents: Iterable[Sequence[BandSums]]) -> tuple[PatchLedgerRow, ...]:
    """Add up the patch.

    Sums are exact before they are rounded once, so that they do not depend on the order of the parents.

    Parameters
    ----------
    image : sequence of PatchLedgerRow
        From `image_sums`.
    parents : iterable of sequence of BandSums
        From `parent_sums`, of every parent, with the bands in the same order.

    Returns
    -------
    tuple of PatchLedgerRow
        One per band.

    Raises
    ------
    ValueError
        If a parent has another number of bands.
    """
    everyone = list(parents)
    out = []
    for row, *held in zip(image, *everyone, strict=True):
        parts = {f.name: [getattr(sums, f.name) for sums in (row.sums, *held)] for f in fields(BandSums)}
        lost = sum(parts.pop("not_finite"))
        sums = BandSums(**{name: _exact(values) for name, values in parts.items()}, not_finite=lost)
        out.append(PatchLedgerRow(row.band, row.image, row.scale, sums))
    return tuple(out)


def check_patch_ledger(ledger: Sequence[PatchLedgerRow], tolerance: float) -> None:
    """Refuse an account that does not close.

    Parameters
    ----------
    ledger : sequence of PatchLedgerRow
        From `patch_ledger`.
    tolerance : float
        Largest imbalance as a fraction of Σ|image|.

    Raises
    ------
    MeasDeblendError
        If a band's imbalance is larger, or is not a number: the message has the sums.
    """
    for row in ledger:
        # Written so that NaN is refused too.
        if not abs(row.imbalance) <= tolerance * row.scale:
            part = row.sums
            raise MeasDeblendError(
                f"the ledger of the patch does not close in band {row.band}: parents {part.parents:.9g} + isolated "
                f"{part.isolated:.9g} + sky {part.sky:.9g} + masked {part.masked:.9g} differ from the image, "
                f"{row.image:.9g}, by {row.imbalance:.3g}, more than the tolerance of {tolerance:g} of Σ|image| = "
                f"{row.scale:.9g}"
            )


def _exact(values: Iterable[float]) -> float:
    """Sum, rounded once; NaN where it leaves the range of numbers, so that it is refused."""
    try:
        return fsum(values)
    except (OverflowError, ValueError):
        return float("nan")
