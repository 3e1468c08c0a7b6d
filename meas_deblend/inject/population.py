"""Sources at random: stars and galaxies anywhere, and beside the objects that are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..simulate import draw_catalog
from ..simulate.colors import BANDS, star_colors
from .catalog import InjectionCatalog
from .checks import exposure_psfs, pixel_scale_of_exposure, reference_index, zeropoints_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image import MultibandExposure
    from .config import RandomConfig
    from .sky import KnownObjects

__all__ = ["faintest_magnitude", "random_catalog"]

_RANGE = 4.0
_TRIALS = 200


def random_catalog(
    exposure: MultibandExposure,
    known: KnownObjects,
    n: int,
    config: RandomConfig,
    *,
    band: str | None = None,
    rng: np.random.Generator,
) -> InjectionCatalog:
    """Draw stars and galaxies.

    Colours, sizes and axis ratios of galaxies are those of `simulate.draw_catalog`, at their magnitude; a galaxy is
    given one Sérsic profile, exponential or (one in ten) de Vaucouleurs'. Stars lie on the stellar locus. Magnitudes
    are uniform, so that all contrasts occur.

    Parameters
    ----------
    exposure : MultibandExposure
        Where they go: with zero points, PSFs and pixel scale, and bands out of u g r i z y.
    known : KnownObjects
        Beside which pairs are put.
    n : int
        Number of sources.
    config : RandomConfig
    band : str, optional
        Reference band; default: r, or the middle one.
    rng : numpy Generator

    Returns
    -------
    InjectionCatalog

    Raises
    ------
    InputError
        If the exposure lacks something, a band's colours are not known, or there is no room.
    """
    draw = _Draw(exposure, known, config, reference_index(exposure, band), rng)
    places = [draw.place() for _ in range(n)]
    star = rng.random(n) < config.star_fraction
    wanted = np.array([m for _, _, m in places])
    magnitudes, shapes = _population(draw, wanted, star)
    return InjectionCatalog(
        exposure.bands,
        np.array([y for y, _, _ in places]),
        np.array([x for _, x, _ in places]),
        magnitudes,
        **shapes,
        is_star=star,
        label="random sources",
    )


def faintest_magnitude(exposure: MultibandExposure, band: int, snr: float) -> float:
    """Magnitude of a star whose PSF flux has the signal to noise ``snr``, on a median pixel of that band.

    The error of a PSF flux is √(V / Σ P²) for pixels of variance V.
    """
    y, x = exposure.box.center
    stamp = exposure_psfs(exposure)[band].image(y, x).stamp
    flux = snr * float(exposure.noise_rms[band]) / float(np.sqrt((stamp**2).sum()))
    if not np.isfinite(flux):
        raise InputError(f"band {exposure.bands[band]} has no usable pixels: nothing can be injected")
    return float(zeropoints_of(exposure)[band] - 2.5 * np.log10(flux))


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """What places and magnitudes are drawn from; ``reference`` is a band's index."""

    exposure: MultibandExposure
    known: KnownObjects
    config: RandomConfig
    reference: int
    rng: np.random.Generator

    @property
    def limits(self) -> tuple[float, float]:
        """Brightest and faintest magnitude."""
        if self.config.magnitudes is not None:
            return self.config.magnitudes
        faint = faintest_magnitude(self.exposure, self.reference, self.config.min_snr)
        return faint - _RANGE, faint

    def place(self) -> tuple[float, float, float]:
        """Position y, x [px], and magnitude in the reference band."""
        limits = self.limits
        paired = len(self.known) and self.rng.random() < self.config.pairs
        for trial in range(_TRIALS):
            # Pairs may not be possible: all objects too faint, or close to the edge.
            beside = paired and trial < _TRIALS // 2
            y, x, magnitude = self._pair(limits[1]) if beside else (*self._anywhere(), self.rng.uniform(*limits))
            if self._usable(y, x) and magnitude <= limits[1]:
                return y, x, magnitude
        raise InputError(
            f"no room for a source: of {_TRIALS} random places none is on pixels that are usable in all bands and "
            f"{self.config.margin:g} px from the edge of the image of {self.exposure.box.shape} px (y, x)"
        )

    def _anywhere(self) -> tuple[float, float]:
        height, width = self.exposure.box.shape
        return self.rng.uniform(-0.5, height - 0.5), self.rng.uniform(-0.5, width - 0.5)

    def _pair(self, faintest: float) -> tuple[float, float, float]:
        """Place beside an object, and a magnitude at a contrast to it."""
        k = int(self.rng.integers(len(self.known)))
        scale = pixel_scale_of_exposure(self.exposure)
        distance = self.rng.uniform(*self.config.separations) / scale
        angle = self.rng.uniform(0, 2 * np.pi)
        contrast = np.exp(self.rng.uniform(*np.log(self.config.contrasts)))
        flux = float(self.known.flux[k, self.reference]) * contrast
        zeropoint = zeropoints_of(self.exposure)[self.reference]
        magnitude = float(zeropoint - 2.5 * np.log10(flux)) if flux > 0 else faintest + 1
        y = float(self.known.y[k] + distance * np.sin(angle))
        return y, float(self.known.x[k] + distance * np.cos(angle)), magnitude

    def _usable(self, y: float, x: float) -> bool:
        height, width = self.exposure.box.shape
        margin = self.config.margin - 0.5
        if not (margin <= y < height - 1 - margin and margin <= x < width - 1 - margin):
            return False
        pixel = (slice(None), int(np.floor(y + 0.5)), int(np.floor(x + 0.5)))
        planes = self.exposure.mask_planes
        usable = np.isfinite(self.exposure.images[pixel]) & (self.exposure.variance[pixel] > 0)
        return bool((usable & ~planes.any_set(self.exposure.mask[pixel])).all())


def _population(
    draw: _Draw, wanted: NDArray[np.float64], star: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Magnitudes (n, B), and the columns of the shape (n,)."""
    letters = _known_bands(draw.exposure)
    n = len(wanted)
    magnitudes = np.empty((n, len(letters)))
    blank = {"half_light_radius": 0.0, "axis_ratio": 1.0, "position_angle": 0.0, "sersic_index": 1.0}
    shapes = {name: np.full(n, value) for name, value in blank.items()}
    for k in range(n):
        if star[k]:
            # As the faint stars of `simulate`: mostly red dwarfs (Bochanski et al. 2010).
            magnitudes[k] = star_colors(letters, 3.0 - 2.7 * draw.rng.beta(1.2, 2.0))
        else:
            # The size follows the i magnitude: within a colour of the magnitude that is wanted, which suffices.
            galaxy = draw_catalog(draw.rng, 1, (wanted[k], wanted[k]), letters)
            magnitudes[k] = galaxy.magnitudes()[0]
            a, b, angle = (float(part[0]) for part in galaxy.ellipse())
            index = 4.0 if galaxy.bulge_fraction()[0] > 0.5 else 1.0
            for column, value in zip(shapes.values(), (a, b / a, np.rad2deg(angle), index), strict=True):
                column[k] = value
    magnitudes += (wanted - magnitudes[:, draw.reference])[:, None]
    return magnitudes, shapes


def _known_bands(exposure: MultibandExposure) -> list[str]:
    letters = [band.lower() for band in exposure.bands]
    unknown = [band for band, letter in zip(exposure.bands, letters, strict=True) if letter not in BANDS]
    if unknown:
        raise InputError(
            f"no colours are known for band {', '.join(unknown)}: random sources can be drawn in {', '.join(BANDS)}; "
            "give a catalog with magnitudes"
        )
    return letters
