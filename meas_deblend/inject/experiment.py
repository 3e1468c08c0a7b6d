"""The experiment: inject, run the chain again, and measure what comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import PipelineError
from ..measure import MeasureConfig
from .checks import fwhm_of, reference_index
from .columns import InjectionRow, neighbors_of
from .config import InjectionConfig
from .matching import INJECTED, KNOWN, given_sources, match_by_distance, match_by_name
from .measurement import CatalogFluxes, aperture_fluxes
from .realizations import make_realizations
from .sky import describe_sky, objects_of
from .summary import summarise_injection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..evaluate import Chain
    from ..image import MultibandExposure
    from .catalog import InjectionCatalog
    from .columns import Neighbor
    from .realizations import Realization
    from .sky import DeblendedObject, KnownObjects

__all__ = ["InjectionResult", "run_injection"]


@dataclass(frozen=True, slots=True, eq=False)
class InjectionResult:
    """What `run_injection` returns.

    Parameters
    ----------
    columns : dict of str to array (row,)
        One row per deblender and injected source; see `COLUMNS` and `BAND_COLUMNS`.
    summary : dict
        Completeness and biases by deblender, ready for JSON.
    """

    columns: dict[str, NDArray[Any]]
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Setup:
    """What all realizations have in common."""

    exposure: MultibandExposure
    known: KnownObjects
    catalog: InjectionCatalog
    config: InjectionConfig
    fwhm: NDArray[np.float64]
    measure: MeasureConfig = field(default_factory=MeasureConfig)

    @property
    def reference(self) -> int:
        """Index of the reference band."""
        return reference_index(self.exposure, self.config.band)

    @property
    def known_positions(self) -> NDArray[np.float64]:
        """``(y, x)`` of what was detected before."""
        return np.stack([self.known.y, self.known.x], axis=1)

    @property
    def radius(self) -> float:
        """Largest distance of a source's object [px]."""
        return self.config.match_radius * float(self.fwhm[self.reference])


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One run of a chain: the objects of known and of injected sources, its wall time [s], and why it failed.

    ``fluxes`` measures its objects; None where it failed.
    """

    of_known: list[DeblendedObject | None]
    of_injected: list[DeblendedObject | None]
    seconds: float
    error: str = ""
    fluxes: CatalogFluxes | None = None


def run_injection(
    exposure: MultibandExposure,
    catalog: InjectionCatalog,
    chains: Sequence[Chain],
    config: InjectionConfig | None = None,
    *,
    known: KnownObjects | None = None,
    realizations: Iterable[Realization] | None = None,
) -> InjectionResult:
    """Inject sources into an exposure, run chains on it, and compare what they make of the sources with what they are.

    Parameters
    ----------
    exposure : MultibandExposure
        The user's own, with zero points and a PSF in every band.
    catalog : InjectionCatalog
        What is injected.
    chains : sequence of Chain
        Detection, deblending and re-apportioning, with one deblender each. All see the same images.
    config : InjectionConfig, optional
    known : KnownObjects, optional
        What is on the image before; default: what the last of the chains finds.
    realizations : iterable of Realization, optional
        Those of `make_realizations` for the same arguments, for whoever wants to watch or keep them.

    Returns
    -------
    InjectionResult

    Raises
    ------
    InputError
        If the exposure, the catalog or the configuration cannot be used.
    PipelineError
        If a chain fails on the exposure as it is. One that fails on an injected image finds none of its sources, and
        the summary says so.
    """
    config = config if config is not None else InjectionConfig()
    known = describe_sky(exposure, chains[-1]) if known is None else known
    setup = _Setup(exposure, known, catalog, config, fwhm_of(exposure))
    before = [_before(chain, setup) for chain in chains]
    rows: list[InjectionRow] = []
    runs: dict[str, list[_Run]] = {chain.deblender: [] for chain in chains}
    for realization in make_realizations(exposure, catalog, config) if realizations is None else realizations:
        neighbors = neighbors_of(realization, known, setup.reference)
        for chain, fluxes in zip(chains, before, strict=True):
            run = _run(chain, setup, realization)
            runs[chain.deblender].append(replace(run, of_known=[], of_injected=[], fluxes=None))
            changes = _changes(run, fluxes, neighbors, len(exposure.bands))
            pairs = zip(neighbors, changes, strict=True)
            rows += [_row(setup, realization, k, (chain.deblender, run), pair) for k, pair in enumerate(pairs)]
    columns = InjectionRow.columns(rows, catalog, exposure)
    # Without a pixel scale, separations are in pixels.
    width = float(setup.fwhm[setup.reference]) * (exposure.pixel_scale or 1.0)
    summary = summarise_injection(columns, exposure.bands, exposure.bands[setup.reference], width)
    return InjectionResult(columns, _about(setup, runs) | summary)


def _about(setup: _Setup, runs: Mapping[str, Sequence[_Run]]) -> dict[str, Any]:
    """Say what was done, for the summary."""
    scale = setup.exposure.pixel_scale
    errors = {name: [run.error for run in of_chain if run.error] for name, of_chain in runs.items()}
    return {
        "centres": "detected" if setup.config.detect else "given",
        "sources": len(setup.catalog),
        "known_objects": len(setup.known),
        "realizations": max(len(of_chain) for of_chain in runs.values()),
        "fwhm_arcsec": None if scale is None else [float(f) * scale for f in setup.fwhm],
        "seconds_per_realization": {
            name: float(np.median([run.seconds for run in of_chain])) for name, of_chain in runs.items()
        },
        "errors": {name: found for name, found in errors.items() if found},
    }


def _before(chain: Chain, setup: _Setup) -> list[NDArray[np.float64] | None]:
    """Fluxes of the known objects before anything is injected, each (B,); None for those without an object."""
    objects = list(objects_of(chain(setup.exposure, None if setup.config.detect else _given(setup, None))))
    matched = _match(setup, objects, np.zeros((0, 2)))[0]
    return [None if k < 0 else objects[k].flux for k in matched]


def _given(setup: _Setup, injected: NDArray[np.float64] | None) -> dict[str, list[object]] | None:
    where = np.zeros((0, 2)) if injected is None else injected
    # An image without objects has no positions to give: it is then detected on, which finds nothing either.
    return given_sources(setup.known_positions, where) if len(setup.known) + len(where) else None


def _run(chain: Chain, setup: _Setup, realization: Realization) -> _Run:
    where = np.array([[s.y, s.x] for s in realization.sources], dtype=np.float64).reshape(-1, 2)
    start = time.perf_counter()
    try:
        result = chain(realization.exposure, None if setup.config.detect else _given(setup, where))
    except PipelineError as problem:
        nobody: list[DeblendedObject | None] = [None] * len(where)
        error = f"realization {realization.number}: {problem}"
        return _Run([None] * len(setup.known), nobody, time.perf_counter() - start, error)
    seconds = time.perf_counter() - start
    objects = list(objects_of(result))
    known, injected = ([None if k < 0 else objects[k] for k in matched] for matched in _match(setup, objects, where))
    return _Run(known, injected, seconds, fluxes=CatalogFluxes(realization.exposure, result, setup.measure))


def _match(
    setup: _Setup, objects: Sequence[DeblendedObject], injected: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the objects of known and of injected sources; -1 for none."""
    n = len(setup.known)
    if not setup.config.detect:
        names = [o.source.peak.name for o in objects]
        return match_by_name(names, KNOWN, n), match_by_name(names, INJECTED, len(injected))
    where = np.array([o.source.peak.center for o in objects], dtype=np.float64).reshape(-1, 2)
    matched = match_by_distance(np.concatenate([setup.known_positions, injected]), where, setup.radius)
    return matched[:n], matched[n:]


