"""Is a peak a point source?  Linear fits of a PSF, a sloping sky, the neighbours and a small shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import Box, Image
from .parent import ParentPixels, PointSource
from .psf_model import nearest_pixel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from .config import TemplateConfig

__all__ = ["fit_point_source", "point_source_template"]


def fit_point_source(parent: ParentPixels, k: int, config: TemplateConfig) -> PointSource:
    """Fit a point source at peak ``k``, and again with a small shift, and decide whether it describes the pixels.

    The model is linear: PSF + sky + its two slopes + every neighbour as a point source at its own peak; the second
    fit adds the derivatives of the PSF (a source displaced by δ is P − δ·∇P to first order), the third draws the PSF
    at the shift that the second found.  Pixels within 1.5 FWHM take part, weighted by 1/V and by a ramp that falls
    from 1 at one FWHM to 0.  A point source is accepted if a fit's reduced χ² is below its cut and its flux above 0.

    Parameters
    ----------
    parent : ParentPixels
        With a PSF.
    k : int
        Index of the peak.
    config : TemplateConfig

    Returns
    -------
    PointSource
    """
    box = parent.footprint.box
    position = (float(parent.positions[k, 0]), float(parent.positions[k, 1]))
    outer = np.ceil(1.5 * parent.fwhm)
    stamp_box = parent.stamps[k].box & box
    if not stamp_box.contains(*nearest_pixel(*position)):
        return PointSource("out_of_bounds")
    (y, x) = position
    edges = (np.floor(y - outer), np.ceil(y + outer) + 1, np.floor(x - outer), np.ceil(x + outer) + 1)
    fit_box = Box.from_bounds(*(int(e) for e in edges)) & box
    if fit_box.is_empty:
        return PointSource("out_of_bounds")
    if min(fit_box.shape) <= config.tiny_footprint_size:
        return PointSource("tiny")
    problem = _Problem.prepare(parent, position, fit_box)
    if problem.radial.size == 0:
        return PointSource("failed", flags=frozenset({"no_valid_pixels"}))
    try:
        return _decide(parent, k, problem, config)
    except np.linalg.LinAlgError:
        # The singular values did not converge: whatever the peak is, it is not shown to be a point source.
        return PointSource(flags=frozenset({"psf_fit_failed"}))


def point_source_template(parent: ParentPixels, source: PointSource) -> Image:
    """Draw the accepted point source over the part of its stamp inside the parent's box, 0 outside the footprint."""
    if parent.psf is None:
        raise ValueError("a point source needs a PSF")
    stamp = parent.psf.stamp(*source.center)
    box = stamp.box & parent.footprint.box
    array = source.flux * stamp.project(box).array
    return Image(np.where(parent.footprint.on(box), array, 0.0), box)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A weighted linear fit: coefficients of all columns (0 where a column is empty), χ², degrees of freedom."""

    coefficients: FloatArray
    chisq: float
    dof: float

    @property
    def reduced(self) -> float:
        """χ² per degree of freedom."""
        return self.chisq / self.dof

    def passes(self, cut: float) -> bool:
        """Whether the fit is good enough for a point source, and finds light rather than a hole."""
        return bool(self.reduced < cut and self.coefficients[0] > 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Pixels of a fit (n,), their weights, and how to read columns at them."""

    fit_box: Box
    valid: NDArray[np.bool_]
    data: FloatArray
    radial: FloatArray
    weight: FloatArray
    sky: FloatArray

    @classmethod
    def prepare(cls, parent: ParentPixels, position: tuple[float, float], fit_box: Box) -> _Problem:
        """Choose the pixels: in the footprint, within 1.5 FWHM, usable."""
        cut = fit_box.slices_in(parent.window)
        image, variance = parent.image[cut], parent.variance[cut]
        y = np.arange(fit_box.origin[0], fit_box.stop[0])[:, None] - position[0]
        x = np.arange(fit_box.origin[1], fit_box.stop[1])[None, :] - position[1]
        r = np.hypot(y, x)
        inner, outer = np.ceil(parent.fwhm), np.ceil(1.5 * parent.fwhm)
        usable = np.isfinite(image) & np.isfinite(variance) & (variance > 0) & ~parent.bad[cut]
        valid = parent.footprint.on(fit_box) & (r <= outer) & usable
        fall = (r - inner) / (outer - inner) if outer > inner else np.ones_like(r)
        radial = np.where(r <= inner, 1.0, np.clip(1 - fall, 0, None))[valid]
        sky = np.stack([np.ones(r.shape), x + 0 * y, y + 0 * x], axis=-1)[valid]
        return cls(fit_box, valid, image[valid], radial, np.sqrt(radial / variance[valid]), sky)

    def column(self, image: Image) -> FloatArray:
        """Values of ``image`` at the pixels of the fit, 0 outside its box."""
        return image.project(self.fit_box).array[self.valid]

    def solve(self, columns: list[FloatArray]) -> _Fit:
        """Least squares; a column that is 0 at all pixels (a neighbour beyond the footprint) counts for nothing."""
        matrix = np.stack(columns, axis=1)
        used = np.any(matrix != 0, axis=0)
        coefficients = np.zeros(len(columns))
        weighted = self.weight[:, None] * matrix[:, used]
        coefficients[used] = np.linalg.lstsq(weighted, self.weight * self.data, rcond=None)[0]
        residual = self.weight * (matrix @ coefficients - self.data)
        return _Fit(coefficients, float(residual @ residual), float(self.radial.sum() - used.sum()))


