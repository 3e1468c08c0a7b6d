"""Stretches of iterations in compiled code, from one change of the boxes to the next.

Between iterations of most blends Python takes as long as all of the arithmetic in them.  Where there are no compiled
transforms these loops run in Python, and call the compiled ones one by one.
"""

from __future__ import annotations

import numpy as np

from ..geometry import BoolArray, FloatArray, IntArray
from .kernels import ComplexArray
from .pool_kernels import FLOOR, add_components, step_components
from .precondition_kernels import advance, draw_ahead
from .row_filter import filter_inside, jit_with_filter
from .view import weigh_rows

__all__ = ["WINDOW", "ahead_stretch", "has_converged", "has_settled", "step_stretch"]

WINDOW = 5
"""Preconditioned steps over which their gain is judged."""

E_REL, MIN_ITER, LENGTH, LAST_TWO, WARM_UP, FROM = range(6)
"""Places of the rules: those of `has_converged`, updates over which steps grow, and the first that may be the best."""


@jit_with_filter
def has_settled(losses: FloatArray, e_rel: float) -> bool:
    """Whether the best of the log-likelihoods (n,) of preconditioned steps has risen little over the last of them."""
    n = len(losses)
    if n <= 2 * WINDOW:
        return False
    now = losses[1:].max()
    return bool(now - losses[1 : n - WINDOW].max() < e_rel * abs(now))


@jit_with_filter
def has_converged(losses: FloatArray, rules: FloatArray) -> bool:
    """Whether log-likelihoods (n,), one per update, give reason to stop; see `is_converged`."""
    n = len(losses)
    if n <= rules[MIN_ITER] or n < 2:
        return False
    if rules[LAST_TWO] > 0:
        return bool(abs(losses[n - 1] - losses[n - 2]) < rules[E_REL] * abs(losses[n - 1]))
    window = int(rules[LENGTH])
    # The first entry belongs to the first guess, which need not meet the constraints.
    if n <= window + 1:
        return False
    now = losses[1:].max()
    return bool(now - losses[1 : n - window].max() < rules[E_REL] * abs(now))


@jit_with_filter
def ahead_stretch(  # noqa: PLR0917 -- a compiled loop, called with plain arrays
    data: tuple[FloatArray, FloatArray, ComplexArray, ComplexArray],
    planes: tuple[FloatArray, FloatArray, FloatArray],
    layout: tuple[IntArray, IntArray, IntArray, IntArray, BoolArray],
    spectra: FloatArray,
    values: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    levels: tuple[FloatArray, FloatArray],
    numbers: tuple[float, float, float],
    switches: tuple[bool, bool, bool],
    weights: FloatArray,
    losses: FloatArray,
    span: tuple[int, int],
) -> tuple[int, float, bool]:
    """Take preconditioned steps of all components, until they settle or the stretch ends.

    Parameters
    ----------
    data : images and weights (band, y, x), transforms of the kernels and of what undoes them
    planes : arrays (band, y, row), (band, y, row), (y, x)
        Room, as for `draw_ahead`.
    layout : first pixel (2,), boxes (n, 4), starts (n + 1,), centres (n, 2), which morphologies are kept (n,)
    spectra : array (n, band)
        Changed.
    values : five arrays (size,)
        Morphologies and those before the last step, both changed; and room for three more.
    levels : noise and importance (band,)
    numbers : momentum of the last step, `advance`'s damping, and the gain below which steps have settled
    switches, weights
        As for `advance`.
    losses : array (m,)
        Log-likelihoods of all steps so far; continued.
    span : numbers of the first step and of the one after the last

    Returns
    -------
    int
        Number of steps with a finite log-likelihood, from the first of all.
    float
        Momentum.
    bool
        Whether they have settled, or the log-likelihood is not finite any more.
    """
    images, pixel_weights, transform, inverse = data
    origin, boxes, starts, centers, kept = layout
    now, before, ahead, claim, new = values
    cube, cover, total = planes
    momentum = numbers[0]
    for iteration in range(span[0], span[1]):
        further = (1 + np.sqrt(1 + 4 * momentum * momentum)) / 2
        by = ((momentum - 1) / further, levels[0])
        draw_ahead(planes, origin, (boxes, starts), spectra, (now, before, ahead, claim), by)
        rendered = filter_inside(cube, transform)
        value = weigh_rows(rendered, images, pixel_weights)
        if not np.isfinite(value):
            return iteration, momentum, True
        losses[iteration] = value
        uphill = advance(
            (filter_inside(rendered, inverse), cover, total),
            origin,
            (boxes, starts, centers, kept),
            spectra,
            (now, ahead, claim, new),
            levels[1],
            numbers[1],
            switches,
            weights,
        )
        momentum = 1.0 if uphill > 0 else further
        before[:] = now
        now[:] = new
        if has_settled(losses[: iteration + 1], numbers[2]):
            return iteration + 1, momentum, True
    return span[1], momentum, False


