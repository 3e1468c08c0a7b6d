"""Who gets the flux that no template covers."""

import numpy as np
import pytest

from meas_deblend.geometry import Footprint
from meas_deblend.sdss import SingleBandConfig, deblend_parent
from meas_deblend.sdss.stray import stray_shares

PIXEL = np.array([[0, 3]])
PEAKS = np.array([[0, 0], [0, 4]])


def row(*columns):
    mask = np.zeros((1, 5), dtype=bool)
    mask[0, list(columns)] = True
    return Footprint.from_mask(mask)


EXTENDED, POINT, EMPTY = row(0, 1), row(4), row()


def split(rule, policy="necessary", is_psf=(False, True), clip=0.001, footprints=(EXTENDED, POINT)):
    config = SingleBandConfig(stray_flux_rule=rule, stray_flux_to_point_sources=policy, clip_stray_flux_fraction=clip)
    return (10 * stray_shares(PIXEL, PEAKS, footprints, np.array(is_psf), config)[:, 0]).tolist()


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"rule": "r-to-peak"}, [10, 0]),
        ({"rule": "r-to-peak", "policy": "never"}, [10, 0]),
        ({"rule": "r-to-peak", "policy": "always"}, [10 / 6, 50 / 6]),
        ({"rule": "r-to-peak", "policy": "always", "clip": 0.2}, [0, 10]),
        ({"rule": "r-to-peak", "is_psf": (True, True)}, [10 / 6, 50 / 6]),
        ({"rule": "r-to-peak", "is_psf": (True, True), "policy": "always"}, [10 / 6, 50 / 6]),
        ({"rule": "r-to-peak", "is_psf": (True, True), "policy": "never"}, [0, 0]),
        ({"rule": "r-to-footprint", "policy": "always"}, [10 * 0.2 / 0.7, 10 * 0.5 / 0.7]),
        ({"rule": "nearest-footprint", "policy": "always"}, [0, 10]),
        ({"rule": "nearest-footprint"}, [10, 0]),
        ({"rule": "nearest-footprint", "is_psf": (True, True)}, [0, 10]),
        ({"rule": "nearest-footprint", "policy": "always", "footprints": (EMPTY, EMPTY)}, [0, 0]),
        ({"rule": "r-to-footprint", "policy": "always", "footprints": (EMPTY, POINT)}, [0, 10]),
    ],
)
def test_rules_and_policies(kwargs, expected):
    np.testing.assert_allclose(split(**kwargs), expected, rtol=1e-12)


def two_spikes():
    """Flat line of light with a bright pixel at either end."""
    image = np.zeros((1, 100))
    image[0, 1:99] = 10
    image[0, [1, 98]] = 20
    return image


def test_profile_of_stray_flux_in_one_dimension():
    image = two_spikes()
    config = SingleBandConfig.core().model_copy(update={"fit_psfs": False})
    result = deblend_parent(image, np.ones_like(image), None, [(0, 1), (0, 98)], footprint=image >= 5, config=config)
    left, right = (c.stray[0] for c in result.children)
    expected = {
        2: 10, 3: 10, 4: 9.988697, 5: 9.980385, 10: 9.895234, 25: 9.023193, 40: 6.885615, 49: 5.103038,
        50: 4.896962, 75: 0.882304, 94: 0.019615, 95: 0.011303, 96: 0, 97: 0,
    }  # fmt: skip
    np.testing.assert_allclose(left[list(expected)], list(expected.values()), atol=1e-6)
    np.testing.assert_allclose(right, left[::-1], atol=1e-12)
    np.testing.assert_allclose((left + right)[2:98], 10, rtol=1e-12)
    assert not (left + right)[[0, 1, 98, 99]].any()
    np.testing.assert_allclose([c.flux.sum() for c in result.children], 500, rtol=1e-12)
    assert all("has_stray_flux" in c.flags for c in result.children)


@pytest.mark.parametrize("options", [{"stray_flux_rule": "trim"}, {"assign_stray_flux": False}])
def test_stray_flux_may_be_left_to_nobody(options):
    image = two_spikes()
    config = SingleBandConfig.core().model_copy(update={"fit_psfs": False, **options})
    result = deblend_parent(image, np.ones_like(image), None, [(0, 1), (0, 98)], footprint=image >= 5, config=config)
    np.testing.assert_allclose([c.flux.sum() for c in result.children], 20)
    assert result.unassigned.sum() == 960
    assert not any("has_stray_flux" in c.flags for c in result.children)
    trimmed = options.get("stray_flux_rule") == "trim"
    assert result.footprint.sum() == (2 if trimmed else 98)


@pytest.mark.parametrize("smooth", [False, True])
def test_light_at_the_mirror_of_a_hole_is_kept(smooth):
    y, x = np.mgrid[:21, :21]
    image = 100 - np.hypot(y - 10, x - 10)
    footprint = np.ones((21, 21), dtype=bool)
    footprint[10, 5] = False
    config = SingleBandConfig.core().model_copy(update={"fit_psfs": False, "median_smooth_template": smooth})
    result = deblend_parent(image, np.ones_like(image), None, [(10, 10)], footprint=footprint, config=config)
    assert result.children[0].flux[10, 15] == 95
    assert result.children[0].flux[10, 5] == 0
    np.testing.assert_allclose(result.children[0].flux[footprint], image[footprint], rtol=1e-12)
