"""One object of a run: its model, its catalog row, and its own pixels without being told where the coadds are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .render import heavy_footprint
from .source import SourceView

if TYPE_CHECKING:
    from ..geometry import HeavyFootprint
    from .run import Run

__all__ = ["RunSource"]


@dataclass(frozen=True, repr=False, eq=False)
class RunSource(SourceView):
    """An object of a run.

    Parameters
    ----------
    run : Run
        The run that made it.
    """

    run: Run

    @property
    def row(self) -> Any:
        """Its row of the objects table (astropy Row)."""
        return self.run.objects[self.run.row_number(self.id)]

    def reapportioned(self, band: str) -> HeavyFootprint:
        """Rebuild the object's own pixels: its share of the data, as the catalog measured it.

        Parameters
        ----------
        band : str
            One band.

        Returns
        -------
        HeavyFootprint
            ``box``, ``mask`` (y, x) and ``pixels`` (n,) in row-major order; ``to_image(box)`` for an array.

        Raises
        ------
        ModelError
            If the band is not in the models, or a coadd was moved or changed since the run.
        """
        return heavy_footprint(self.run.coadds, self.parent, self._number, self.metadata, band)
