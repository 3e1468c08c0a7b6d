"""One object: its model, and its own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..geometry import Image
from .render import band_indices, heavy_footprint, model_image, source_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..geometry import Box, HeavyFootprint
    from ..image import MultibandExposure
    from ..models import AnyComponent, ParentModel, SourceModel
    from ..products import StoreMetadata

__all__ = ["Source", "SourceView"]


@dataclass(frozen=True, repr=False, eq=False)
class SourceView:
    """An object, deblended or isolated.

    Parameters
    ----------
    id : int
        objectId.
    parent : ParentModel
        Parent that it was deblended from, with all its sources; for an isolated object its own row of the store.
    metadata : StoreMetadata
        Bands, coordinates, units.
    """

    id: int
    parent: ParentModel
    metadata: StoreMetadata

    @cached_property
    def _number(self) -> int:
        return next(k for k, source in enumerate(self.parent.sources) if source.id == self.id)

    @property
    def values(self) -> SourceModel:
        """The model as it is stored."""
        return self.parent.sources[self._number]

    @property
    def parent_id(self) -> int:
        """Identifier of the parent that it was deblended from; 0 if it is isolated."""
        return 0 if self.id == self.parent.id else self.parent.id

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in the order of cubes."""
        return self.metadata.bands

    @property
    def box(self) -> Box:
        """Where its components lie, before convolution; empty, at its peak, if it has none."""
        return source_box(self.values)

    @property
    def center(self) -> tuple[float, float]:
        """Best known position ``(y, x)`` of its peak."""
        return self.values.peak.center

    @property
    def components(self) -> tuple[AnyComponent, ...]:
        """Components of its model; empty if it has none."""
        return self.values.components

    @property
    def flags(self) -> frozenset[str]:
        """Names of the object flags that its deblender set."""
        return self.values.flags

    def model(self, band: str | Sequence[str] | None = None, convolved: bool = True) -> Image:
        """Draw the model.

        Parameters
        ----------
        band : str or sequence of str, optional
            One band for an image (y, x); several, or None for all, for a cube (band, y, x) in that order.
        convolved : bool
            True: as seen in each band. False: in the resolution of the model PSF.

        Returns
        -------
        Image
            ``array`` in the units of the coadds, and ``box``.

        Raises
        ------
        ModelError
            If there is no such band, or ``convolved`` is false and the model is a template as seen.
        """
        chosen = band_indices(self.bands, band)
        image = model_image(self.parent, self.values, convolved)
        return Image(image.array[chosen], image.box)

    def __repr__(self) -> str:
        kind = f"of parent {self.parent_id}" if self.parent_id else "isolated"
        y, x = self.center
        return (
            f"<{type(self).__name__} {self.id}, {kind}, at (y, x) = ({y:.2f}, {x:.2f}), bands {', '.join(self.bands)}>"
        )


class Source(SourceView):
    """An object of a model store."""

    def reapportioned(self, coadds: MultibandExposure, band: str) -> HeavyFootprint:
        """Rebuild the object's own pixels: its share of the data, as the catalog measured it.

        Parameters
        ----------
        coadds : MultibandExposure
            What the models were made from; may hold more bands.
        band : str
            One band.

        Returns
        -------
        HeavyFootprint
            ``box``, ``mask`` (y, x) and ``pixels`` (n,) in row-major order; ``to_image(box)`` for an array.

        Raises
        ------
        ModelError
            If the band is not in the models, or the coadds are not those that they were made from.
        """
        return heavy_footprint(coadds, self.parent, self._number, self.metadata, band)
