"""Each finding is reported with its size, and good data give none."""

from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.exceptions import InputError
from meas_deblend.image import GaussianPsf, SanityLimits, check_exposure, checks
from meas_deblend.image.checks import usable_variance

SIGMA = 0.05


def test_a_good_exposure_has_no_findings(exposure):
    assert check_exposure(replace(exposure, mask=np.zeros_like(exposure.mask))) == ()


def single(exposure, image=None, variance=None):
    """The first band alone, with other planes."""
    one = exposure.select(["g"])
    one = replace(one, mask=np.zeros_like(one.mask))
    image = one.images if image is None else image[None]
    return replace(one, images=image, variance=one.variance if variance is None else variance)


@pytest.mark.parametrize("factor", [0.65, 1.0, 1.6])
def test_variances_that_are_a_little_off_pass(exposure, factor):
    assert check_exposure(single(exposure, variance=exposure.variance[:1] * np.float32(factor))) == ()


@pytest.mark.parametrize(
    ("variance", "factor", "hint"),
    [
        (SIGMA, 0.05, "looks like a standard deviation: give it as sigma=FILE"),
        (1 / SIGMA**2, 6e-6, "looks like an inverse variance: give it as weight=FILE"),
        (SIGMA**2 * 4, 0.25, "check its units and its scaling"),
        (SIGMA**2 / 3, 3.0, "check its units and its scaling"),
    ],
)
def test_a_wrong_variance_is_reported_with_its_factor(exposure, variance, factor, hint):
    plane = np.full_like(exposure.variance[:1], variance)
    (note,) = [n for n in check_exposure(single(exposure, variance=plane)) if "variance plane" in n]
    assert note.startswith("band g: the variance of the sky is ")
    assert float(note.split(" is ")[1].split(" times")[0]) == pytest.approx(factor, rel=0.15)
    assert note.endswith(hint)


def test_the_allowed_range_is_the_surveys(exposure):
    limits = SanityLimits(sky_chi2=(1.5, 2.0))
    assert "expected 1.5 … 2;" in check_exposure(single(exposure), limits)[0]


@pytest.mark.parametrize("level", [0.5, -0.5, 30.0])
def test_a_background_is_reported_with_its_level(exposure, sky, level):
    (note,) = check_exposure(single(exposure, sky(level=level * SIGMA)))
    assert note.startswith("band g: the sky lies at ")
    # The median of 2900 pixels is good to 0.03 sigma.
    assert float(note.split(", ")[1].split(" σ")[0]) == pytest.approx(level, abs=0.1)
    assert "read with background='subtract' (command line: --background subtract)" in note


def test_a_background_below_the_limit_passes(exposure, sky):
    large = sky(shape=(300, 300), level=0.05 * SIGMA)
    one = single(exposure)
    one = replace(
        one,
        images=large[None],
        variance=np.full((1, 300, 300), SIGMA**2, np.float32),
        mask=np.zeros((1, 300, 300), np.int32),
    )
    assert check_exposure(one) == ()
    assert len(check_exposure(replace(one, images=one.images + np.float32(0.15 * SIGMA)))) == 1


def test_a_band_without_usable_pixels_is_reported(exposure):
    full = replace(exposure.select(["g"]), mask=np.full_like(exposure.mask[:1], 1 << 8))
    assert check_exposure(full) == ("band g: no pixel is usable: all are masked, or without data or variance",)


def test_a_band_of_nan_is_refused(exposure):
    with pytest.raises(InputError, match="band g: every pixel of the image is NaN or infinite; leave this band out"):
        check_exposure(single(exposure, np.full_like(exposure.images[0], np.nan)))


def large(exposure, image, variance=SIGMA**2):
    """One band with this image (y, x), and the same variance everywhere."""
    planes = {"variance": np.full_like(image[None], variance), "mask": np.zeros(image[None].shape, np.int32)}
    return replace(exposure.select(["g"]), images=image[None], **planes)


def number_after(text, notes):
    """The number that follows a text in the only note that has it."""
    (note,) = [note for note in notes if text in note]
    return float(note.split(text)[1].split()[0])


def judged(monkeypatch, exposure):
    """Findings as they are, and from all pixels."""
    found = check_exposure(exposure)
    with monkeypatch.context() as context:
        context.setattr(checks, "_ENOUGH", np.inf)
        return found, check_exposure(exposure)


LARGE = (1200, 1000)


