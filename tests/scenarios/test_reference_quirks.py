"""What is known to go wrong in pipelines of this kind, one test each: here it does not.

Flags that say the opposite, numbers that are divided twice or never written, pixels that are masked for the fit and
used all the same, settings without effect.
"""

from collections import OrderedDict
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from eight_sources import BANDS, SIGMAS, eight_sources, gaussian

import meas_deblend as md
from meas_deblend.apportion import drawn, model_chi2
from meas_deblend.deblenders import BlendLimits, kernels
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.detect import DeconvolveConfig, SkyObjectsConfig, deconvolve_exposure
from meas_deblend.exceptions import ConfigError
from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure
from meas_deblend.models import BlendModel, ParentModel, SourceModel, TemplateComponent
from meas_deblend.products import TABLES
from meas_deblend.products.rubin import write_rubin_models
from meas_deblend_tasks.detect import DetectTask


def deblend(coadds, **multi_band):
    return md.deblend(coadds, config={"multi_band": multi_band} if multi_band else None)


@pytest.fixture(scope="module")
def coadds():
    return eight_sources()


@pytest.fixture(scope="module")
def result(coadds):
    return deblend(coadds)


def test_1_the_flag_of_convergence_is_not_inverted(coadds, result):
    """True says that a fit did not converge; where nothing was fitted, none failed to."""
    assert not result.parents["deblend_blendConvergenceFailedFlag"].any()
    assert set(result.objects["deblend_stopReason"]) == {"converged"}
    short = deblend(coadds, fit={"max_iter": 2, "min_iter": 1})
    stopped = short.objects["deblend_stopReason"] == "max_iter"
    assert stopped.any()
    assert list(short.objects["deblend_blendConvergenceFailedFlag"]) == list(stopped)
    skipped = deblend(coadds, limits={"max_number_of_peaks": 1}, fit_isolated=False)
    unfitted = skipped.objects["deblend_iterations"] == 0
    assert unfitted.any()
    assert not skipped.objects["deblend_blendConvergenceFailedFlag"][unfitted].any()


def test_2_the_bands_are_divided_by_once():
    """Noise around a perfect model in three bands: 1, where dividing by their number twice gives 1/3."""
    side, box = 100, Box((0, 0), (100, 100))
    truth = np.ones((3, side, side), dtype=np.float32)
    source = SourceModel(1, Peak(0, 50, 50), (TemplateComponent(box, truth),))
    parent = ParentModel(2, Footprint.from_box(box, (source.peak,)), (BlendModel(3, box, (source,)),), truth[:, :1, :1])
    noise = np.random.default_rng(1).standard_normal(truth.shape).astype(np.float32)
    exposure = MultibandExposure(BANDS, truth + noise, np.ones_like(truth), np.zeros(truth.shape, int), (None,) * 3)
    chi2 = model_chi2(exposure, parent)
    assert chi2.parent == pytest.approx(1, abs=0.05)
    assert chi2.sources[0] == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(chi2.parent_bands, 1, atol=0.05)


def test_3_contamination_is_written_for_every_band(result):
    """Each band has its own numbers, and blends have some."""
    children = result.objects[result.objects["parentObjectId"] != 0]
    isolated = result.objects[result.objects["parentObjectId"] == 0]
    for name in ("maxOverlap", "fluxOverlap", "fluxOverlapFraction", "blendedness"):
        columns = np.array([children[f"{band}_deblend_{name}"] for band in BANDS])
        assert np.isfinite(columns).all()
        assert (columns.max(axis=1) > 0).all()
        assert not np.array_equal(columns[0], columns[1])
        for band in BANDS:
            assert isolated[f"{band}_deblend_{name}"][0] == pytest.approx(0, abs=1e-6)


def test_4_a_band_without_psf_makes_data_incomplete(coadds, result):
    missing = deblend(replace(coadds, psfs=(None, *coadds.psfs[1:])))
    assert missing.parents["deblend_incompleteData"].all()
    assert not result.parents["deblend_incompleteData"].any()


