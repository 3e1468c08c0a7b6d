"""Covariance of fluxes: Fisher matrices of what was fitted, with morphologies held fixed or fitted too.

Marginal errors propagate the noise through spectra and morphologies (the delta method): the model's derivatives with
respect to all of them give a Fisher matrix, and the flux's derivatives pick the variance from its inverse. Pixels held
by a constraint do not count as parameters, see `cells`.

To these errors of noise comes one of another kind: constraints may give light that two sources share to the wrong one,
see `_division`. On simulated blends of the model's own family, half of the central 68 % of (flux − truth) / error is
0.9 to 1.15 for S/N from 5 to 3000; one flux in twenty-five above S/N 300 is off by more than 3 errors.
``tests/benchmarks/pulls.py`` measures this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from scipy import linalg

from ..geometry import BoolArray, Box, FloatArray, IntArray
from .cells import Cells, Factor, make_cells
from .observation import Observation
from .render import render_morph
from .response import Linear, Placed, Response, make_response

__all__ = ["UNCONSTRAINED", "CovarianceKind", "FluxCovariance", "Uncertainty"]

CovarianceKind = Literal["marginal", "conditional"]

UNCONSTRAINED = 1e38
"""Variance of a flux that no pixel with weight says anything about: finite, in single precision too."""

RIDGES = (1e-10, 1e-8, 1e-6, 1e-4)
"""Added to the diagonal of a normal matrix scaled to unit diagonal, the first that makes it positive definite: what the
data leave open gets an error up to 1e5 times that of the same source alone, instead of an infinite one."""

DEGENERATE = 400.0
"""A variance so many times that of the source alone with its morphology fixed counts as undetermined."""

BACKGROUND = -1
"""Number of the source of what is no source."""

FAINT_SNR = 16.0
"""Prior widths of free cells grow by 1 + this / (S/N of the component): which cells a constraint holds changes with the
noise, so that those of faint sources are freer than one realisation shows. Chosen with `DIVISION` such that errors
match the scatter of simulated fits for S/N from 5 to 3000."""

DIVISION = 0.03
"""Part of the light shared by two sources, as a standard deviation, that the constraints give to the wrong one,
whatever the noise; see `_division`."""

MAX_SYSTEM = 400
"""Most cells in one linear system: bounds cost and memory, both independent of the number of sources."""


STRIP = 40
"""Height in pixels of the strips in which the sources of a large blend are gone through."""

KEPT = 400
"""Most matrices between two components that are kept while a blend is worked on."""


@dataclass(frozen=True, slots=True, eq=False)
class FluxCovariance:
    """Covariance of the fluxes of a blend.

    Parameters
    ----------
    values : array (source, source, band)
        Square of the image units. Bands are correlated by the common morphologies; only equal bands are kept.
    undetermined : bool array (source, band)
        Fluxes that the data do not determine: no pixel with weight, or a source that cannot be told from another one.
    """

    values: FloatArray
    undetermined: BoolArray

    @property
    def errors(self) -> FloatArray:
        """Standard deviations (source, band)."""
        out: FloatArray = np.sqrt(np.einsum("ssb->sb", self.values))
        return out


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Covariances of a fitted blend, computed when they are first asked for.

    Parameters
    ----------
    observation : Linear
        What was fitted.
    sources : sequence of sequences of Factor
        Fitted components of each source.
    background : sequence of Factor
        What else was fitted: its freedom adds to the errors, without being reported.
    """

    observation: Linear
    sources: Sequence[Sequence[Factor]]
    background: Sequence[Factor] = ()

    def covariance(self, kind: CovarianceKind) -> FluxCovariance:
        """Marginal or conditional covariance.

        Raises
        ------
        ValueError
            If there is no such ``kind``.
        """
        if kind not in ("marginal", "conditional"):
            raise ValueError(f"kind of covariance {kind!r} does not exist, expected 'marginal' or 'conditional'")
        return self.marginal if kind == "marginal" else self.conditional

    @cached_property
    def conditional(self) -> FluxCovariance:
        """Morphologies held fixed: inverse Fisher matrix of all spectra, band by band."""
        components, owner = self._components
        gram = _template_gram(components, self.observation)
        area = np.array([component.morph.sum(dtype=np.float64) for component in components])
        bands = len(gram)
        count = len(self.sources)
        values = np.zeros((count, count, bands))
        picks = (owner[:, None] == np.arange(count)) * area[:, None]
        for b in range(bands):
            values[:, :, b] = _propagate(gram[b], picks[None])[0]
        return self._flagged(values, gram)

    @cached_property
    def marginal(self) -> FluxCovariance:
        """Morphologies fitted too.

        A blend with more cells than one system may hold is solved source by source, each with its nearest neighbours:
        covariances with farther sources are then 0, and errors do not include what those contribute.
        """
        components, owner = self._components
        response = make_response(self.observation)
        parts = [_Part.of(c, response, int(k)) for c, k in zip(components, owner, strict=True)]
        bands, count = len(response.root_weight), len(self.sources)
        blocks = _Blocks(response)
        values = np.zeros((count, count, bands))
        known = np.zeros((count, count), dtype=int)
        for members, rows in _systems(parts, count):
            block = _marginal_block([p for p in parts if p.source in (*members, BACKGROUND)], members, blocks)
            for row in rows:
                i = members.index(row)
                values[row, members] += block[i]
                values[members, row] += block[i]
                known[row, members] += 1
                known[members, row] += 1
        values /= np.maximum(known, 1)[:, :, None]
        # Only overlaps within a source are asked for.
        gram = np.zeros((bands, len(parts), len(parts)))
        for k, j in np.argwhere(np.tril(owner[:, None] == owner)):
            gram[:, k, j] = gram[:, j, k] = np.diag(blocks.between(parts[k], parts[j])[:bands, :bands])
        return self._flagged(values, gram)

    @property
    def _components(self) -> tuple[list[Factor], IntArray]:
        """All components in order, and the number of the source of each; −1 for the background."""
        groups = [*self.sources, self.background]
        numbers = [*range(len(self.sources)), BACKGROUND]
        return [c for group in groups for c in group], np.repeat(numbers, [len(group) for group in groups])

    def _flagged(self, values: FloatArray, gram: FloatArray) -> FluxCovariance:
        """Bring what nothing constrains to `UNCONSTRAINED`, and flag it with what cannot be told apart."""
        components, owner = self._components
        count, bands = len(self.sources), len(gram)
        undetermined = np.zeros((count, bands), dtype=bool)
        area = np.array([component.morph.sum(dtype=np.float64) for component in components])
        for k in range(count):
            mine = np.flatnonzero(owner == k)
            block = gram[:, mine[:, None], mine]
            spectra = np.array([components[i].spectrum for i in mine], dtype=np.float64).reshape(-1, bands)
            power = np.einsum("ib,bij,jb->b", spectra, block, spectra)
            unknown = (np.einsum("bii->bi", block) <= 0).any(axis=1) | ~(power > 0)
            values[k, :, unknown] = values[:, k, unknown] = 0
            values[k, k, unknown] = UNCONSTRAINED
            alone = np.divide((area[mine] @ spectra) ** 2, power, out=np.zeros(bands), where=power > 0)
            undetermined[k] = ~(values[k, k] < DEGENERATE * alone)
        return FluxCovariance(np.clip(values, -UNCONSTRAINED, UNCONSTRAINED), undetermined)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One component in cells, with the number of its source and its place (y, x)."""

    cells: Cells
    placed: Placed
    spectrum: FloatArray
    source: int
    place: tuple[float, float]

    @classmethod
    def of(cls, component: Factor, response: Response, source: int) -> _Part:
        """Describe a component in cells."""
        cells = make_cells(component)
        spectrum = component.spectrum.astype(np.float64)
        return cls(cells, response.place(cells), spectrum, source, component.box.center)


def _systems(parts: Sequence[_Part], count: int) -> list[tuple[list[int], list[int]]]:
    """Choose sources to solve together, and say for which of them each solution holds."""
    size, center = np.zeros(count, dtype=int), np.zeros((count, 2))
    for part in (part for part in parts if part.source != BACKGROUND):
        size[part.source] += part.cells.basis.shape[1]
        center[part.source] = part.place
    if size.sum() <= MAX_SYSTEM:
        return [(list(range(count)), list(range(count)))]
    systems = []
    # In strips, so that the matrices between components that one source needs are still there for the next.
    for k in np.lexsort((center[:, 1], center[:, 0] // STRIP)).tolist():
        nearest = np.argsort(np.sum((center - center[k]) ** 2, axis=1), kind="stable")
        # Itself first, whatever its size; then as many neighbours as fit.
        fits = (np.cumsum(size[nearest]) <= MAX_SYSTEM) | (np.arange(count) == 0)
        systems.append(([int(j) for j in nearest[fits]], [k]))
    return systems


class _Blocks:
    """Normal matrices between two components, the last ones used kept: systems of neighbouring sources share them."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.between = lru_cache(maxsize=KEPT)(self._between)

    def _between(self, first: _Part, second: _Part) -> FloatArray:
        """Matrix (band + parameter, band + parameter) of spectra and free directions."""
        one, other = first.placed, second.placed
        cells = self.response.overlap(one, other)
        bands, both = len(cells), first.spectrum * second.spectrum
        out = np.zeros((bands + one.basis.shape[1], bands + other.basis.shape[1]))
        drawn = one.total @ cells
        diagonal = np.arange(bands)
        out[diagonal, diagonal] = drawn @ other.total
        out[:bands, bands:] = second.spectrum[:, None] * (drawn @ other.basis)
        out[bands:, :bands] = one.basis.T @ ((cells @ other.total) * first.spectrum[:, None]).T
        # Bands are added up before the morphologies are changed: that is one product of matrices for all of them.
        mixed = (both @ cells.reshape(bands, -1)).reshape(cells.shape[1:])
        out[bands:, bands:] = one.basis.T @ (mixed @ other.basis)
        return out


