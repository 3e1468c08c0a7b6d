"""The rule by which the model PSF and the floor of the kernels are chosen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.scarlet import (
    difference_kernels,
    full_convolution,
    is_undersampled,
    match_psfs,
    matched_kernels,
    model_psf,
)
from meas_deblend.scarlet.matching import MISMATCH, RINGING


def moffat(fwhm, beta, size=41):
    """Moffat profile integrated over pixels by 7 × 7 subpixels, normalised to a sum of 1."""
    fine = (np.arange(size * 7) - (size * 7 - 1) / 2) / 7
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
    profile = (1 + (fine[:, None] ** 2 + fine**2) / alpha**2) ** -beta
    stamp = profile.reshape(size, 7, size, 7).sum(axis=(1, 3))
    return stamp / stamp.sum()


def test_broad_psfs_keep_the_usual_model_psf():
    match = match_psfs(np.stack([moffat(fwhm, 3.0) for fwhm in (3.5, 4.0, 5.0)]))
    assert match.sigma == 0.8
    assert match.meets_rule
    assert (match.mismatch <= MISMATCH).all()
    assert (match.ringing <= RINGING).all()


def test_narrow_psfs_get_a_narrower_model_psf():
    psfs = model_psf(0.95, 41)[None]
    at_the_usual = match_psfs(psfs, sigma=0.8)
    chosen = match_psfs(psfs)
    assert not at_the_usual.meets_rule
    assert chosen.sigma < 0.8
    assert chosen.ringing[0] < at_the_usual.ringing[0]


def test_what_is_given_is_not_changed():
    psfs = model_psf(0.95, 41)[None]
    match = match_psfs(psfs, sigma=0.8, floor=0.0)
    assert (match.sigma, match.floor) == (0.8, 0.0)
    kernels = matched_kernels(psfs, sigma=0.8, floor=0.0)
    assert np.array_equal(kernels.stamps, difference_kernels(psfs, model_psf(0.8)))


@settings(deadline=None, max_examples=25)
@given(
    fwhm=st.floats(2.2, 6), beta=st.floats(2.2, 6), noise=st.sampled_from([0.0, 1e-5, 1e-4]), seed=st.integers(0, 99)
)
def test_kernels_keep_the_flux_and_do_what_the_match_says(fwhm, beta, noise, seed):
    psf = moffat(fwhm, beta)
    psf = psf + np.random.default_rng(seed).normal(0, noise * psf.max(), psf.shape)
    match, kernels = match_psfs(psf[None]), matched_kernels(psf[None])
    assert kernels.floor == match.floor
    assert kernels.stamps.sum() == pytest.approx(psf.sum() / kernels.model_psf.sum(), rel=1e-4)
    again = full_convolution(kernels.model_psf, kernels)[0, 7:-7, 7:-7][14:-14, 14:-14]
    middle = psf[14:-14, 14:-14]
    # Measured here on the middle alone, so it cannot exceed what was found on the whole stamp.
    assert np.abs(again - middle).max() / psf.max() <= match.mismatch[0] + 1e-12


def test_real_psfs_meet_the_rule(data_dir):
    psfs = np.load(data_dir / "bench" / "a_cosmos35.npz")["psfs"]
    exact, chosen = match_psfs(psfs, sigma=0.8, floor=0.0), match_psfs(psfs)
    # The exact ratio rings by 1.8 % in the bands with the sharpest structure.
    assert exact.ringing.max() == pytest.approx(0.0176, abs=5e-4)
    assert chosen.meets_rule
    assert chosen.sigma == 0.8


def test_bands_without_a_psf_are_left_out():
    psfs = np.stack([moffat(4.0, 3.0), np.full((41, 41), np.nan)])
    match = match_psfs(psfs)
    assert match.meets_rule
    assert np.isnan(match.mismatch[1])
    assert np.isnan(match.ringing[1])
    kernels = matched_kernels(psfs)
    assert kernels.known.tolist() == [True, False]
    assert not kernels.stamps[1].any()
    assert match_psfs(psfs[1:]).sigma == 0.8
    assert "model PSF of 0.80 px" in str(match)


def test_under_sampled_psfs_are_recognised():
    sigmas = (0.5, 0.7, 0.9, 1.5)
    psfs = np.stack([model_psf(sigma, 21) for sigma in sigmas])
    assert is_undersampled(psfs).tolist() == [True, True, False, False]
    assert is_undersampled(np.full((1, 5, 5), np.nan)).tolist() == [False]