def test_5_a_parent_all_of_whose_blends_fail_says_so(coadds, monkeypatch):
    """It is the parent whose row tells, not that of its last blend; all parents have one."""

    def _fail(self, *_, **__):
        raise ZeroDivisionError("made to fail")

    monkeypatch.setattr(BlendFitter, "fit", _fail)
    failed = deblend(coadds)
    assert len(failed.parents) == 4
    assert failed.parents["deblend_failed"].all()
    assert set(failed.parents["deblend_reason"]) == {"fit_failed"}
    assert len(failed.objects) == 8
    assert list(failed.models.store.parent_ids()) == [int(i) for i in failed.parents["parentObjectId"]]


def test_6_sky_objects_do_not_shift_the_peaks_of_others(coadds, result):
    """Every child has its own peak, whatever else is on the patch that is never deblended."""
    sky = SkyObjectsConfig(n_sources=3, source_radius=4).model_dump()
    with_sky = md.deblend(coadds, config={"detect": {"sky_objects": sky}})
    real = with_sky.objects[~np.asarray(with_sky.objects["merge_peak_sky"])]
    assert 0 < len(with_sky.objects) - len(real) <= 3
    for name in ("deblend_peakId", "deblend_peak_center_x", "deblend_peak_center_y", "merge_peak_g"):
        assert list(real[name]) == list(result.objects[name])
    for model in with_sky.parent_models:
        for source in model.sources:
            (row,) = with_sky.objects[with_sky.objects["objectId"] == source.id]
            assert (row["deblend_peak_center_y"], row["deblend_peak_center_x"]) == (source.peak.y, source.peak.x)


def test_7_children_keep_the_bands_of_their_own_peaks(coadds):
    """A point that is seen in i alone, on a disk that is seen in all bands: not the brightest peak's bands."""
    images = coadds.images.copy()
    stamp = gaussian(SIGMAS[2])
    images[2, 40 - 20 : 40 + 21, 70 - 20 : 70 + 21] += 4 * stamp.astype(np.float32)
    result = md.deblend(replace(coadds, images=images))
    near = np.hypot(result.objects["deblend_peak_center_y"] - 40, result.objects["deblend_peak_center_x"] - 70) < 2
    (row,) = result.objects[near]
    assert [bool(row[f"merge_peak_{band}"]) for band in BANDS] == [False, False, True]
    siblings = result.objects[result.objects["parentObjectId"] == row["parentObjectId"]]
    assert len(siblings) > 1
    assert all(siblings[f"merge_footprint_{band}"].all() for band in BANDS)
    assert siblings["merge_peak_g"].any()


@pytest.mark.parametrize("bands", [("r",), ("i", "g")])
def test_9_some_bands_are_those_bands(coadds, bands):
    """One band stays one band, and an order is that order: fluxes belong to their names."""
    whole, part = deblend(coadds), deblend(coadds.select(bands))
    assert (part.objects["deblend_nBands"] == len(bands)).all()
    bright = np.argmax(whole.objects["i_psfFlux"])
    match = np.argmin(
        np.hypot(part.objects["x"] - whole.objects["x"][bright], part.objects["y"] - whole.objects["y"][bright])
    )
    for band in bands:
        assert part.objects[f"{band}_psfFlux"][match] == pytest.approx(
            whole.objects[f"{band}_psfFlux"][bright], rel=0.1
        )


def test_10_nothing_to_do_is_told_not_returned(coadds):
    rng = np.random.default_rng(2)
    empty = replace(coadds, images=rng.normal(0, 0.0144, coadds.images.shape).astype(np.float32))
    result = md.deblend(empty)
    assert len(result.objects) == 0
    assert "nothing detected" in result.reason


def test_11_models_of_an_old_release_keep_their_psfs(data_dir):
    models = md.load_models(data_dir / "models" / "rubin_v29_models.json")
    for number in models.ids:
        bare, seen = (models.source(number).model("r", convolved=convolved).array for convolved in (False, True))
        assert seen.max() < bare.max()


