"""What is in a simulated field: galaxies and stars at positions, chosen by signal to noise or number counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .catalog import SimulatedComponent, SimulatedSource, truth_columns
from .catsim import CATSIM_COLUMNS, GalaxyCatalog, disc_and_bulge
from .colors import star_colors
from .galaxies import draw_catalog, galaxy_density
from .morphology import free_galaxy
from .placement import Region, clustered, in_a_row, uniform
from .profiles import PointSource
from .structures import cluster_core, giant_galaxy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .field_config import FieldConfig

__all__ = ["FieldContents", "draw_contents"]

# Stars get more numerous slowly towards faint magnitudes at high latitude (Bahcall & Soneira 1980).
_STAR_SLOPE = 0.1
_BATCH = 1000
_MOST_BATCHES = 40


@dataclass(frozen=True, slots=True, eq=False)
class FieldContents:
    """Sources of a field.

    Parameters
    ----------
    sources : tuple of SimulatedSource
        Those of the truth, galaxies before stars.
    catalog : GalaxyCatalog or None
        A row per galaxy of the truth; None without galaxies.
    star_magnitudes : float64 array (n, B)
        AB magnitudes of the stars.
    undetected : tuple of SimulatedSource
        What is there besides.
    """

    sources: tuple[SimulatedSource, ...]
    catalog: GalaxyCatalog | None
    star_magnitudes: NDArray[np.float64]
    undetected: tuple[SimulatedSource, ...] = ()

    def columns(self, config: FieldConfig, wcs: Any = None) -> dict[str, NDArray[Any]]:
        """Truth as columns, ready for a table.

        Those of `truth_columns` (fluxes in electrons), and ``a``, ``b`` [px] and ``theta`` [rad, from +x towards
        +y]: half-light ellipse, of the larger of disc and bulge; 0 for stars. ``{band}_ab``: AB magnitudes.
        ``{band}_band_snr``: signal to noise in the band of the selection. ``redshift``: 0 for stars. For galaxies of
        disc and bulge also the other columns of CatSim, 0 for stars.
        """
        conditions = config.conditions
        columns = truth_columns(self.sources, conditions.names, pixel_scale=conditions.pixel_scale, wcs=wcs)
        n_stars, n = len(self.star_magnitudes), len(self.sources)
        galaxies = [np.zeros(0)] * 3 if self.catalog is None else list(self.catalog.ellipse())
        a, b, theta = (np.concatenate([part, np.zeros(n_stars)]) for part in galaxies)
        columns |= {"a": a / conditions.pixel_scale, "b": b / conditions.pixel_scale, "theta": theta}
        magnitudes = self.star_magnitudes
        if self.catalog is not None:
            magnitudes = np.concatenate([self.catalog.magnitudes(), magnitudes])
        columns |= {f"{band}_ab": magnitudes[:, k] for k, band in enumerate(conditions.names)}
        band = config.selection_band
        columns[f"{band}_band_snr"] = conditions.signal_to_noise(band, columns[f"{band}_ab"], (a, b))
        for name in CATSIM_COLUMNS if config.morphology == "disc_bulge" else ("redshift",):
            values = np.zeros(0) if self.catalog is None else self.catalog.columns[name]
            columns[name] = np.concatenate([values, np.zeros(n - len(values))])
        return columns


def draw_contents(config: FieldConfig, catalog: GalaxyCatalog | None = None) -> FieldContents:
    """Draw the sources of a field.

    Parameters
    ----------
    config : FieldConfig
        What is wanted.
    catalog : GalaxyCatalog, optional
        Galaxies to draw from, in place of random ones; each is taken once as long as there are enough.

    Returns
    -------
    FieldContents

    Raises
    ------
    InputError
        If no galaxy reaches the signal to noise asked for, or the sources do not fit.
    """
    rng = np.random.default_rng([config.seed, config.index, 0])
    region = Region.middle(config.shape, config.region)
    galaxies = _choose(rng, config, catalog, _number(rng, config, region))
    positions = _positions(rng, config, 0 if galaxies is None else len(galaxies), region)
    galaxies, positions = _with_structures(config, galaxies, positions)
    n = len(positions)
    sources = [] if galaxies is None else _galaxies(rng, config, galaxies, positions)
    stars, magnitudes = _stars(rng, config, n)
    undetected = _undetected(np.random.default_rng([config.seed, config.index, 1]), config, catalog)
    return FieldContents((*sources, *stars), galaxies, magnitudes, undetected)


def _number(rng: np.random.Generator, config: FieldConfig, region: Region) -> int:
    if config.n_galaxies is not None:
        return int(rng.integers(config.n_galaxies[0], config.n_galaxies[1] + 1))
    density = galaxy_density(config.magnitudes[1]) if config.galaxy_density is None else config.galaxy_density
    return int(rng.poisson(_arcmin2(config, region) * density))


def _arcmin2(config: FieldConfig, region: Region) -> float:
    return region.pixels * (config.conditions.pixel_scale / 60) ** 2


def _snr(config: FieldConfig, galaxies: GalaxyCatalog) -> NDArray[np.float64]:
    band = config.selection_band
    a, b, _ = galaxies.ellipse()
    magnitude = galaxies.columns[f"{band}_ab"]
    return np.asarray(config.conditions.signal_to_noise(band, magnitude, (a, b)))


def _fainter(config: FieldConfig, galaxies: GalaxyCatalog) -> GalaxyCatalog:
    return galaxies.take(np.flatnonzero(_snr(config, galaxies) < config.snr_min))


def _good(config: FieldConfig, galaxies: GalaxyCatalog) -> NDArray[np.bool_]:
    """Which galaxies (n,) the truth may hold."""
    good = _snr(config, galaxies) >= config.snr_min
    if config.faintest is not None:
        good &= galaxies.columns[f"{config.selection_band}_ab"] <= config.faintest
    return np.asarray(good)


def _with_structures(
    config: FieldConfig, galaxies: GalaxyCatalog | None, positions: NDArray[np.float64]
) -> tuple[GalaxyCatalog | None, NDArray[np.float64]]:
    """Add a giant galaxy and a cluster, if they are wanted, after the others."""
    rng = np.random.default_rng([config.seed, config.index, 4])
    added = [] if config.giant_radius is None else [giant_galaxy(rng, config, config.giant_radius)]
    if config.cluster_members:
        added.append(cluster_core(rng, config))
    for more, places in added:
        galaxies = more if galaxies is None else _joined([galaxies, more])
        positions = np.concatenate([positions, places])
    return galaxies, positions


def _choose(
    rng: np.random.Generator, config: FieldConfig, catalog: GalaxyCatalog | None, n: int
) -> GalaxyCatalog | None:
    """Take ``n`` galaxies with enough signal to noise."""
    if n == 0:
        return None
    if catalog is not None:
        good = np.flatnonzero(_good(config, catalog))
        if len(good) == 0:
            raise InputError(
                f"{catalog.label}: none of its {len(catalog)} galaxies has a signal to noise of {config.snr_min:g} in "
                f"{config.selection_band}; choose brighter ones or a smaller snr_min"
            )
        return catalog.take(rng.choice(good, n, replace=n > len(good)))
    found: list[GalaxyCatalog] = []
    for _ in range(_MOST_BATCHES):
        batch = draw_catalog(rng, max(_BATCH, n), config.magnitudes, config.conditions.names)
        found.append(batch.take(np.flatnonzero(_good(config, batch))))
        if sum(map(len, found)) >= n:
            return _joined(found).take(range(n))
    raise InputError(
        f"galaxies of i = {config.magnitudes[0]:g} … {config.magnitudes[1]:g} hardly ever have a signal to noise of "
        f"{config.snr_min:g} in {config.selection_band}: choose brighter magnitudes or a smaller snr_min"
    )


def _joined(parts: list[GalaxyCatalog]) -> GalaxyCatalog:
    first = parts[0]
    # Catalogs from files bring columns of their own; those that all have are kept.
    shared = [name for name in first.columns if all(name in p.columns for p in parts)]
    columns = {name: np.concatenate([p.columns[name] for p in parts]) for name in shared}
    return GalaxyCatalog(columns, first.bands, first.label)


def _positions(rng: np.random.Generator, config: FieldConfig, n: int, region: Region) -> NDArray[np.float64]:
    if config.placement == "row":
        return in_a_row(rng, n, region, float(rng.uniform(*config.separation)))
    if config.placement == "clustered":
        return clustered(rng, n, region, config.companions, config.conditions.pixel_scale)
    return uniform(rng, n, region)


def _galaxies(
    rng: np.random.Generator, config: FieldConfig, galaxies: GalaxyCatalog, positions: NDArray[np.float64]
) -> list[SimulatedSource]:
    share = {"disc_bulge": 0.0, "free": 1.0, "mixed": 0.5}[config.morphology]
    free = rng.random(len(galaxies)) < share
    out = []
    for k, (y, x) in enumerate(positions):
        center = (float(y), float(x))
        if free[k]:
            out.append(free_galaxy(galaxies, k, config.conditions, center, rng))
        else:
            out.append(disc_and_bulge(galaxies, k, config.conditions, center))
    return out


def _stars(
    rng: np.random.Generator, config: FieldConfig, first: int
) -> tuple[list[SimulatedSource], NDArray[np.float64]]:
    """Stars all over the image, and one in the middle, with ids after ``first``; their AB magnitudes (n, B)."""
    everywhere = Region.middle(config.shape, None)
    n = int(rng.poisson(config.star_density * _arcmin2(config, everywhere)))
    low, high = config.star_magnitudes
    i = low + np.log10(1 + rng.random(n) * (10 ** (_STAR_SLOPE * (high - low)) - 1)) / _STAR_SLOPE
    positions = uniform(rng, n, everywhere)
    if config.central_star is not None:
        middle = (np.array(config.shape) - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
        i, positions = np.append(i, rng.uniform(*config.central_star)), np.vstack([positions, middle])
    names = config.conditions.names
    # Faint high-latitude samples are mostly red dwarfs, with a tail of bluer turn-off stars (Bochanski et al. 2010).
    color = 3.0 - 2.7 * rng.beta(1.2, 2.0, len(i))
    magnitudes = np.array([m + star_colors(names, c) for m, c in zip(i, color, strict=True)]).reshape(-1, len(names))
    electrons = config.conditions.electrons(magnitudes)
    stars = [
        SimulatedSource(
            first + k + 1, float(y), float(x), (SimulatedComponent(PointSource(), tuple(map(float, flux))),), True
        )
        for k, ((y, x), flux) in enumerate(zip(positions, electrons, strict=True))
    ]
    return stars, magnitudes


def _undetected(
    rng: np.random.Generator, config: FieldConfig, catalog: GalaxyCatalog | None
) -> tuple[SimulatedSource, ...]:
    """Galaxies all over the image that are too faint for the truth, as many as the counts say."""
    if config.undetected_to is None:
        return ()
    everywhere = Region.middle(config.shape, None)
    n = int(rng.poisson(_arcmin2(config, everywhere) * galaxy_density(config.undetected_to)))
    limits = (min(config.magnitudes[0], config.undetected_to), config.undetected_to)
    faint = _fainter(config, draw_catalog(rng, n, limits, config.conditions.names))
    if catalog is not None:
        # As many as there would be random ones: a catalog does not say how much sky it stands for.
        known = _fainter(config, catalog)
        n = len(faint) if len(known) else 0
        faint = known.take(rng.choice(len(known), n, replace=n > len(known)) if n else [])
    sources = _galaxies(rng, config, faint, uniform(rng, len(faint), everywhere))
    return tuple(replace(s, id=-s.id) for s in sources)
