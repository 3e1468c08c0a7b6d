"""The account of a whole patch: parents, isolated objects, sky and masked pixels add up to the image."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.apportion import (
    BandSums,
    LedgerRow,
    apportion,
    check_patch_ledger,
    image_sums,
    parent_sums,
    patch_ledger,
)
from meas_deblend.exceptions import MeasDeblendError
from meas_deblend.geometry import Box, Footprint, Image, Peak
from meas_deblend.image import MaskPlanes, MultibandExposure

SHAPE = (23, 31)
PLANES = MaskPlanes({"BAD": 0, "CR": 3}, bad=("BAD",))


def exposure_of(images, variance=None, mask=None):
    images = np.asarray(images)
    return MultibandExposure(
        bands=tuple("grizy"[: len(images)]),
        images=images,
        variance=np.ones_like(images) if variance is None else variance,
        mask=np.zeros(images.shape, dtype=np.int64) if mask is None else mask,
        psfs=(None,) * len(images),
        mask_planes=PLANES,
    )


def damaged_exposure(rng, bands=2):
    """Noise with a column of NaN, masks, and variances that are 0 or missing."""
    images = rng.normal(0.1, 3, (bands, *SHAPE)).astype(np.float32)
    images[0, :, rng.integers(SHAPE[1])] = np.nan
    images[rng.random(images.shape) < 0.02] = np.inf
    variance = np.ones_like(images)
    variance[rng.random(images.shape) < 0.05] = 0
    variance[rng.random(images.shape) < 0.02] = np.nan
    mask = np.where(rng.random(images.shape) < 0.1, 1, 0) | np.where(rng.random(images.shape) < 0.3, 8, 0)
    return exposure_of(images, variance, mask.astype(np.int64))


def disjoint_footprints(rng, number):
    """Random pixels, each of one parent or of none; parents have one to three peaks."""
    owner = rng.integers(0, number + 2, SHAPE)
    found = []
    for k in range(number):
        if (owner == k).any():
            footprint = Footprint.from_mask(owner == k, (0, 0))
            peaks = tuple(Peak(n, *footprint.box.origin) for n in range(1 + rng.integers(3)))
            found.append(footprint.with_peaks(peaks))
    return found


def shared_out(exposure, footprint, rng):
    """Children of random templates, one per peak, some of which claim only a part of the footprint."""
    box = footprint.box
    cut = (slice(None), *box.slices_in(exposure.box))
    templates = [Image(rng.normal(0.2, 1, (len(exposure.bands), *box.shape)), box) for _ in footprint.peaks]
    return apportion(exposure.images[cut], footprint, templates, exposure.bad[cut], box, bands=exposure.bands)


def account(exposure, footprints, rng):
    rows = rows_of(exposure, footprints, rng)
    return patch_ledger(image_sums(exposure, footprints), sums_of(rows, footprints, exposure.bands))


def rows_of(exposure, footprints, rng):
    """Rows of the ledgers of footprints, which are numbered from 1."""
    shares = [shared_out(exposure, footprint, rng).ledger for footprint in footprints]
    return [replace(row, parent_id=k) for k, rows in enumerate(shares, start=1) for row in rows]


def sums_of(rows, footprints, bands):
    columns = {f.name: [getattr(row, f.name) for row in rows] for f in fields(LedgerRow)}
    isolated = [k for k, footprint in enumerate(footprints, start=1) if len(footprint.peaks) == 1]
    return parent_sums(columns | {"parentObjectId": columns["parent_id"]}, isolated, bands)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), number=st.integers(0, 6))
def test_the_patch_is_accounted_for(seed, number):
    rng = np.random.default_rng(seed)
    exposure = damaged_exposure(rng)
    footprints = disjoint_footprints(rng, number)
    ledger = account(exposure, footprints, rng)
    check_patch_ledger(ledger, 1e-6)
    isolated = np.zeros(SHAPE, dtype=bool)
    held = np.zeros(SHAPE, dtype=bool)
    for footprint in footprints:
        held |= footprint.on(exposure.box)
        if len(footprint.peaks) == 1:
            isolated |= footprint.on(exposure.box)
    for row, image, bad in zip(ledger, exposure.images, exposure.bad, strict=True):
        pixels = np.where(np.isfinite(image), image, 0).astype(float)
        # All sums are of float64, over at most a few hundred pixels.
        close = {"rel": 1e-12, "abs": 1e-12 * np.abs(pixels).sum()}
        assert row.imbalance == pytest.approx(0, **close)
        assert row.image == pytest.approx(pixels.sum(), **close)
        assert row.scale == pytest.approx(np.abs(pixels).sum(), **close)
        assert row.sums.parents == pytest.approx(pixels[held & ~isolated & ~bad].sum(), **close)
        assert row.sums.isolated == pytest.approx(pixels[isolated & ~bad].sum(), **close)
        assert row.sums.sky == pytest.approx(pixels[~held & ~bad].sum(), **close)
        assert row.sums.masked == pytest.approx(pixels[bad].sum(), **close)
        assert row.sums.not_finite == np.count_nonzero(~np.isfinite(image))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_parents_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    exposure = damaged_exposure(rng)
    footprints = disjoint_footprints(rng, 6)
    rows = rows_of(exposure, footprints, rng)
    turned = [rows[k] for k in rng.permutation(len(rows))]
    # Bit by bit: a run with any number of workers writes the same.
    assert sums_of(turned, footprints, exposure.bands) == sums_of(rows, footprints, exposure.bands)


def test_hand_arithmetic():
    images = np.array([[[1, 2, 4, 8], [16, 32, np.nan, 128]]], dtype=np.float32)
    mask = np.zeros(images.shape, dtype=np.int64)
    mask[0, 1, 3] = 1
    exposure = exposure_of(images, mask=mask)
    pair = Footprint.from_box(Box((0, 0), (1, 2))).with_peaks((Peak(0, 0, 0), Peak(1, 0, 1)))
    single = Footprint.from_box(Box((0, 3), (2, 1))).with_peaks((Peak(0, 0, 3),))
    ledger = account(exposure, [pair, single], np.random.default_rng(0))
    # What two children share of a pixel adds up to it but for rounding.
    assert ledger[0].sums.parents == pytest.approx(3, rel=1e-15)
    assert replace(ledger[0].sums, parents=3) == BandSums(parents=3, isolated=8, sky=52, masked=128, not_finite=1)
    assert (ledger[0].band, ledger[0].image, ledger[0].scale) == ("g", 191, 191)


def test_without_parents_all_is_sky_or_masked():
    exposure = damaged_exposure(np.random.default_rng(1), bands=3)
    ledger = account(exposure, (), None)
    check_patch_ledger(ledger, 1e-12)
    assert [(row.sums.parents, row.sums.isolated) for row in ledger] == [(0, 0)] * 3


def test_an_image_without_data_balances():
    ledger = account(exposure_of(np.full((1, 4, 5), np.nan)), (), None)
    check_patch_ledger(ledger, 1e-6)
    assert ledger[0].sums == BandSums(not_finite=20)


def test_a_pixel_that_two_parents_hold_is_found():
    images = np.zeros((2, 10, 12), dtype=np.float32)
    images[:, 4:6, 4:8] = 5
    exposure = exposure_of(images)
    first, second = (Footprint.from_box(Box((4, x), (2, 3))).with_peaks((Peak(0, 4, x),)) for x in (4, 5))
    ledger = account(exposure, [first, second], np.random.default_rng(2))
    assert ledger[1].imbalance == -20
    message = (
        r"the ledger of the patch does not close in band g: parents 0 \+ isolated 60 \+ sky 0 \+ masked 0 differ from "
        r"the image, 40, by -20, more than the tolerance of 1e-06 of Σ\|image\| = 40"
    )
    with pytest.raises(MeasDeblendError, match=message):
        check_patch_ledger(ledger, 1e-6)


def test_a_parent_that_is_left_out_is_found():
    exposure = exposure_of(np.ones((1, 6, 6)))
    footprint = Footprint.from_box(Box((1, 1), (3, 3))).with_peaks((Peak(0, 2, 2),))
    with pytest.raises(MeasDeblendError, match=r"isolated 0 \+ sky 27 .* by 9, more"):
        check_patch_ledger(patch_ledger(image_sums(exposure, [footprint]), sums_of([], (), exposure.bands)), 1e-6)


@pytest.mark.parametrize("worth", [np.nan, 1e308])
def test_sums_that_are_no_numbers_are_refused(worth):
    exposure = exposure_of(np.ones((1, 6, 6)))
    rows = [LedgerRow(k, "g", worth, worth, 0.0, 0.0, 0.0, 0) for k in (1, 2)]
    with pytest.raises(MeasDeblendError, match="does not close in band g: parents nan"):
        check_patch_ledger(patch_ledger(image_sums(exposure, ()), sums_of(rows, (), "g")), 1e-6)


def test_parents_with_other_bands_are_refused():
    image = image_sums(exposure_of(np.ones((2, 6, 6))), ())
    with pytest.raises(ValueError, match="zip"):
        patch_ledger(image, [BandSums()])


def test_large_images_are_added_up_in_stripes():
    rng = np.random.default_rng(5)
    images = rng.normal(0, 1, (1, 700, 9)).astype(np.float32)
    (row,) = image_sums(exposure_of(images), ())
    assert row.image == pytest.approx(images.astype(float).sum(), rel=1e-12)
