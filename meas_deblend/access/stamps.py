"""Stamps of single objects for tools that know nothing of neighbours: ngmix, GALFIT and their kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError, ModelError
from ..geometry import Box, Image
from ..image import MaskPlanes
from ..measure import draw_psfs
from ._noise_fields import stacked_squares, unit_noise
from ._surroundings import Surroundings
from .render import aligned_exposure, source_box
from .stamp import NEIGHBOUR, NOT_FINITE, Stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from ..geometry import BoolArray, FloatArray
    from ..image import MultibandExposure
    from ..products import ModelSource, StoreMetadata
    from ._surroundings import DrawnParent

__all__ = ["StampOptions", "make_stamps"]

_WAYS = ("subtracted", "noise-filled")


@dataclass(frozen=True)
class StampOptions:
    """How stamps are made.

    Parameters
    ----------
    neighbours : {"subtracted", "noise-filled"}
        Take away the neighbours' models, or put noise in the place of their pixels.
    size : int, optional
        Side of a square around the object's pixel [px], rounded up to an odd number; default: the object's extent
        and ``margin``. Cut at the edges of the coadds.
    margin : int
        Pixels around the object's extent.
    noise_correlation : array (band, 2 L + 1, 2 L + 1) or mapping of str to array, optional
        Autocorrelation ξ of the noise, 1 in the middle, e.g. as a run measures it; default: white noise.
    seed : int
        With the object's identifier, the seed of all noise; at least 0.

    Raises
    ------
    InputError
        If an option is out of range.
    """

    neighbours: str = "subtracted"
    size: int | None = None
    margin: int = 12
    noise_correlation: FloatArray | Mapping[str, FloatArray] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.neighbours not in _WAYS:
            raise InputError(f"neighbours can be {' or '.join(map(repr, _WAYS))}, got {self.neighbours!r}")
        if self.size is not None and self.size < 1:
            raise InputError(f"size must be 1 or more pixels, got {self.size}")
        if self.margin < 0 or self.seed < 0:
            raise InputError(f"margin and seed must be 0 or more, got {self.margin} and {self.seed}")

    def correlation(self, bands: Sequence[str]) -> NDArray[np.float64] | None:
        """Autocorrelation (band, 2 L + 1, 2 L + 1) of the bands; None for white noise."""
        given = self.noise_correlation
        if given is None:
            return None
        if isinstance(given, Mapping):
            missing = [band for band in bands if band not in given]
            if missing:
                raise InputError(f"noise_correlation lacks the bands {', '.join(missing)}")
            given = stacked_squares([np.asarray(given[band], dtype=np.float64) for band in bands])
        xi = np.asarray(given, dtype=np.float64)
        side = xi.shape[-1]
        if xi.shape != (len(bands), side, side) or side % 2 == 0 or not np.isfinite(xi).all():
            raise InputError(
                f"noise_correlation must be finite, of {len(bands)} squares with odd sides; its shape is {xi.shape}"
            )
        if not np.allclose(xi[:, side // 2, side // 2], 1):
            raise InputError("noise_correlation must be 1 in the middle of each square")
        return xi


def make_stamps(
    store: ModelSource, coadds: MultibandExposure, options: StampOptions, ids: Iterable[int] | None = None
) -> Iterator[Stamp]:
    """Make stamps of objects, one after the other; `Models.stamps` is the door to it.

    What can be wrong is told before the first stamp is made.

    Parameters
    ----------
    store : ModelSource
        Models.
    coadds : MultibandExposure
        What they were made from; may hold more bands.
    options : StampOptions
    ids : iterable of int, optional
        Objects, in that order; default: all, by parent.

    Raises
    ------
    ModelError
        If there is no such object, the objects are of several patches, or the coadds are not those of the models.
    InputError
        If the noise's correlation does not fit the bands.
    """
    wanted = store.object_ids() if ids is None else tuple(int(number) for number in ids)
    owners = [(number, store.owner_of(number)) for number in wanted]
    metadata = store.metadata_of(owners[0][1]) if owners else store.metadata
    if any(store.metadata_of(owner) != metadata for _, owner in owners):
        raise ModelError("stamps are cut out of the coadds of one patch, but these objects are of several: choose ids")
    exposure = aligned_exposure(coadds, metadata)
    xi = options.correlation(exposure.bands)
    surroundings = Surroundings(store, exposure, metadata)
    maker = _Maker(surroundings, options, xi, _median_variance(exposure), metadata)
    return (maker.stamp(number, surroundings.parent(owner)) for number, owner in owners)


@dataclass(frozen=True, eq=False)
class _Maker:
    surroundings: Surroundings
    options: StampOptions
    xi: NDArray[np.float64] | None
    level: NDArray[np.float64]
    metadata: StoreMetadata

    def stamp(self, number: int, drawn: DrawnParent) -> Stamp:
        """Cut an object of a parent out."""
        exposure, parent = self.surroundings.exposure, drawn.parent
        k = next(k for k, source in enumerate(parent.sources) if source.id == number)
        box = self._box(drawn, k)
        cut = (slice(None), *box.slices_in(exposure.box))
        variance = exposure.variance[cut]
        fill, field = (self._noise((number, use), variance) for use in (0, 1))
        finite = np.isfinite(exposure.images[cut])
        data = np.where(finite, exposure.images[cut], 0).astype(np.float64)
        make = self._subtracted if self.options.neighbours == "subtracted" else self._filled
        image, added = make((drawn, k), box, data)
        image = np.where(finite, image, 0) + added * fill
        usable = np.isfinite(variance) & (variance > 0)
        # What is noise of ours for the most part does not count as seen.
        touched = (added**2 > 0.5) | (np.abs(image - data) > np.sqrt(np.where(usable, variance, np.inf)))
        mask, planes = _marked(exposure, cut, {NEIGHBOUR: touched, NOT_FINITE: ~finite})
        dtype = exposure.images.dtype
        center = parent.sources[k].peak.center
        wcs = exposure.wcs if exposure.wcs is not None else self.metadata.world_coordinates()
        return Stamp(
            id=number,
            parent_id=0 if number == parent.id else parent.id,
            bands=exposure.bands,
            box=box,
            center=center,
            image=image.astype(dtype),
            variance=variance.copy(),
            mask=mask,
            noise=field.astype(dtype),
            model=drawn.templates[k].project(box).array.astype(dtype),
            psf=_psf_cube(exposure, drawn, center),
            wcs=None if wcs is None else wcs.deepcopy()[cut[1:]],
            mask_planes=planes,
            zeropoints=exposure.zeropoints,
            units=exposure.units,
            neighbours=self.options.neighbours,
        )

    def _box(self, drawn: DrawnParent, k: int) -> Box:
        parent, frame = drawn.parent, self.surroundings.exposure.box
        peak = parent.sources[k].peak
        pixel = Box((peak.y, peak.x), (1, 1))
        if self.options.size is not None:
            box = pixel.grow(self.options.size // 2)
        elif len(parent.sources) == 1:
            box = (parent.footprint.box | pixel).grow(self.options.margin)
        else:
            box = ((source_box(parent.sources[k]) & parent.footprint.box) | pixel).grow(self.options.margin)
        return box & frame

    def _noise(self, seed: tuple[int, int], variance: FloatArray) -> NDArray[np.float64]:
        """Noise of the coadd's level (band, y, x); where it has none, of its median."""
        usable = np.isfinite(variance) & (variance > 0)
        level = np.where(usable, variance, self.level[:, None, None])
        return np.sqrt(level) * unit_noise((self.options.seed, *seed), variance.shape, self.xi)

    def _subtracted(
        self, which: tuple[DrawnParent, int], box: Box, data: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take the neighbours' models away; also say how much noise is to be added, in units of the coadd's."""
        drawn, k = which
        others, unknown = self.surroundings.light(box, without=drawn.parent.sources[k].id)
        # What has a footprint but no model cannot be subtracted: noise takes its place.
        unknown &= ~drawn.parent.footprint.on(box)
        return np.where(unknown, 0, data - others), unknown.astype(np.float64)

    def _filled(
        self, which: tuple[DrawnParent, int], box: Box, data: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Put the object's share of the data in; also say how much noise is to be added.

        A share ρ of a pixel has a share ρ of its noise: with √(1 − ρ²) of ours it has as much as the variance says.
        """
        drawn, k = which
        child = drawn.children[k]
        share, flux = (Image(array, child.box).project(box).array for array in (child.share, child.flux))
        here, there = child.box.overlap_slices(box)
        masked = np.zeros(data.shape, dtype=bool)
        masked[(slice(None), *there)] = child.masked[(slice(None), *here)]
        gone = self.surroundings.detected(box) & (share == 0) & ~masked
        image = np.where(share > 0, flux, np.where(gone, 0, data))
        return image, np.where(gone, 1, np.where(share > 0, np.sqrt(np.maximum(1 - share**2, 0)), 0))


def _marked(
    exposure: MultibandExposure, cut: tuple[slice, slice, slice], marks: Mapping[str, BoolArray]
) -> tuple[NDArray[np.integer[Any]], MaskPlanes]:
    """Mask (band, y, x) with planes that the coadd has not, and the names of all."""
    planes, mask = exposure.mask_planes, exposure.mask[cut].copy()
    for name, pixels in marks.items():
        planes = planes.with_plane(name)
        value = planes.value([name])
        if value > np.iinfo(mask.dtype).max:
            mask = mask.astype(np.int64)
        mask |= np.where(pixels, value, 0).astype(mask.dtype)
    return mask, MaskPlanes(planes.bits, (*planes.bad, NOT_FINITE))


def _psf_cube(exposure: MultibandExposure, drawn: DrawnParent, center: tuple[float, float]) -> NDArray[np.float64]:
    """PSFs of the coadds in the middle of the object's pixel, or those that the models were made with."""
    # Drawn at a pixel's centre the stamps are centred, so they fit each other and need no shift.
    pixel = float(np.floor(center[0] + 0.5)), float(np.floor(center[1] + 0.5))
    found = draw_psfs(exposure.psfs, pixel)
    if not found.usable.any():
        return drawn.parent.psfs.astype(np.float64)
    return np.where(found.usable[:, None, None], found.cube, np.nan)


def _median_variance(exposure: MultibandExposure) -> NDArray[np.float64]:
    level = np.asarray(exposure.noise_rms, dtype=np.float64) ** 2
    return np.where(np.isfinite(level), level, 0.0)
