"""Where a PSF is taken from that does not exist everywhere."""

import numpy as np
import pytest

from meas_deblend.detect import evaluate_psfs, exposure_psfs, nearest_psf
from meas_deblend.geometry import Peak
from meas_deblend.image import MultibandExposure, PsfStamp

STAMP = np.ones((3, 3)) / 9


class PsfAt:
    """Exists at some pixels only, and remembers where it was asked for."""

    def __init__(self, *places, everywhere=False):
        self.places, self.everywhere, self.asked = set(places), everywhere, []

    def image(self, y, x):
        self.asked.append((int(y), int(x)))
        if self.everywhere or (int(y), int(x)) in self.places:
            return PsfStamp(STAMP, (int(y), int(x)))
        raise RuntimeError("no input image here")


def exposure(*psfs):
    images = np.zeros((len(psfs), 20, 20), dtype=np.float32)
    return MultibandExposure(tuple("gri"[: len(psfs)]), images, images + 1, images.astype(np.int32), psfs)


def test_a_good_psf_is_found_where_it_is_wanted():
    found = nearest_psf(PsfAt(everywhere=True), (4, 5), [(1, 1)])
    assert (found.place, found.distance, found.trouble) == ((4, 5), 0, "")
    assert np.array_equal(found.stamp, STAMP)


def test_the_nearest_place_that_has_one_is_taken():
    found = nearest_psf(PsfAt((1, 1), (19, 19)), (4, 5), [(19, 19), (1, 1), (3, 5)])
    assert (found.place, found.distance) == ((1, 1), 5)
    assert found.trouble == "RuntimeError at (y, x) = (4, 5): no input image here"


def test_none_is_none():
    for psf in (PsfAt(), None):
        found = nearest_psf(psf, (4, 5), [(1, 1)])
        assert found[:3] == (None, None, None)
        assert found.trouble


@pytest.mark.parametrize("stamp", [np.full((3, 3), np.nan), np.zeros((3, 3)), -STAMP])
def test_what_is_no_psf_is_not_taken(stamp):
    class Broken:
        def image(self, y, x):
            return PsfStamp(stamp, (y, x))

    assert nearest_psf(Broken(), (4, 5)).trouble == "the PSF at (y, x) = (4, 5) is not finite or has no flux"


def test_each_band_is_searched_from_the_middle_and_at_its_own_peaks():
    # What was found for one band does not move the search of the next.
    g, r, i = PsfAt((2, 3)), PsfAt((12, 10), (2, 3)), PsfAt(everywhere=True)
    peaks = [Peak(0, 2, 3, bands=("g",)), Peak(1, 12, 10, bands=("g", "r"))]
    psfs = exposure_psfs(exposure(g, r, i), peaks)
    assert psfs.known.tolist() == [True, True, True]
    assert psfs.warnings == (
        "g: PSF taken at (y, x) = (2, 3) instead of (10, 10): RuntimeError at (y, x) = (10, 10): no input image here",
        "r: PSF taken at (y, x) = (12, 10) instead of (10, 10): RuntimeError at (y, x) = (10, 10): no input image here",
    )
    assert g.asked[0] == r.asked[0] == i.asked[0] == (10, 10)
    assert g.asked[1] == (12, 10)  # the nearest first
    assert (2, 3) not in r.asked
    assert i.asked == [(10, 10)]


def test_bands_without_any_are_left_out():
    psfs = exposure_psfs(exposure(PsfAt(everywhere=True), PsfAt(), None))
    assert psfs.known.tolist() == [True, False, False]
    assert psfs.warnings == (
        "r: no PSF: RuntimeError at (y, x) = (10, 10): no input image here",
        "i: the band has no PSF",
    )
    assert not exposure_psfs(exposure(PsfAt(), None)).known.any()


def test_places_are_tried_in_the_order_given():
    psf = PsfAt((1, 1), (4, 4))
    psfs = evaluate_psfs(exposure(psf), [(9, 9), (1, 1), (4, 4)])
    assert psf.asked == [(9, 9), (1, 1)]
    assert psfs.stamps.shape == (1, 3, 3)
