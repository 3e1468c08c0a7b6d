"""From the ledgers of all parents to that of the patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meas_deblend.apportion import check_patch_ledger, image_sums, parent_sums, patch_ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meas_deblend.geometry import Footprint
    from meas_deblend.image import MultibandExposure

__all__ = ["patch_ledger_columns"]


def patch_ledger_columns(
    exposure: MultibandExposure, footprints: Mapping[int, Footprint], ledger: Any, tolerance: float
) -> dict[str, list[Any]]:
    """Columns of the patch's ledger, in image units.

    Parameters
    ----------
    exposure : MultibandExposure
    footprints : mapping of int to Footprint
        Of all parents, by identifier.
    ledger : table or mapping of str to array
        Columns of the table ``ledger``, with a row per parent and band.
    tolerance : float
        Largest imbalance as a fraction of Σ|image|.

    Raises
    ------
    MeasDeblendError
        If it does not close.
    """
    isolated = [identifier for identifier, footprint in footprints.items() if len(footprint.peaks) == 1]
    held = parent_sums(ledger, isolated, exposure.bands)
    rows = patch_ledger(image_sums(exposure, footprints.values()), held)
    check_patch_ledger(rows, tolerance)
    parts = ("parents", "isolated", "sky", "masked", "not_finite")
    columns: dict[str, list[Any]] = {name: [getattr(row.sums, name) for row in rows] for name in parts}
    return columns | {
        "band": [row.band for row in rows],
        "image": [row.image for row in rows],
        "absolute": [row.scale for row in rows],
    }
