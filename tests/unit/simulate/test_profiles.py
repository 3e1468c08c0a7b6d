"""Sérsic profiles: their flux, their extent and their Fourier transforms."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from meas_deblend.simulate import PointSource, Sersic
from meas_deblend.simulate.profiles import sersic_scale, sersic_transform

INDICES = st.floats(0.3, 6.2)


def direct_transform(k, n):
    """Hankel transform by adaptive quadrature between the zeros of the Bessel function."""
    b = sersic_scale(n)
    norm = n * b ** (-2 * n) * special.gamma(2 * n)
    stop = 40 / b
    zeros = np.concatenate([[0], (special.jn_zeros(0, 2000) / k) ** (1 / n)])
    edges = np.append(zeros[zeros < stop], stop)

    def integrand(u):  # u = r^(1/n) takes the cusp at the centre away
        return n * u ** (2 * n - 1) * np.exp(-b * u) * special.j0(k * u**n) / norm

    return sum(integrate.quad(integrand, a, c, epsabs=1e-12, epsrel=1e-10, limit=400)[0] for a, c in pairwise(edges))


@pytest.mark.parametrize("n", [0.3, 0.7, 2.0, 4.0])
@pytest.mark.parametrize("k", [0.03, 0.5, 3.0, 8.0])
def test_the_tabulated_transform_is_the_integral(n, k):
    assert float(sersic_transform(np.array(k), n)) == pytest.approx(direct_transform(k, n), abs=1e-8)


@pytest.mark.parametrize("n", [0.5, 1.0])
def test_the_table_agrees_with_closed_forms(n):
    k = np.logspace(-7, 6, 300)
    # The neighbouring index uses the table; the transform changes by less than 1e-8 · 10 between them.
    np.testing.assert_allclose(sersic_transform(k, n + 1e-8), sersic_transform(k, n), atol=1e-7)


@given(n=INDICES)
def test_the_transform_falls_from_one_to_nothing(n):
    values = sersic_transform(np.array([0.0, 1e-6, 1e6]), n)
    np.testing.assert_allclose(values, [1, 1, 0], atol=1e-6)


@given(n=INDICES, radius=st.floats(0.1, 50), q=st.floats(0.05, 1))
def test_half_of_the_flux_is_inside_the_half_light_radius(n, radius, q):
    profile = Sersic(radius, n, q, 20.0)
    assert profile.enclosed(radius) == pytest.approx(0.5, rel=1e-10)
    # In ellipses of axis ratio q an annulus has the area 2 π q r dr; ln r makes the integrand smooth for any n.
    inner, _ = integrate.quad(
        lambda t: profile.brightness(np.exp(t)) * 2 * np.pi * q * np.exp(2 * t), np.log(radius) - 15, np.log(radius)
    )
    assert inner == pytest.approx(0.5, rel=1e-6)


@given(n=INDICES, level=st.floats(1e-9, 1e-2))
def test_radius_at_inverts_brightness(n, level):
    profile = Sersic(3.0, n)
    radius = profile.radius_at(level)
    if radius > 0:
        assert profile.brightness(np.array(radius)) == pytest.approx(level, rel=1e-9)
    else:
        assert profile.brightness(np.array(0.0)) <= level


def test_an_ellipse_turns_with_its_position_angle():
    k = np.linspace(0, 1, 5)
    zero = np.zeros(1)
    along_x = Sersic(4.0, 1.0, 0.5, 0.0)
    np.testing.assert_allclose(along_x.transform(zero, k), sersic_transform(4 * k, 1.0))
    np.testing.assert_allclose(along_x.transform(k, zero), sersic_transform(2 * k, 1.0))
    turned = Sersic(4.0, 1.0, 0.5, 90.0)
    np.testing.assert_allclose(turned.transform(k, zero), sersic_transform(4 * k, 1.0))
    diagonal = Sersic(4.0, 1.0, 0.5, 45.0)
    step = k / np.sqrt(2)
    np.testing.assert_allclose(diagonal.transform(step, step), sersic_transform(4 * k, 1.0))


def test_a_point_source_has_every_frequency_and_no_extent():
    assert (PointSource().transform(np.zeros((3, 1)), np.zeros((1, 4))) == np.ones((3, 4))).all()
    assert PointSource().radius_at(1e-3) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0,), "half_light_radius must be above 0 px, got 0.0"),
        ((1.0, 8.0), r"sersic_index must be within 0.3 … 6.2, got 8.0"),
        ((1.0, 1.0, 1.5), r"axis_ratio must be in \(0, 1\], got 1.5"),
    ],
)
def test_parameters_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Sersic(*values)