def _changes(
    run: _Run, before: Sequence[NDArray[np.float64] | None], neighbors: Sequence[Neighbor], bands: int
) -> list[NDArray[np.float64]]:
    """By how much the flux of each source's neighbour changed (B,); NaN if it is no known object, or has no object."""
    changes = []
    for neighbor in neighbors:
        flux = before[neighbor.known] if neighbor.known >= 0 else None
        after = run.of_known[neighbor.known] if neighbor.known >= 0 else None
        changes.append(np.full(bands, np.nan) if flux is None or after is None else after.flux - flux)
    return changes


def _row(
    setup: _Setup,
    realization: Realization,
    k: int,
    chain: tuple[str, _Run],
    neighbor: tuple[Neighbor, NDArray[np.float64]],
) -> InjectionRow:
    """Measure source ``k`` of a realization in the run of the chain of that name."""
    source, truth, found = realization.sources[k], realization.truths[k], chain[1].of_injected[k]
    apertures = aperture_fluxes(realization.exposure, source, truth, found, setup.fwhm)
    band, least = setup.reference, setup.config.recovered_snr
    # An object whose light went to others is of no use to anybody.
    recovered = found is not None and bool(apertures.child[band] > least * apertures.error[band])
    measure = chain[1].fluxes
    fluxes = measure(found) if found is not None and measure is not None and recovered else None
    return InjectionRow(chain[0], realization.number, source, found, recovered, apertures, fluxes, *neighbor)
