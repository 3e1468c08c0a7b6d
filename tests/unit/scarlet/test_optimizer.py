"""Trajectories of the optimizers on one number."""

import numpy as np
import pytest

from meas_deblend.scarlet.optimizer import make_optimizer

GRADIENTS = (2, 2, 1, -1, 0.5)
# x0 = 1, step 0.1, no constraint: the schemes' formulas evaluated by hand, with the first step divided by 10
# (FISTA: not divided, and no momentum before the second step).
TRAJECTORIES = {
    "adam": (0.99, 0.89, 0.79581868, 0.74103478, 0.6867678),
    "nadam": (0.981, 0.83836842, 0.73229724, 0.70138794, 0.64401565),
    "amsgrad": (0.96837722, 0.54341805, 0.07719833, -0.22091461, -0.5355079),
    "adamx": (0.96837722, 0.54341805, 0.07719833, -0.22091461, -0.5355079),
    "padam": (0.99204729, 0.86497075, 0.72141967, 0.62719757, 0.5271741),
    "radam": (0.98, 0.78, 0.61690037, 0.53030543, 0.52936599),
    "fista": (0.8, 0.6, 0.44364929, 0.47578640, 0.44285325),
}


def identity(x):
    return x


@pytest.mark.parametrize("scheme", TRAJECTORIES)
def test_trajectory(scheme):
    x = np.ones(1)
    optimizer = make_optimizer(scheme, x)
    for iteration, (gradient, expected) in enumerate(zip(GRADIENTS, TRAJECTORIES[scheme], strict=True)):
        x = optimizer.update(x, np.array([gradient], dtype=float), 0.1, iteration, identity)
        assert x[0] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("scheme", TRAJECTORIES)
def test_zero_gradient_changes_nothing(scheme):
    start = np.array([3.0, 0.5])
    x, optimizer = start.copy(), make_optimizer(scheme, start)
    for iteration in range(3):
        x = optimizer.update(x, np.zeros(2), 0.1, iteration, identity)
    assert np.array_equal(x, start)


@pytest.mark.parametrize("scheme", TRAJECTORIES)
def test_precision_is_that_of_the_parameter(scheme):
    x = np.ones(2, dtype=np.float32)
    optimizer = make_optimizer(scheme, x)
    for iteration in range(2):
        x = optimizer.update(x, np.ones(2, dtype=np.float32), 0.1, iteration, identity)
    assert x.dtype == np.float32


def test_projection_is_applied_after_the_step():
    x = make_optimizer("amsgrad", np.ones(1)).update(np.ones(1), np.full(1, 1e3), 100.0, 1, lambda x: np.maximum(x, 0))
    assert x == 0


@pytest.mark.parametrize("scheme", ["amsgrad", "fista"])
def test_resizing_moves_the_memory_along(scheme):
    x = np.ones((3, 3))
    optimizer = make_optimizer(scheme, x)
    x = optimizer.update(x, np.ones((3, 3)), 0.1, 0, identity)
    optimizer.resize(lambda a: np.pad(a, 1))
    x = optimizer.update(np.pad(x, 1), np.zeros((5, 5)), 0.1, 1, identity)
    assert x.shape == (5, 5)
    assert x[0, 0] == 0
