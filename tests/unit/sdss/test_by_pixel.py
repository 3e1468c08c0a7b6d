"""The deblender against itself written as loops over pixels."""

import numpy as np
import pytest
from single_band_by_pixel import deblend_by_pixel

from meas_deblend.sdss import SingleBandConfig, TemplateConfig, deblend_parent


@pytest.fixture(scope="module")
def crowd(sky):
    """Galaxies and stars in noise, one at the border, and a footprint with holes."""
    rng = np.random.default_rng(11)
    shape, psf = (34, 40), sky.GaussianPsf(1.6, 17)
    peaks = [(16, 12), (17, 21), (8, 33), (27, 31), (28, 9), (2, 20)]
    image = rng.normal(size=shape)
    for k, (y, x) in enumerate(peaks):
        if k in (2, 4):
            image += sky.star(150, y + 0.2, x - 0.3, psf, shape)
        else:
            image += (300 - 40 * k) * sky.gaussian(shape, y, x, 2.2 + 0.4 * k)
    footprint = image > 1.0
    footprint[tuple(np.transpose(peaks))] = True
    return image, np.ones(shape), psf, peaks, footprint


@pytest.mark.parametrize(
    "config",
    [
        SingleBandConfig(),
        SingleBandConfig.core(),
        SingleBandConfig.core(fit_psfs=False, stray_flux_to_point_sources="always", clip_stray_flux_fraction=0.1),
        TemplateConfig(edge_handling="ramp", stray_flux_rule="r-to-peak", median_smooth_template=False),
        TemplateConfig(edge_handling="clip", monotonic_template=False, clip_footprint_to_nonzero=False),
        TemplateConfig(edge_handling="clip", median_filter_halfsize=1, psf_chisq1=0, psf_chisq2b=5),
    ],
    ids=["task", "core", "core, no psfs", "ramp, no median", "clip, not monotone", "other cuts"],
)
def test_arrays_and_loops_agree(crowd, config):
    image, variance, psf, peaks, footprint = crowd
    kwargs = {"sigma1": 1.0, "fwhm": 2.35 * psf.sigma}
    expected = deblend_by_pixel(image, variance, psf, peaks, footprint, config, **kwargs)
    result = deblend_parent(
        image, variance, psf, peaks, footprint=footprint, psf_fwhm=kwargs["fwhm"], sigma1=1.0, config=config
    )
    assert any(c.is_psf for c in result.children) == config.fit_psfs
    assert not all(c.is_psf for c in result.children)
    for k, child in enumerate(result.children):
        assert child.status == "ok"
        np.testing.assert_allclose(child.flux, expected[k], rtol=1e-9, atol=1e-9)
