"""What else is in a part of the image: the models and footprints of neighbours, drawn when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..apportion import reapportion_parent, render_templates
from ..geometry import Box
from .render import apportion_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from ..apportion import ApportionConfig, Child
    from ..geometry import BoolArray, Image
    from ..image import MultibandExposure
    from ..models import ParentModel
    from ..products import ModelSource, StoreMetadata

__all__ = ["DrawnParent", "Surroundings"]

# Parents that are drawn at a time: those around a stamp, which the next stamps need again.
_DRAWN = 32


@dataclass(frozen=True)
class DrawnParent:
    """A parent with its pixels.

    Parameters
    ----------
    parent : ParentModel
    exposure : MultibandExposure
        In the bands of the models.
    config : ApportionConfig
        How pixels are shared out.
    """

    parent: ParentModel
    exposure: MultibandExposure
    config: ApportionConfig

    @cached_property
    def templates(self) -> tuple[Image, ...]:
        """Every source as it is seen (band, y, x), in the order of ``parent.sources``."""
        return render_templates(self.parent, self.exposure.box)

    @cached_property
    def children(self) -> Sequence[Child]:
        """Every source's share of the data, exactly as a run makes it."""
        return reapportion_parent(self.exposure, self.parent, self.config).children

    @property
    def is_modelled(self) -> bool:
        """Whether any of its sources has a model."""
        return any(source.components for source in self.parent.sources)


class Surroundings:
    """All parents of a store by their place on the image.

    The store is read once for the places; a parent is read again, and drawn, when something beside it is asked for.

    Parameters
    ----------
    store : ModelSource
    exposure : MultibandExposure
        In the bands of the models.
    metadata : StoreMetadata
        Of the patch: parents of other patches are elsewhere.
    """

    def __init__(self, store: ModelSource, exposure: MultibandExposure, metadata: StoreMetadata) -> None:
        self.exposure = exposure
        config = apportion_config(metadata)
        here = [
            (parent.id, *_bounds(_extent(parent)))
            for parent in store.parents()
            if store.metadata_of(parent.id) == metadata
        ]
        places = np.array(here, dtype=np.int64).reshape(-1, 5)
        self._ids, self._bounds = places[:, 0], places[:, 1:]

        def _draw(number: int) -> DrawnParent:
            return DrawnParent(store.parent(number), exposure, config)

        self.parent: Callable[[int], DrawnParent] = lru_cache(_DRAWN)(_draw)

    def around(self, box: Box) -> Iterator[DrawnParent]:
        """All parents of which a pixel, or light of a model, may lie in ``box``."""
        y0, y1, x0, x1 = _bounds(box)
        first_y, stop_y, first_x, stop_x = self._bounds.T
        near = (first_y < y1) & (y0 < stop_y) & (first_x < x1) & (x0 < stop_x)
        return (self.parent(int(number)) for number in self._ids[near])

    def detected(self, box: Box) -> BoolArray:
        """Pixels (y, x) of ``box`` that belong to a detected footprint."""
        out = np.zeros(box.shape, dtype=bool)
        for drawn in self.around(box):
            out |= drawn.parent.footprint.on(box)
        return out

    def light(self, box: Box, *, without: int) -> tuple[NDArray[np.float64], BoolArray]:
        """Sum of the models of all sources but one, as seen.

        Parameters
        ----------
        box : Box
        without : int
            Identifier of the source that is left out.

        Returns
        -------
        float64 array (band, y, x)
            Image units.
        bool array (y, x)
            Footprints of other parents none of whose sources has a model, so that their light is unknown.
        """
        total = np.zeros((len(self.exposure.bands), *box.shape))
        unknown = np.zeros(box.shape, dtype=bool)
        for drawn in self.around(box):
            numbers = [source.id for source in drawn.parent.sources]
            if without not in numbers and not drawn.is_modelled:
                unknown |= drawn.parent.footprint.on(box)
                continue
            for number, template in zip(numbers, drawn.templates, strict=True):
                if number != without:
                    here, there = template.box.overlap_slices(box)
                    total[(slice(None), *there)] += template.array[(slice(None), *here)]
        return total, unknown


def _extent(parent: ParentModel) -> Box:
    """Where a parent's footprint and the light of its models may be."""
    box = Box((0, 0), (0, 0))
    for source in parent.sources:
        for component in source.components:
            box |= component.box
    h, w = parent.psfs.shape[1:]
    # Difference kernels reach no farther than the PSFs' stamps.
    return parent.footprint.box if box.is_empty else parent.footprint.box | box.grow((h, w))


def _bounds(box: Box) -> tuple[int, int, int, int]:
    return box.origin[0], box.stop[0], box.origin[1], box.stop[1]