PACKAGES = sorted(
    path.parent.name for path in Path(md.__file__).parent.glob("*/__init__.py") if not path.parent.name.startswith("_")
)


@pytest.mark.parametrize("package", PACKAGES)
def test_12_every_name_that_is_offered_is_there(package):
    module = import_module(f"meas_deblend.{package}")
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None


class Widening:
    """A Gaussian PSF that is wider on the right."""

    def __init__(self, sigma):
        self.sigma = sigma

    def image(self, y, x):
        return ImagePsf(gaussian(self.sigma * (1 + 0.004 * x))).image(y, x)


def test_13_each_parent_has_the_psf_of_its_place(coadds):
    varying = replace(coadds, psfs=tuple(Widening(sigma) for sigma in SIGMAS))
    models = deblend(varying).parent_models
    for model in models:
        _, x = model.footprint.box.center
        peak = gaussian(SIGMAS[1] * (1 + 0.004 * x)).max()
        assert model.psfs[1].max() == pytest.approx(peak, rel=0.03)
    heights = [model.psfs[1].max() for model in models]
    assert max(heights) > 1.3 * min(heights)


class OnRows(Widening):
    """One that is defined at some of the rows only."""

    def image(self, y, x):
        if round(y) not in {15, 40, 12, 25, 32, 16, 70, 85}:
            raise LookupError("no input image here")
        return super().image(y, x)


def test_8_the_search_for_a_psf_of_one_band_does_not_move_the_others(coadds):
    """In g there is one on the rows of peaks alone: it is taken there, those of the others where they always are."""
    psfs = (OnRows(SIGMAS[0]), *(Widening(sigma) for sigma in SIGMAS[1:]))
    result = deblend(replace(coadds, psfs=psfs), psf_tolerance=0.0)
    assert not result.parents["deblend_incompleteData"].any()
    heights = np.array([model.psfs.max(axis=(1, 2)) for model in result.parent_models])
    middles = [round(model.footprint.box.center[1]) for model in result.parent_models]
    there = np.array([[gaussian(sigma * (1 + 0.004 * x)).max() for sigma in SIGMAS] for x in middles])
    np.testing.assert_allclose(heights[:, 1:], there[:, 1:], rtol=1e-6)
    assert np.abs(heights[:, 0] / there[:, 0] - 1).max() > 0.01
    # It has no PSF flux in g where an object's centre is on another row, nor does the run end there.
    assert len(result.objects) == 8
    assert not result.objects["r_psfFlux_flag"].any()


def test_14_pixels_that_are_masked_for_the_fit_are_nobodys(coadds, result):
    """A cosmic ray beside a peak, masked: nobody receives it, and the ledger lists it as masked."""
    images, mask = coadds.images.copy(), coadds.mask.copy()
    images[1, 42, 20] = 1e4
    mask[1, 42, 20] = 1
    hit = deblend(replace(coadds, images=images, mask=mask))
    (row,) = hit.objects[(hit.objects["deblend_peak_center_y"] == 40) & (hit.objects["deblend_peak_center_x"] == 20)]
    (clean,) = result.objects[
        (result.objects["deblend_peak_center_y"] == 40) & (result.objects["deblend_peak_center_x"] == 20)
    ]
    assert row["r_psfFlux"] == pytest.approx(clean["r_psfFlux"], rel=0.1)
    for shared in hit.children:
        assert all(np.abs(child.flux).max(initial=0) < 100 for child in shared.children)
    ledger = hit.ledger[(hit.ledger["parentObjectId"] == row["parentObjectId"]) & (hit.ledger["band"] == "r")]
    assert ledger["masked"][0] == pytest.approx(1e4, rel=1e-6)
    assert hit.patch_ledger["masked"][1] == pytest.approx(1e4, rel=1e-6)


