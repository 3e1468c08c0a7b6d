"""Drawn sources against integrals that never see a Fourier transform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from meas_deblend.image import GaussianPsf, MoffatPsf
from meas_deblend.simulate import PointSource, Sersic, SimulatedComponent, SimulatedSource, draw_source
from meas_deblend.simulate.drawing import stamp_radius
from meas_deblend.simulate.profiles import sersic_scale

CENTER = (50.3, 40.8)


def source(*parts, center=CENTER):
    return SimulatedSource(1, *center, tuple(SimulatedComponent(p, f) for p, f in parts))


def moffat(psf, dy, dx):
    """Moffat profile integrated over pixels with 4 × 4 Gauss–Legendre points."""
    total = np.zeros(np.shape(dy))
    nodes, weights = np.polynomial.legendre.leggauss(4)
    for sy, wy in zip(nodes / 2, weights / 2, strict=True):
        for sx, wx in zip(nodes / 2, weights / 2, strict=True):
            total += wy * wx * (1 + ((dy + sy) ** 2 + (dx + sx) ** 2) / psf.alpha**2) ** -psf.beta
    return total * (psf.beta - 1) / (np.pi * psf.alpha**2)


def brute_force(profile, psf, center, y, x):
    """Convolve by summing PSFs over equal parts of the profile's flux.

    Radii are Gauss–Legendre nodes in the enclosed flux, where every profile is uniform; 48 angles on each ellipse.
    """
    nodes, weights = np.polynomial.legendre.leggauss(120)
    b, n = sersic_scale(profile.sersic_index), profile.sersic_index
    radius = profile.half_light_radius * (special.gammaincinv(2 * n, (nodes + 1) / 2) / b) ** n
    angle = np.arange(48) * 2 * np.pi / 48
    a, c = np.outer(radius, np.cos(angle)), profile.axis_ratio * np.outer(radius, np.sin(angle))
    turn = np.deg2rad(profile.position_angle)
    dx, dy = a * np.cos(turn) - c * np.sin(turn), a * np.sin(turn) + c * np.cos(turn)
    share = np.repeat(weights / 2 / 48, 48)
    offsets_y = y[:, None] - center[0] - dy.ravel()
    offsets_x = x[:, None] - center[1] - dx.ravel()
    return moffat(psf, offsets_y, offsets_x) @ share


@pytest.mark.parametrize(
    "profile", [Sersic(3.0, 1.0, 0.6, 30.0), Sersic(2.0, 4.0, 0.7, 110.0), Sersic(1.0, 2.2, 0.9, 0.0), Sersic(5.0, 0.6)]
)
def test_a_drawn_galaxy_is_the_convolution_to_1e_4_of_its_peak(profile):
    psf = MoffatPsf(fwhm=3.6)
    image = draw_source(source((profile, (1.0,))), [psf], 60)
    rng = np.random.default_rng(8)
    y, x = (np.round(c + rng.uniform(-12, 12, 25)).astype(int) for c in CENTER)
    y[0], x[0] = 50, 41
    drawn = image.array[0][y - image.box.origin[0], x - image.box.origin[1]]
    expected = brute_force(profile, psf, CENTER, y.astype(float), x.astype(float))
    # The PSF's stamp ends where 0.5 % of its flux are left; that light is what is missing.
    np.testing.assert_allclose(drawn, expected, atol=1e-4 * image.array.max())


def test_a_star_is_the_psf_of_its_place():
    psf = MoffatPsf(fwhm=4.0)
    image = draw_source(source((PointSource(), (250.0, 100.0))), [psf, GaussianPsf(1.2)], 5)
    stamp, center = psf.image(*CENTER)
    assert image.box.center == (float(center[0]), float(center[1]))
    np.testing.assert_allclose(image.array[0], 250 * stamp, atol=1e-12)
    small = GaussianPsf(1.2).image(*CENTER).stamp
    edge = (image.array.shape[1] - small.shape[0]) // 2
    np.testing.assert_allclose(image.array[1, edge:-edge, edge:-edge], 100 * small, atol=1e-12)


def test_components_add_up():
    psf = MoffatPsf(fwhm=4.0)
    disc, bulge = (Sersic(4.0, 1.0, 0.5, 60.0), (80.0, 40.0)), (Sersic(2.0, 4.0, 0.8, 60.0), (20.0, 30.0))
    both = draw_source(source(disc, bulge), [psf, psf], 30)
    apart = [draw_source(source(part), [psf, psf], 30) for part in (disc, bulge)]
    np.testing.assert_allclose(both.array, apart[0].array + apart[1].array, atol=1e-12)


@given(dy=st.integers(-1000, 1000), dx=st.integers(-1000, 1000))
@settings(max_examples=10, deadline=None)
def test_whole_pixels_move_the_box_only(dy, dx):
    psf = MoffatPsf(fwhm=4.0)
    here = draw_source(source((Sersic(3.0), (1.0,)), center=(10.25, 20.5)), [psf], 20)
    there = draw_source(source((Sersic(3.0), (1.0,)), center=(10.25 + dy, 20.5 + dx)), [psf], 20)
    assert there.box == here.box.shift(dy, dx)
    np.testing.assert_allclose(there.array, here.array, atol=1e-12)


@given(y=st.floats(-0.5, 0.49), x=st.floats(-0.5, 0.49), n=st.floats(0.5, 2.0))
@settings(max_examples=20, deadline=None)
def test_flux_and_centre(y, x, n):
    psf = GaussianPsf(1.6)
    image = draw_source(source((Sersic(2.0, n, 0.7, 25.0), (1.0,)), center=(y, x)), [psf], 60)
    rows, columns = (np.arange(s) + o for s, o in zip(image.box.shape, image.box.origin, strict=True))
    stamp = image.array[0]
    assert stamp.sum() == pytest.approx(1, abs=1e-4)
    assert (stamp.sum(axis=1) * rows).sum() == pytest.approx(y, abs=1e-3)
    assert (stamp.sum(axis=0) * columns).sum() == pytest.approx(x, abs=1e-3)


def test_stamps_end_where_the_noise_hides_the_source():
    profile = Sersic(3.0, 4.0)
    noise = np.array([0.1, 0.01])
    radius = stamp_radius(source((profile, (100.0, 50.0))), noise, 0.02, 500)
    at_edge = 50 * profile.brightness(np.array(float(radius)))
    assert at_edge <= 0.02 * 0.01
    assert 50 * profile.brightness(np.array(radius - 1.0)) > 0.02 * 0.01
    assert stamp_radius(source((profile, (100.0, 50.0))), noise, 0.02, 40) == 40
    assert stamp_radius(source((profile, (0.0, -5.0))), noise, 0.02, 40) == 0