@jit_with_filter
def step_stretch(  # noqa: PLR0917 -- a compiled loop, called with plain arrays
    data: tuple[FloatArray, FloatArray, ComplexArray, ComplexArray],
    cube: FloatArray,
    layout: tuple[IntArray, IntArray, IntArray, IntArray, BoolArray],
    spectra: FloatArray,
    morphs: FloatArray,
    noise: tuple[FloatArray, FloatArray],
    constants: FloatArray,
    steps: FloatArray,
    switches: tuple[bool, bool, bool, bool, bool],
    weights: FloatArray,
    rules: FloatArray,
    record: tuple[FloatArray, FloatArray, FloatArray],
    best_value: float,
    span: tuple[int, int],
) -> tuple[int, float, int]:
    """Step all components with AMSGrad until they have converged or the stretch ends.

    Parameters
    ----------
    data : images and weights (band, y, x), transforms of the kernels and their conjugates
    cube : array (band, y, row)
        Room for the model.
    layout : first pixel (2,), boxes (n, 4), starts (n + 1,), centres (n, 2), which morphologies are kept (n,)
    spectra, morphs, noise, constants, switches, weights
        As for `step_components`; the steps among the constants are written here.
    steps : array (3,)
        Full steps: of morphologies, of spectra relative to their mean, and least ones relative to the noise.
    rules : array (6,)
        In the order of the module's constants.
    record : arrays (m,), (n, band), (size,)
        Log-likelihoods of all updates so far, continued; spectra and morphologies of the best one are written.
    best_value : float
        Log-likelihood that the best one has to exceed.
    span : numbers of the first update and of the one after the last

    Returns
    -------
    int
        Number of updates with a finite log-likelihood, from the first of all.
    float
        Log-likelihood of the best one: ``best_value`` where none was better.
    int
        0: the stretch has ended; 1: converged; 2: the log-likelihood is not finite any more.
    """
    images, pixel_weights, transform, conjugate = data
    origin, boxes, starts, centers, kept = layout
    values, best_spectra, best_morphs = record
    for iteration in range(span[0], span[1]):
        cube[:] = 0
        add_components(cube, origin, boxes, starts, spectra[0], morphs[0])
        residual = filter_inside(cube, transform)
        value = weigh_rows(residual, images, pixel_weights)
        if not np.isfinite(value):
            return iteration, best_value, 2
        values[iteration] = value
        if value > best_value and iteration >= rules[FROM]:
            best_value = value
            best_spectra[:] = spectra[0]
            best_morphs[:] = morphs[0]
        # The moments know few gradients in the first iterations.
        ramp = min(max(0.1, iteration / rules[WARM_UP]), 1.0)
        for k in range(3):
            constants[FLOOR + 1 + k] = steps[k] * ramp
        gradient = filter_inside(residual, conjugate)
        layout_there = (boxes, starts, centers, kept)
        step_components(gradient, origin, layout_there, spectra, morphs, noise, constants, switches, weights)
        if has_converged(values[: iteration + 1], rules):
            return iteration + 1, best_value, 1
    return span[1], best_value, 0
