"""Sources drawn in Fourier space: against the other way of drawing, given fields, and GalSim."""

import sys

import numpy as np
import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.geometry import Box
from meas_deblend.image import GaussianPsf, MoffatPsf
from meas_deblend.simulate import (
    CATSIM_COLUMNS,
    LSST_10Y,
    GalaxyCatalog,
    KolmogorovPsf,
    MoffatTransformPsf,
    PointSource,
    Sersic,
    SimulatedComponent,
    SimulatedSource,
    VaryingPsf,
    disc_and_bulge,
    draw_source,
    light_radius,
    preset,
    render_source,
    render_with_galsim,
)
from meas_deblend.simulate.field import field_psfs

MOFFAT = MoffatTransformPsf(3.8, 2.5)
KOLMOGOROV = KolmogorovPsf(4.05, 0.0771, 0.6266)


def source(*parts, offset=(0.0, 0.0), bands=1, center=(40.3, 60.8)):
    components = [SimulatedComponent(p, (1.0 + k,) * bands) for k, p in enumerate(parts)]
    components[-1] = SimulatedComponent(components[-1].profile, components[-1].flux, offset)
    return SimulatedSource(1, *center, tuple(components))


SOURCES = {
    "star": source(PointSource()),
    "gaussian": source(Sersic(2.5, 0.5, 0.6, 30.0)),
    "disc": source(Sersic(2.5, 1.0, 0.4, 120.0)),
    "n = 2.5": source(Sersic(2.5, 2.5, 0.6, 30.0)),
    "de Vaucouleurs": source(Sersic(2.5, 4.0, 0.6, 30.0)),
    "small and steep": source(Sersic(1.0, 5.5, 0.3, 100.0)),
    "disc and bulge": source(Sersic(4.0, 1.0, 0.4, 100.0), Sersic(1.5, 4.0, 0.8, 20.0)),
    "disc and knot": source(Sersic(4.0, 1.0, 0.4, 100.0), PointSource(), offset=(2.3, -3.1)),
}


@pytest.mark.parametrize("psf", [MOFFAT, KOLMOGOROV, VaryingPsf(KOLMOGOROV, (0.0, 0.0), 100.0)])
@pytest.mark.parametrize("name", SOURCES)
def test_galsim_draws_the_same_to_1e_3_of_the_peak(name, psf):
    pytest.importorskip("galsim", reason="needs the extra sim")
    ours, theirs = render_source(SOURCES[name], [psf], 40), render_with_galsim(SOURCES[name], [psf], 40)
    assert ours.box == theirs.box
    # Measured: 7e-5 at worst; GalSim's own accuracy is set to 1e-4 and better.
    assert np.abs(ours.array - theirs.array).max() < 2e-4 * theirs.array.max()


def test_without_galsim_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "galsim", None)
    with pytest.raises(InputError, match=r"GalSim is not installed: pip install 'meas_deblend\[sim\]'"):
        render_with_galsim(SOURCES["star"], [MOFFAT], 20)


def test_galsim_refuses_other_psfs():
    pytest.importorskip("galsim", reason="needs the extra sim")

    class Other(GaussianPsf):
        def at(self, y, x):
            return self

    with pytest.raises(InputError, match="GalSim draws Moffat and Kolmogorov PSFs, got Other"):
        render_with_galsim(SOURCES["star"], [Other(2.0)], 20)


@pytest.mark.parametrize("name", SOURCES)
def test_both_ways_of_drawing_agree(name):
    ours = render_source(SOURCES[name], [MOFFAT], 30).array
    other = draw_source(SOURCES[name], [MoffatPsf(3.8, 2.5)], 30)
    box = Box((40 - 30, 61 - 30), (61, 61))
    # That one's PSF stamp lacks the 0.5 % of the flux in the outer wings.
    np.testing.assert_allclose(ours, other.project(box).array, atol=1e-3 * ours.max())


