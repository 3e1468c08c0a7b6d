"""Points and profiles are drawn as the fit draws them."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_models import gaussian, make_parametric_parent

from meas_deblend.apportion import pixels_of, render_templates
from meas_deblend.exceptions import ModelError
from meas_deblend.geometry import Box
from meas_deblend.models import FactorizedComponent, PointComponent, ProfileComponent, model_flux
from meas_deblend.scarlet.kernels import model_psf

BOX = Box((-20, -10), (61, 63))
SPECTRUM = np.array([1, 2, 4], dtype=np.float32)
PSF = model_psf(0.8)


def moments(image, box):
    y, x = np.mgrid[: box.shape[0], : box.shape[1]]
    total = image.sum(dtype=np.float64)
    return (y * image).sum() / total + box.origin[0], (x * image).sum() / total + box.origin[1]


@pytest.mark.parametrize(
    "component",
    [
        PointComponent(BOX, SPECTRUM, (10.25, 20.625)),
        ProfileComponent(BOX, SPECTRUM, (10.25, 20.625), 2.5, (0.2, 0.1), 1.0),
    ],
)
def test_drawn_components_have_unit_flux_at_their_centre(component):
    drawn = pixels_of(component, PSF)
    assert isinstance(drawn, FactorizedComponent)
    assert (drawn.box, drawn.morph.dtype, drawn.morph.shape) == (BOX, np.float32, BOX.shape)
    # An exponential of 2.5 px leaves less than 1e-4 of its flux outside this box; the point nothing.
    assert drawn.morph.sum(dtype=np.float64) == pytest.approx(1, abs=2e-4)
    np.testing.assert_allclose(moments(drawn.morph, BOX), (10.25, 20.625), atol=2e-3)
    np.testing.assert_array_equal(drawn.spectrum, SPECTRUM)


def test_half_of_a_profile_lies_within_its_radius():
    # Large against the model PSF, so that this hardly widens it: it moves the half-light radius by below 2 %.
    drawn = pixels_of(ProfileComponent(Box((0, 0), (201, 201)), SPECTRUM, (100.0, 100.0), 12.0, (0.0, 0.0), 1.0), PSF)
    y, x = np.mgrid[:201, :201]
    inside = np.hypot(y - 100, x - 100) <= 12
    assert drawn.morph[inside].sum() == pytest.approx(0.5, abs=0.02)


def test_pixels_stay_as_they_are():
    component = FactorizedComponent(BOX, SPECTRUM, np.zeros(BOX.shape, np.float32))
    assert pixels_of(component, None) is component


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(ModelError, match="the model PSF, which is missing"):
        pixels_of(PointComponent(BOX, SPECTRUM, (1.0, 1.0)), None)
    with pytest.raises(ModelError, match="half-light radius must be > 0"):
        pixels_of(ProfileComponent(BOX, SPECTRUM, (1.0, 1.0), -1.0), PSF)


def test_templates_and_fluxes_of_parametric_sources():
    parent = make_parametric_parent(4, (3.25, 4.75), Box((-12, -11), (31, 33)))
    parent = replace(parent, model_psf=gaussian((15, 15), (7, 7), 0.9))
    (template,) = render_templates(parent, parent.footprint.box)
    assert template.array.shape == (3, 31, 33)
    # Total fluxes: 100 + 300, 200 + 200 and 300 + 100, less what lies outside the footprint.
    np.testing.assert_allclose(template.array.sum(axis=(1, 2)), 400, rtol=0.02)
    assert [model_flux(parent.sources[0], band) for band in range(3)] == [400, 400, 400]