def test_15_the_deconvolution_does_not_see_what_is_masked(coadds):
    """Nor does it take what is left of a masked pixel for light: the next ones stay what they were."""
    images, mask = coadds.images.copy(), coadds.mask.copy()
    images[1, 42, 20] = 1e4
    hit, mask[1, 42, 20] = replace(coadds, images=images), 1
    parents = DetectTask().run(coadds).detections.parents
    clean, seen, masked = (
        deconvolve_exposure(exposure, parents, DeconvolveConfig()).detect_image.array
        for exposure in (coadds, hit, replace(hit, mask=mask))
    )
    assert np.abs(seen - clean).max() > 100
    # The pixel itself is known from its neighbours alone, which are a PSF of 1.2 px away.
    assert np.abs(masked - clean).max() < 0.2 * clean.max()


def test_16_blends_that_are_not_fitted_have_children(coadds):
    limited = deblend(coadds, limits={"max_number_of_peaks": 1})
    assert len(limited.objects) == 8
    assert (limited.parents["deblend_nChild"][limited.parents["deblend_nPeaks"] > 1] > 1).all()
    assert not limited.objects["deblend_noModel"].any()


def test_17_models_are_stored_in_a_fraction_of_their_text(result, tmp_path):
    """The archive of Rubin's pipelines holds each pixel as text."""
    store, archive = result.models.store, tmp_path / "models.scarlet"
    result.models.write(tmp_path / "models.parquet")
    write_rubin_models(archive, [drawn(parent) for parent in store.parents()], store.metadata)
    assert (tmp_path / "models.parquet").stat().st_size < archive.stat().st_size / 3


def test_18_parents_are_deblended_at_once_and_share_their_kernels(coadds, result, monkeypatch):
    """Whichever process does which; and kernels of PSFs that are the same everywhere are made once for all parents."""
    parallel = md.deblend(coadds, jobs=2)
    for name in result.objects.colnames:
        assert np.asarray(parallel.objects[name]).tobytes() == np.asarray(result.objects[name]).tobytes()
    # Afresh: those of earlier runs are kept.
    made = OrderedDict()
    monkeypatch.setattr(kernels, "_KERNELS", made)
    monkeypatch.setattr(kernels, "_OF_SAME", OrderedDict())
    assert len(deblend(coadds).parents) == 4
    assert len(made) == 1


def test_19_models_and_their_description_have_the_same_bands(coadds):
    """Also where a band has no PSF: isolated objects are no exception."""
    result = deblend(replace(coadds, psfs=(None, *coadds.psfs[1:])))
    store = result.models.store
    assert store.metadata.bands == BANDS
    for parent in store.parents():
        assert len(parent.psfs) == len(BANDS)
        for source in parent.sources:
            assert all(len(component.spectrum) == len(BANDS) for component in source.components)


@pytest.mark.parametrize(
    "name", ["morph_thresh", "save_templates", "max_prox_iter", "wavelet_scales", "stats_mask", "measure_parents"]
)
def test_20_settings_without_effect_do_not_exist(coadds, name):
    with pytest.raises(ConfigError, match=rf"(?s)unknown.*{name}|{name}.*unknown"):
        deblend(coadds, **{name: 1})


def test_21_limits_on_masks_count_a_pixel_that_is_masked_in_any_band():
    mask = np.zeros((2, 10, 10), dtype=np.int64)
    mask[0, :1], mask[1, 1:2] = 1, 1
    ones = np.ones((2, 10, 10))
    planes = MaskPlanes({"BAD": 0}, bad=("BAD",))
    exposure = MultibandExposure(("g", "r"), ones, ones, mask, (None, None), planes)
    blend = Footprint.from_box(Box((0, 0), (10, 10)), (Peak(0, 5, 5),))
    # A tenth is masked in each band, a fifth in one of them.
    assert BlendLimits(mask_limits={"BAD": 0.15}).exceeded(exposure, blend)[0] == "masked"
    assert BlendLimits(mask_limits={"BAD": 0.2}).exceeded(exposure, blend)[0] == ""


def test_22_the_flux_of_a_model_has_one_name():
    names = {column.name for column in TABLES["objects"].columns}
    assert "{band}_modelFlux" in names
    assert not any("scarletFlux" in name for name in names)
