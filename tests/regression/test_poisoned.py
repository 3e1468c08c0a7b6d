"""A field with all that goes wrong, through the whole chain: it finishes, nobody is lost, the account closes."""

import numpy as np
import pytest
from promises import assert_catalog_is_finite_or_flagged, assert_ledger_closes, assert_nobody_is_lost

import meas_deblend as md
from meas_deblend.products import REASONS
from meas_deblend.simulate import preset, simulate_field

SIDE = 200


@pytest.fixture(scope="module")
def field():
    """All defects of the preset on a small image: the giant and the cluster are smaller, the densities higher."""
    small = {"shape": (SIDE, SIDE), "giant_radius": 2.5, "cluster_members": 30, "cluster_spacing": 7.0}
    return simulate_field(preset("poisoned", galaxy_density=60.0, seed=5, **small))


@pytest.fixture(scope="module")
def result(field):
    return md.deblend(field.exposure)


def test_everything_is_wrong_with_it(field):
    assert {defect.kind for defect in field.defects} == {
        "saturated", "bleed", "nan_columns", "missing", "variance_scaled", "variance_zero", "psf_missing",
    }  # fmt: skip
    assert field.exposure.bad.any(axis=(1, 2)).sum() >= 4


def test_nobody_is_lost(result):
    assert_nobody_is_lost(result)
    assert_catalog_is_finite_or_flagged(result)


def test_the_cluster_is_one_parent_of_many_peaks(result):
    assert max(result.parents["deblend_nPeaks"]) >= 10


def test_every_account_closes(field, result):
    assert_ledger_closes(result, field.exposure)


def test_reasons_are_there_and_right(field, result):
    parents = result.parents
    for outcome, reason in zip(parents["deblend_outcome"], parents["deblend_reason"], strict=True):
        assert reason in REASONS
        assert (outcome == "ok") == (reason == "")
    # One band has no PSF anywhere, so the data of every parent are incomplete.
    assert all(parents["deblend_incompleteData"])


def test_nothing_is_measured_without_a_psf(field, result):
    without = next(band for band, psf in zip(field.exposure.bands, field.exposure.psfs, strict=True) if psf is None)
    assert all(result.objects[f"{without}_psfFlux_flag"])
    assert not np.isfinite(np.ma.filled(result.objects[f"{without}_psfFlux"], np.nan)).any()
