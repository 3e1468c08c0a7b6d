"""One parent: all its objects together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .render import band_indices, model_cube
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import Box, FloatArray, Footprint
    from ..models import ParentModel
    from ..products import StoreMetadata

__all__ = ["Blend"]


@dataclass(frozen=True, repr=False, eq=False)
class Blend:
    """A parent and the objects that share its pixels; an isolated object is a blend of one.

    Parameters
    ----------
    parent : ParentModel
        The values as they are stored.
    metadata : StoreMetadata
        Bands, coordinates, units.
    """

    parent: ParentModel
    metadata: StoreMetadata

    @property
    def id(self) -> int:
        """Identifier of the parent."""
        return self.parent.id

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order of cubes."""
        return self.metadata.bands

    @property
    def footprint(self) -> Footprint:
        """Detected pixels and all peaks."""
        return self.parent.footprint

    @property
    def box(self) -> Box:
        """Box of the detected footprint: where `model` lies."""
        return self.parent.footprint.box

    @property
    def sources(self) -> tuple[Source, ...]:
        """All objects, in the order of the peaks."""
        return tuple(Source(source.id, self.parent, self.metadata) for source in self.parent.sources)

    def model(self, band: str | Sequence[str] | None = None, convolved: bool = True) -> FloatArray:
        """Draw the sum of all models over `box`.

        Parameters
        ----------
        band : str or sequence of str, optional
            One band for an array (y, x); several, or None for all, for a cube (band, y, x) in that order.
        convolved : bool
            True: as seen in each band. False: in the resolution of the model PSF.

        Returns
        -------
        array
            In the units of the coadds.

        Raises
        ------
        ModelError
            If there is no such band, or ``convolved`` is false and a model is a template as seen.
        """
        chosen = band_indices(self.bands, band)
        cube: FloatArray = model_cube(self.parent, convolved)[chosen]
        return cube

    def __repr__(self) -> str:
        count = len(self.parent.sources)
        what = "1 object" if count == 1 else f"{count} objects"
        return f"<Blend {self.id}: {what}, {self.parent.outcome}, made by {self.parent.deblender!r}, {self.box}>"
