"""An instrument for coadds that come from files: it has filters, and nothing else."""

from __future__ import annotations

from typing import Any

from lsst.pipe.base import Instrument

from .repository import INSTRUMENT

__all__ = ["CoaddInstrument"]


class CoaddInstrument(Instrument):
    """Stands for whatever took the images that coadds were made of."""

    @classmethod
    def getName(cls) -> str:  # noqa: N802 - Rubin's name
        """Return its name in repositories."""
        return INSTRUMENT

    def register(self, registry: Any, *, update: bool = False) -> None:
        """Add it to a registry; its filters are added with the coadds."""
        record = {"name": INSTRUMENT, "class_name": f"{type(self).__module__}.{type(self).__name__}"}
        registry.syncDimensionData("instrument", record, update=update)

    def getRawFormatter(self, dataId: Any) -> Any:  # noqa: N802 - Rubin's names
        """There are no raw images."""
        raise NotImplementedError(f"{INSTRUMENT} has no raw images: {dataId}")