def _marginal_block(parts: Sequence[_Part], members: Sequence[int], blocks: _Blocks) -> FloatArray:
    """Covariance (source, source, band) of the fluxes of ``members``, to which all ``parts`` belong."""
    bands = len(parts[0].spectrum) if parts else len(blocks.response.root_weight)
    shared = np.zeros((len(parts), len(parts), bands))
    ends = np.cumsum([0, *(bands + len(part.cells.width) for part in parts)])
    normal = np.zeros((ends[-1], ends[-1]))
    picks = np.zeros((ends[-1], len(members), bands))
    for k, part in enumerate(parts):
        mine, morph = slice(ends[k], ends[k + 1]), slice(ends[k] + bands, ends[k + 1])
        if part.source != BACKGROUND:
            source = members.index(part.source)
            picks[ends[k] : ends[k] + bands, source, :] = part.cells.flux * np.eye(bands)
            picks[morph, source, :] = part.cells.basis.sum(axis=0)[:, None] * part.spectrum
        for j, other in enumerate(parts[: k + 1]):
            theirs = slice(ends[j], ends[j + 1])
            normal[mine, theirs] = blocks.between(part, other)
            normal[theirs, mine] = normal[mine, theirs].T
            overlap = np.diag(normal[mine, theirs])[:bands]
            shared[k, j] = shared[j, k] = overlap * part.spectrum * other.spectrum
        snr = np.sqrt(max(shared[k, k].sum(), np.finfo(float).tiny))
        normal[morph, morph] += np.diag((part.cells.width * (1 + FAINT_SNR / snr)) ** -2.0)
    covariance = _propagate(normal, picks.transpose(2, 0, 1)).transpose(1, 2, 0)
    return covariance + _division(parts, members, shared) if len(members) > 1 else covariance


