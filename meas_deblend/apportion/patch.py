"""The account over a whole patch: parents, isolated objects and sky add up to the image.

Parents are disjoint, so what each of them holds is counted on its own, by any worker, and then added up, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import MeasDeblendError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..geometry import Footprint
    from ..image import MultibandExposure

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


def parent_sums(ledger: Mapping[str, Any], isolated: Collection[int], bands: Sequence[str]) -> tuple[BandSums, ...]:
    """Add up what parents hold.

    Each sum is exact before it is rounded once, so that it does not depend on the order of the parents.

    Parameters
    ----------
    ledger : mapping of str to array or list
        Columns of a table with a row per parent and band, named as the fields of `LedgerRow`; the identifier is
        "parentObjectId".
    isolated : collection of int
        Identifiers of parents with one peak.
    bands : sequence of str

    Returns
    -------
    tuple of BandSums
        One per band.
    """
    alone = np.isin(np.asarray(ledger["parentObjectId"]), list(isolated))
    held = np.asarray(ledger["children"], dtype=np.float64) + np.asarray(ledger["unassigned"], dtype=np.float64)
    masked, lost = (np.asarray(ledger[name], dtype=kind) for name, kind in (("masked", float), ("not_finite", int)))
    of_band = np.asarray(ledger["band"], dtype=str)
    found = []
    for band in bands:
        here = of_band == band
        sums = (held[here & ~alone], held[here & alone], masked[here])
        parents, single, unusable = (_exact(values.tolist()) for values in sums)
        found.append(BandSums(parents, single, masked=unusable, not_finite=int(lost[here].sum())))
    return tuple(found)


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


def patch_ledger(image: Sequence[PatchLedgerRow], parents: Sequence[BandSums]) -> tuple[PatchLedgerRow, ...]:
    """Put what parents hold to the account of the image.

    Parameters
    ----------
    image : sequence of PatchLedgerRow
        From `image_sums`.
    parents : sequence of BandSums
        From `parent_sums`, with the bands in the same order.

    Returns
    -------
    tuple of PatchLedgerRow
        One per band.

    Raises
    ------
    ValueError
        If there are sums for another number of bands.
    """
    return tuple(
        replace(
            row,
            sums=replace(
                held,
                sky=row.sums.sky,
                masked=_exact((row.sums.masked, held.masked)),
                not_finite=row.sums.not_finite + held.not_finite,
            ),
        )
        for row, held in zip(image, parents, strict=True)
    )


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
