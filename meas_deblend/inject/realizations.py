"""Copies of an image with some of the sources each, so that these do not blend with each other only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from .checks import pixel_scale_of_exposure
from .insertion import inject_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..geometry import Image
    from ..image import MultibandExposure
    from ..simulate import SimulatedSource
    from .catalog import InjectionCatalog
    from .config import InjectionConfig

__all__ = ["Realization", "make_realizations", "spread_sources"]

_LEAST = 8


@dataclass(frozen=True, slots=True, eq=False)
class Realization:
    """One copy of the image.

    Parameters
    ----------
    number : int
        From 0.
    sources : tuple of SimulatedSource
        What was injected; ids are the catalog's rows.
    exposure : MultibandExposure
        With the sources.
    truths : tuple of Image
        Per source its noiseless image (B, h, w).
    """

    number: int
    sources: tuple[SimulatedSource, ...]
    exposure: MultibandExposure
    truths: tuple[Image, ...]


def make_realizations(
    exposure: MultibandExposure, catalog: InjectionCatalog, config: InjectionConfig
) -> Iterator[Realization]:
    """Inject the sources, one copy of the image after the other; the same for the same seed.

    Raises
    ------
    InputError
        See `spread_sources` and `inject_sources`.
    """
    sources = catalog.sources(exposure)
    for number, rows in enumerate(spread_sources(exposure, len(catalog), config)):
        chosen = tuple(sources[k] for k in rows)
        rng = np.random.default_rng([config.seed, 1, number])
        injected, truths = inject_sources(exposure, chosen, gain=config.gain, rng=rng)
        yield Realization(number, chosen, injected, truths)


def spread_sources(exposure: MultibandExposure, n: int, config: InjectionConfig) -> list[NDArray[np.int64]]:
    """Which of ``n`` sources go into which copy of the image: each into one, chosen at random.

    Raises
    ------
    InputError
        If `InjectionConfig.realizations` copies cannot hold the sources at the density that is allowed, or the pixel
        scale is not known.
    """
    most = n
    if config.density is not None:
        height, width = exposure.box.shape
        area = height * width * (pixel_scale_of_exposure(exposure) / 60) ** 2
        most = max(1, int(config.density * area))
    needed = -(-n // most)
    copies = config.realizations or max(needed, _LEAST)
    if copies < needed:
        raise InputError(
            f"{n} sources do not fit into {copies} realizations with at most {most} each (density "
            f"{config.density:g} per arcmin²): {needed} realizations are needed, or a higher density"
        )
    order = np.random.default_rng([config.seed, 0]).permutation(n)
    return [np.sort(part) for part in np.array_split(order, min(copies, n))]