def _neighbours(parent: ParentPixels, k: int, fit_box: Box) -> list[Image]:
    """PSF stamps of the other peaks that may reach into the fit box."""
    reach = np.ceil(1.5 * parent.fwhm) + min(parent.stamps[k].box.shape) / 2
    distance2 = ((parent.positions - parent.positions[k]) ** 2).sum(axis=1)
    near = (distance2 <= reach**2) & (np.arange(len(distance2)) != k)
    return [parent.stamps[j] for j in np.flatnonzero(near) if not (parent.stamps[j].box & fit_box).is_empty]


def _derivatives(stamp: Image) -> tuple[Image, Image]:
    """−∂P/∂y and −∂P/∂x by central differences, 0 at the stamp's borders: what a shift of the source adds."""
    dy, dx = np.zeros_like(stamp.array), np.zeros_like(stamp.array)
    dy[1:-1] = (stamp.array[:-2] - stamp.array[2:]) / 2
    dx[:, 1:-1] = (stamp.array[:, :-2] - stamp.array[:, 2:]) / 2
    return Image(dy, stamp.box), Image(dx, stamp.box)


def _decide(parent: ParentPixels, k: int, problem: _Problem, config: TemplateConfig) -> PointSource:
    """Run the fits and choose between the unshifted and the shifted point source."""
    box = parent.footprint.box
    y, x = (float(p) for p in parent.positions[k])
    stamp = parent.stamps[k].project(parent.stamps[k].box & box)
    rest = [*problem.sky.T, *(problem.column(n) for n in _neighbours(parent, k, problem.fit_box))]
    fixed = problem.solve([problem.column(stamp), *rest])
    shifted = problem.solve([problem.column(stamp), *rest, *(problem.column(d) for d in _derivatives(stamp))])
    if fixed.dof <= 0 or shifted.dof <= 0:
        return PointSource(flags=frozenset({"psf_fit_bad_dof"}))
    chisq = {"fit1": fixed.reduced, "fit2": shifted.reduced}
    flags: set[str] = set()
    accepts_fixed, redrawn, center = fixed.passes(config.psf_chisq1), None, (y, x)
    if shifted.passes(config.psf_chisq2):
        dy, dx = shifted.coefficients[-2:] / shifted.coefficients[0]
        center = (y + float(dy), x + float(dx))
        if not (abs(dx) < 1 and abs(dy) < 1):
            flags.add("psf_fit_big_decenter")
        else:
            redrawn = _redraw(parent, problem, center, rest)
    if redrawn is not None:
        chisq["fit3"] = redrawn.reduced
        if redrawn.passes(config.psf_chisq2b) and (not accepts_fixed or redrawn.reduced < fixed.reduced):
            flags.add("psf_fit_with_decenter")
            return PointSource("ok", True, float(redrawn.coefficients[0]), center, chisq, frozenset(flags))
    return PointSource("ok", accepts_fixed, float(fixed.coefficients[0]), (y, x), chisq, frozenset(flags))


def _redraw(
    parent: ParentPixels, problem: _Problem, center: tuple[float, float], rest: list[FloatArray]
) -> _Fit | None:
    """Fit with the PSF drawn at ``center``; None if that is not a pixel of the parent's box or nothing is left over."""
    if parent.psf is None:
        return None
    stamp = parent.psf.stamp(*center)
    box = stamp.box & parent.footprint.box
    if not box.contains(*nearest_pixel(*center)):
        return None
    fit = problem.solve([problem.column(stamp.project(box)), *rest])
    return fit if fit.dof > 0 else None