@pytest.mark.parametrize("level", [0.4, -0.15])
def test_a_large_image_is_judged_by_some_of_its_rows(monkeypatch, exposure, sky, level):
    one = large(exposure, sky(LARGE, level=level * SIGMA), SIGMA**2 / 4)
    some, whole = judged(monkeypatch, one)
    assert some != whole
    # 200 000 values of either: median and scatter are good to 0.003 sigma; the deviation is too small by 2.
    offsets = [number_after(", ", notes[-1:]) for notes in (some, whole)]
    assert offsets == pytest.approx([2 * level] * 2, abs=0.02)
    ratios = [number_after("the variance of the sky is ", notes) for notes in (some, whole)]
    assert ratios == pytest.approx([4.0, 4.0], rel=0.03)
    assert check_exposure(large(exposure, sky(LARGE))) == ()


@pytest.mark.parametrize("shape", [(1000, 1000), (50, 30_000)])
def test_up_to_a_million_pixels_and_in_few_rows_all_are_looked_at(monkeypatch, exposure, sky, shape):
    some, whole = judged(monkeypatch, large(exposure, sky(shape, level=0.2 * SIGMA), SIGMA**2 * 4))
    assert some == whole
    assert len(some) == 1


def test_sources_in_some_of_the_rows_are_no_sky(monkeypatch, exposure, sky):
    image = sky(LARGE)
    stamp = GaussianPsf(2.0).image(0, 0).stamp
    rng = np.random.default_rng(5)
    for y, x in zip(rng.integers(0, 500, 600), rng.integers(0, 900, 600), strict=True):
        image[y : y + len(stamp), x : x + len(stamp)] += 500 * SIGMA * stamp
    assert check_exposure(large(exposure, image)) == ()
    limits = SanityLimits(sky_offset=0.01)
    raised = large(exposure, image + np.float32(0.2 * SIGMA))
    offset = number_after(", ", check_exposure(raised, limits))
    monkeypatch.setattr(checks, "_ENOUGH", np.inf)
    assert offset == pytest.approx(number_after(", ", check_exposure(raised, limits)), abs=0.011)


@pytest.mark.parametrize(
    "usable",
    [
        (slice(None, 600), slice(None)),
        (slice(None), slice(500, None)),
        # Between two of the strips: these show nothing, so that all is looked at.
        (slice(74, 86), slice(None)),
    ],
)
def test_a_large_image_with_data_in_a_part_is_judged(exposure, sky, usable):
    image = np.full(LARGE, np.nan, np.float32)
    image[usable] = sky(LARGE, level=0.5 * SIGMA)[usable]
    (note,) = check_exposure(large(exposure, image))
    assert number_after(", ", [note]) == pytest.approx(0.5, abs=0.03)
    image[usable] = np.nan
    image[0, 0] = 1.0
    (note,) = check_exposure(replace(large(exposure, image), mask=np.full((1, *LARGE), 1 << 8, np.int32)))
    assert note == "band g: no pixel is usable: all are masked, or without data or variance"


def test_variances_of_zero_and_below_become_no_data():
    variance = np.array([[1.0, 0.0, -2.0, np.nan, np.inf]], np.float32)
    repaired, notes = usable_variance(variance, "band g")
    np.testing.assert_array_equal(repaired, np.array([[1.0, np.nan, np.nan, np.nan, np.inf]], np.float32))
    assert repaired.dtype == np.float32
    assert variance[0, 1] == 0.0
    assert notes == ("band g: 2 of 5 pixels have a variance of zero or less; they count as pixels without data",)


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.0, "no pixel has a positive variance; its largest is 0"), (np.nan, "every pixel of the variance is NaN")],
)
def test_a_plane_without_any_variance_is_refused(value, message):
    with pytest.raises(InputError, match=f"band g: {message}"):
        usable_variance(np.full((3, 3), value), "band g")


@pytest.mark.parametrize("name", ["test", "hard", "cosmos", "faint"])
def test_simulated_fields_give_no_false_alarm(data_dir, exposure, name):
    field = np.load(data_dir / "fields" / name / "field_000.npz")
    psf = np.load(data_dir / "fields" / "psf.npz", allow_pickle=True)
    one = exposure.select(["g"])
    for band in (0, 2, 5):
        image = field["image"][band].astype(np.float32)[None]
        made = replace(
            one,
            images=image,
            variance=np.full_like(image, psf["sky"][band]),
            mask=np.zeros(image.shape, np.int32),
        )
        assert check_exposure(made) == ()