def test_a_star_is_the_psf():
    image = render_source(source(PointSource(), bands=2), [KOLMOGOROV, MOFFAT], 30)
    assert image.box == Box((10, 31), (61, 61))
    for plane, psf in zip(image.array, (KOLMOGOROV, MOFFAT), strict=True):
        stamp = psf.image(40.3, 60.8)
        assert stamp.center == (40, 61)
        # The two grids differ in what comes back from outside.
        np.testing.assert_allclose(plane, stamp.stamp, atol=3e-5 * stamp.stamp.max())


def test_a_knot_lies_where_its_offset_says():
    knot = SimulatedSource(1, 40.0, 60.0, (SimulatedComponent(PointSource(), (2.0,), (3.0, -5.0)),))
    image = render_source(knot, [MOFFAT], 40)
    plain = render_source(source(PointSource(), center=(43.0, 55.0)), [MOFFAT], 30)
    there = 2 * plain.array
    np.testing.assert_allclose(image.project(plain.box).array, there, atol=1e-4 * there.max())


def test_a_varying_psf_is_taken_at_the_source():
    varying = VaryingPsf(KOLMOGOROV, (0.0, 0.0), 100.0, width=0.3)
    image = render_source(SOURCES["disc"], [varying], 30)
    np.testing.assert_array_equal(image.array, render_source(SOURCES["disc"], [varying.at(40.3, 60.8)], 30).array)
    assert image.array.max() < render_source(SOURCES["disc"], [KOLMOGOROV], 30).array.max()


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("psf", [MOFFAT, KOLMOGOROV])
def test_little_is_left_outside_of_the_light_radius(name, psf):
    cut = np.array([1e-4])
    radius = light_radius(SOURCES[name], [psf], cut, 200)
    assert 3 <= radius < 120
    wide = render_source(SOURCES[name], [psf], radius + 25).array[0]
    wide[25:-25, 25:-25] = 0
    # The PSF moves light of the profile's edge outwards, so a little more than the cut may be there.
    assert wide.max() < 3 * cut[0]


def test_the_light_radius_is_bounded_and_ignores_dark_bands():
    bright = source(Sersic(20.0, 4.0), bands=2)
    assert light_radius(bright, [MOFFAT, MOFFAT], np.full(2, 1e-9), 77) == 77
    dark = SimulatedSource(1, 5.0, 5.0, (SimulatedComponent(PointSource(), (0.0,)),))
    assert light_radius(dark, [MOFFAT], np.ones(1), 77) == 3


def test_the_galaxies_of_the_given_fields(data_dir):
    field = np.load(data_dir / "fields" / "test" / "field_000.npz")
    names = (*CATSIM_COLUMNS, *(f"{b}_ab" for b in LSST_10Y.names))
    catalog = GalaxyCatalog({k: field[k].astype(float) for k in names}, LSST_10Y.names)
    a, b, theta = catalog.ellipse()
    np.testing.assert_allclose(a, 0.2 * field["a"], rtol=1e-6)
    np.testing.assert_allclose(b, 0.2 * field["b"], rtol=1e-6)
    np.testing.assert_allclose(theta, field["theta"], atol=1e-6)
    psfs = field_psfs(preset("field"))
    for k in range(len(catalog)):
        galaxy = disc_and_bulge(catalog, k, LSST_10Y, (float(field["y"][k]), float(field["x"][k])))
        image = render_source(galaxy, psfs, light_radius(galaxy, psfs, 1e-4 * np.sqrt(LSST_10Y.sky), 150))
        drawn, truth = image.project(Box((0, 0), (205, 205))).array, field["truth"][k]
        difference = np.abs(drawn - truth).max(axis=(1, 2)) / truth.max(axis=(1, 2))
        # Their stamps end where a galaxy is faint, which shows in u, where it is faint everywhere.
        assert difference[1:].max() < 1e-3
        np.testing.assert_allclose(drawn[2].sum(), truth[2].sum(), rtol=4e-3)