def _division(parts: Sequence[_Part], members: Sequence[int], shared: FloatArray) -> FloatArray:
    """Covariance (source, source, band) of light that the constraints give to one source or the other.

    Between two sources of fluxes F and G whose images have the normalised overlap o moves a flux of variance
    `DIVISION`² F G o, that one gains and the other loses; ``shared`` (part, part, band) are the overlaps Σ w t t' of
    images. Relative to the flux of a source this is `DIVISION` √κ, with κ = Σ t (T − t) / Σ t² for the sum T. Sources
    whose shape is given by a few parameters, such as stars, take no part in it: only pixels are held by constraints.
    """
    owner = np.equal.outer(members, [part.source for part in parts]).astype(float)
    owner *= [bool(np.isfinite(part.cells.width).all()) for part in parts]
    flux = owner @ np.array([part.cells.flux * part.spectrum for part in parts]).reshape(len(parts), shared.shape[2])
    images = np.einsum("ik,jl,klb->ijb", owner, owner, shared)
    power = np.sqrt(np.einsum("iib->ib", images))
    norm = power[:, None] * power[None, :]
    overlap = np.divide(images, norm, out=np.zeros_like(images), where=norm > 0)
    moved = DIVISION**2 * flux[:, None] * flux[None, :] * np.clip(overlap, 0, 1)
    own = np.arange(len(members))
    moved[own, own] = 0
    moved[own, own] = -moved.sum(axis=1)
    out: FloatArray = -moved
    return out


def _propagate(normal: FloatArray, picks: FloatArray) -> FloatArray:
    """``picksᵀ normal⁻¹ picks`` (band, source, source) for a symmetric matrix that may be singular.

    ``picks`` (band, parameter, source). Parameters without information are left out. The matrix is scaled to unit
    diagonal, and gets the smallest of `RIDGES` with which a Cholesky factor exists.
    """
    bands, size, count = picks.shape
    diagonal = normal.diagonal()
    informed = diagonal > 0
    if not informed.all():
        picks, normal, diagonal = picks[:, informed], normal[np.ix_(informed, informed)], diagonal[informed]
        size = len(diagonal)
    scale = 1 / np.sqrt(diagonal)
    scaled = normal * np.outer(scale, scale)
    ones = scaled.diagonal().copy()
    wanted = (scale[:, None] * picks).transpose(1, 0, 2).reshape(size, bands * count)
    for ridge in RIDGES if size else ():
        np.fill_diagonal(scaled, ones + ridge)
        # LAPACK itself: what SciPy does around it takes longer than the few cells of most blends.
        factor, failed = linalg.lapack.dpotrf(scaled, lower=True, clean=False)
        if failed:
            continue
        root, _ = linalg.lapack.dtrtrs(factor, wanted, lower=True)
        root = root.reshape(size, bands, count).transpose(1, 0, 2)
        out: FloatArray = root.transpose(0, 2, 1) @ root
        return out
    return np.full((bands, count, count), 0.0 if size == 0 else UNCONSTRAINED)


def _template_gram(components: Sequence[Factor], observation: Linear) -> FloatArray:
    """Overlaps (band, component, component) of the rendered morphologies, weighted with the data's weights."""
    bands, n = len(observation.weights), len(components)
    gram = np.zeros((bands, n, n))
    data = Box((0, 0), (observation.weights.shape[1], observation.weights.shape[2]))
    rendered = [_rendered(component, observation) for component in components]
    for k, (box, cube) in enumerate(rendered):
        weighted = (cube * observation.weights[:, *box.slices_in(data)]).astype(np.float64)
        for j in range(k + 1):
            mine, other = box.overlap_slices(rendered[j][0])
            overlap = np.einsum("byx,byx->b", weighted[:, *mine], rendered[j][1][:, *other])
            gram[:, k, j] = gram[:, j, k] = overlap
    return gram


def _rendered(component: Factor, observation: Linear) -> tuple[Box, FloatArray]:
    """Morphology with unit spectrum in the data (band, y, x), with the box of data pixels that it covers."""
    if isinstance(observation, Observation):
        return render_morph(component.morph, component.box, observation.convolver.kernels, observation.frame)
    bands = len(observation.weights)
    model = np.zeros((bands, *observation.frame.shape), dtype=component.morph.dtype)
    model[:, *component.box.slices_in(observation.frame)] = component.morph
    cube = observation.render(model)
    return Box((0, 0), (cube.shape[1], cube.shape[2])), cube
