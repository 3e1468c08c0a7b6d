"""Children → catalogs: as declared, right against the truth, and with flags that can be true and false."""

from dataclasses import replace

import numpy as np
import pytest
import small_sky
from made_runs import made_runs

from meas_deblend.apportion import drawn
from meas_deblend.exceptions import MeasDeblendError
from meas_deblend.image import SourceList
from meas_deblend.measure import MeasureConfig
from meas_deblend.measure.blendedness import model_space
from meas_deblend.products import REASON_FLAGS, check_table, flux_factor, unpack_id
from meas_deblend_tasks.apportion import ApportionTask
from meas_deblend_tasks.deblend import (
    MultiBandTask,
    NoDeblendingTask,
)
from meas_deblend_tasks.detect import DetectTask
from meas_deblend_tasks.measure import MeasureTask, MeasureTaskConfig

TABLES = ("objects", "parents", "ledger", "patch_ledger", "flux_covariance", "noise_correlation", "merged_peaks")


def test_tables_are_as_declared(chain):
    for name in TABLES:
        table = getattr(chain.catalogs, name)
        check_table(name, table, table.meta["layout"])
    objects, parents = chain.catalogs.objects, chain.catalogs.parents
    assert len(objects) == sum(small_sky.PEAKS)
    assert list(parents["deblend_nPeaks"]) == list(small_sky.PEAKS)
    assert list(parents["deblend_nChild"]) == [0, 2, 4]
    assert len(chain.catalogs.ledger) == len(parents) * len(small_sky.BANDS)
    assert str(objects["i_psfFlux"].unit) == "nJy"


def test_without_any_parent_the_tables_are_empty_and_complete(chain):
    empty = MeasureTask().run(chain.coadds, chain.detections, (), ())
    for name in ("objects", "parents", "ledger", "flux_covariance"):
        table, full = getattr(empty, name), getattr(chain.catalogs, name)
        assert len(table) == 0
        assert table.colnames == full.colnames
        check_table(name, table, table.meta["layout"])


def test_who_belongs_to_whom(chain):
    objects, models = chain.catalogs.objects, chain.deblended.parent_models
    expected = [
        (source.id, 0 if len(model.sources) == 1 else model.id, source.peak.y, source.peak.x)
        for model in models
        for source in model.sources
    ]
    columns = ("objectId", "parentObjectId", "deblend_peak_center_y", "deblend_peak_center_x")
    assert [tuple(int(row[c]) for c in columns) for row in objects] == expected
    assert {unpack_id(int(i)).tract for i in objects["objectId"]} == {0}
    blends = {blend.id: len(blend.sources) for model in models for blend in model.blends}
    for row in objects:
        assert row["deblend_blendNChild"] == blends[int(row["deblend_blendId"])]


def test_positions_on_the_sky_are_those_of_the_pixels(chain):
    objects = chain.catalogs.objects
    ra, dec = chain.coadds.wcs.all_pix2world(objects["x"], objects["y"], 0)
    assert np.allclose(objects["coord_ra"], ra, rtol=0, atol=1e-9)
    assert np.allclose(objects["coord_dec"], dec, rtol=0, atol=1e-9)
    lost = MeasureTask().run(
        replace(chain.coadds, wcs=None), chain.detections, chain.deblended.parent_models, chain.apportioned.children
    )
    assert np.isnan(lost.objects["coord_ra"]).all()


def test_fluxes_are_right(chain):
    """The star that stands alone, whose flux is known; and sums of pixels against apertures that hold them all."""
    truth = small_sky.sky().truth
    objects = chain.catalogs.objects
    (isolated,) = objects[objects["parentObjectId"] == 0]
    star = int(np.argmin(np.hypot(truth["x"] - isolated["x"], truth["y"] - isolated["y"])))
    assert truth["is_star"][star]
    for band, zeropoint in zip(small_sky.BANDS, chain.coadds.zeropoints, strict=True):
        flux = truth[f"{band}_flux"][star] * flux_factor(zeropoint)
        assert abs(isolated[f"{band}_psfFlux"] - flux) < 5 * isolated[f"{band}_psfFluxErr"]
        assert isolated[f"{band}_modelFlux"] == pytest.approx(flux, rel=0.1)
    centroid = isolated["i_centroid_y"] - truth["y"][star], isolated["i_centroid_x"] - truth["x"][star]
    assert np.hypot(*centroid) < 5 * np.hypot(isolated["i_centroid_xErr"], isolated["i_centroid_yErr"])


def test_apertures_are_those_of_the_settings(chain):
    config = MeasureTaskConfig(measurement=MeasureConfig(aperture_radii=(2.5, 40.0), position="given"))
    wide = MeasureTask(config).run(
        chain.coadds, chain.detections, chain.deblended.parent_models, chain.apportioned.children
    )
    assert {"i_ap02_5Flux", "i_ap40Flux"} <= set(wide.objects.colnames)
    assert "i_ap03Flux" not in wide.objects.colnames
    # All pixels of a child of the pair lie within 40 pixels; around them are sky and noise. Catalog and ledger agree on
    # the unit.
    factor = flux_factor(chain.coadds.zeropoints[0])
    total = chain.apportioned.children[1].children[0].flux[0].sum(dtype=np.float64)
    assert abs(wide.objects["r_ap40Flux"][1] - total * factor) < 5 * wide.objects["r_ap40FluxErr"][1]
    peaks = [source.peak.center for model in chain.deblended.parent_models for source in model.sources]
    assert list(zip(wide.objects["y"], wide.objects["x"], strict=True)) == peaks


def test_names_of_given_sources_are_kept(chain, catalogs_of):
    positions = small_sky.sky().truth
    given = SourceList(positions["y"], positions["x"], tuple(f"mine {k}" for k in range(len(positions["y"]))))
    detections = DetectTask().run(chain.coadds, given).detections
    models = NoDeblendingTask().run(chain.coadds, detections).parent_models
    objects = catalogs_of(chain.coadds, detections, models).objects
    assert sorted(objects["sourceName"]) == sorted(given.names)
    assert not objects["merge_peak_r"].any()


REASONS_OF_SINGLE_BAND = {
    "single_band": ["", "", ""],
    "big": ["", "", "parent_too_big"],
    "few": ["", "", "too_many_peaks"],
    "masked": ["", "", "masked"],
    "chosen": ["", "", "not_selected"],
}


@pytest.fixture(scope="module")
def variants():
    """Catalogs of runs in which something is different."""
    made = made_runs(("limits", "failing", "none", "damaged", *REASONS_OF_SINGLE_BAND))
    return {name: run.catalogs for name, run in made.runs.items()}


def test_skipped_and_failed_follow_from_the_reason(variants):
    limits, failing = variants["limits"], variants["failing"]
    assert list(limits.parents["deblend_reason"]) == ["", "", "too_many_peaks"]
    assert list(limits.parents["deblend_skipped"]) == [False, False, True]
    assert not limits.parents["deblend_failed"].any()
    assert list(limits.objects["deblend_skipped"]) == [False] * 3 + [True] * 4
    assert set(failing.parents["deblend_reason"]) == {"fit_failed"}
    assert failing.parents["deblend_failed"].all()
    assert not failing.parents["deblend_skipped"].any()
    assert all("ZeroDivisionError" in text for text in failing.parents["deblend_message"])
    assert np.isnan(failing.parents["deblend_logL"]).all()


@pytest.mark.parametrize("name", REASONS_OF_SINGLE_BAND)
def test_flags_of_limits_follow_from_the_reason(variants, name):
    parents, objects = variants[name].parents, variants[name].objects
    assert list(parents["deblend_reason"]) == REASONS_OF_SINGLE_BAND[name]
    for flag, reason in REASON_FLAGS.items():
        assert list(parents[flag]) == [r == reason for r in REASONS_OF_SINGLE_BAND[name]]
    assert list(parents["deblend_skipped"]) == [bool(r) for r in REASONS_OF_SINGLE_BAND[name]]
    assert not parents["deblend_failed"].any()
    four = objects[objects["parentObjectId"] == parents["parentObjectId"][-1]]
    # A limit on peaks costs the faintest its model, the other limits all.
    assert four["deblend_noModel"].sum() == {"single_band": 0, "few": 1}.get(name, 4)
    expected = {"single_band": "ok", "few": "degraded"}.get(name, "failed")
    assert list(parents["deblend_outcome"]) == ["ok", "ok", expected]


def test_a_point_source_has_its_fit_in_the_catalog(variants, chain):
    """The star that stands alone is the PSF in both bands: flux in image units, position near the truth."""
    truth, objects = small_sky.sky().truth, variants["single_band"].objects
    (row,) = objects[objects["parentObjectId"] == 0]
    star = int(np.argmin(np.hypot(truth["x"] - row["x"], truth["y"] - row["y"])))
    for band, zeropoint in zip(small_sky.BANDS, chain.coadds.zeropoints, strict=True):
        assert row[f"{band}_deblend_deblendedAsPsf"]
        # The errors of a PSF flux are those of a fit of the flux alone; here sky and position are fitted as well.
        error = row[f"{band}_psfFluxErr"] / flux_factor(zeropoint)
        assert abs(row[f"{band}_deblend_psf_instFlux"] - truth[f"{band}_flux"][star]) < 5 * error
        distance = np.hypot(*(row[f"{band}_deblend_psfCenter_{axis}"] - truth[axis][star] for axis in "xy"))
        assert distance < 5 * np.hypot(row[f"{band}_centroid_xErr"], row[f"{band}_centroid_yErr"])
        assert str(objects[f"{band}_deblend_psf_instFlux"].unit) == str(variants["single_band"].ledger["data"].unit)


def test_what_has_no_model_has_no_flux(variants):
    rows = variants["none"].objects
    lost = rows["deblend_noModel"]
    assert lost.sum() == sum(n - 1 for n in small_sky.PEAKS)
    assert np.array_equal(rows["i_zeroFlux"], lost)
    assert np.isnan(rows["i_modelFlux"][lost]).all()
    assert np.isfinite(rows["i_modelFlux"][~lost]).all()
    # Its place holds noise, as that of its neighbours does for others.
    assert (np.abs(rows["i_psfFlux"][lost]) < 5 * rows["i_psfFluxErr"][lost]).all()
    assert np.isnan(rows["i_convolved_psfFlux"][lost]).all()


def test_a_band_without_psf_is_told(variants):
    rows = variants["damaged"].objects
    assert variants["damaged"].parents["deblend_incompleteData"].all()
    assert rows["r_psfFlux_flag"].all()
    assert not rows["i_psfFlux_flag"][rows["parentObjectId"] == 0].any()


def test_children_and_models_must_match(chain):
    with pytest.raises(ValueError, match="children of 2 parents for models of 3"):
        MeasureTask().run(chain.coadds, chain.detections, chain.deblended.parent_models, chain.apportioned.children[:2])


def test_covariances_belong_to_the_errors_of_the_catalog(chain):
    objects, covariance = chain.catalogs.objects, chain.catalogs.flux_covariance
    row_of = {int(identifier): row for row, identifier in enumerate(objects["objectId"])}
    assert (covariance["a"] <= covariance["b"]).all()
    for row in covariance:
        a, b = row_of[int(row["a"])], row_of[int(row["b"])]
        errors = [objects[f"{row['band']}_psfFluxErr"][k] for k in (a, b)]
        assert abs(row["cov"]) <= errors[0] * errors[1] * (1 + 1e-9)
        if a == b:
            assert row["cov"] == pytest.approx(errors[0] ** 2)
            assert row["modelCov"] == pytest.approx(objects[f"{row['band']}_modelFluxErr"][a] ** 2, rel=1e-5)
    assert len(covariance[covariance["a"] == covariance["b"]]) == len(objects) * len(small_sky.BANDS)
    # Neighbours in a parent take light from each other.
    pair = chain.deblended.parent_models[1]
    off = covariance[(covariance["parent"] == pair.id) & (covariance["a"] != covariance["b"])]
    assert len(off) == len(small_sky.BANDS)
    assert (off["cov"] < 0).all()


def test_fluxes_counts_and_magnitudes_agree(chain):
    objects = chain.catalogs.objects
    for band, zeropoint in zip(small_sky.BANDS, chain.coadds.zeropoints, strict=True):
        counts, flux = objects[f"{band}_psfInstFlux"], objects[f"{band}_psfFlux"]
        np.testing.assert_allclose(flux, counts * flux_factor(zeropoint))
        np.testing.assert_allclose(objects[f"{band}_psfMag"], zeropoint - 2.5 * np.log10(counts), rtol=1e-6)
        relative = objects[f"{band}_psfFluxErr"] / flux
        np.testing.assert_allclose(objects[f"{band}_psfMagErr"], 2.5 / np.log(10) * relative, rtol=1e-5)
        difference = objects[f"{band}_undeblended_psfFlux"] - flux
        np.testing.assert_allclose(objects[f"{band}_undeblended_psfFluxDiff"], difference)
        isolated = objects["parentObjectId"] == 0
        np.testing.assert_allclose(difference[isolated], 0, atol=1e-3 * flux[isolated][0])


def test_noise_is_told_for_every_band_and_lag(chain):
    noise = chain.catalogs.noise_correlation
    lag = MeasureConfig().noise_lag
    assert len(noise) == len(small_sky.BANDS) * (2 * lag + 1) ** 2
    assert (noise["xi"][(noise["dy"] == 0) & (noise["dx"] == 0)] == 1).all()
    assert (np.abs(noise["variance_ratio"] - 1) < 0.15).all()


def test_sizes_tell_stars_from_galaxies(chain):
    truth, objects = small_sky.sky().truth, chain.catalogs.objects
    for row in objects:
        star = truth["is_star"][int(np.argmin(np.hypot(truth["x"] - row["x"], truth["y"] - row["y"])))]
        assert row["i_extendedness"] == pytest.approx(0.0 if star else 1.0, abs=0.05)


def test_the_patch_is_accounted_for(chain):
    """Parents, isolated objects, sky and masked pixels, each added up anew, are the image."""
    inside = {True: np.zeros(chain.coadds.box.shape, bool), False: np.zeros(chain.coadds.box.shape, bool)}
    for model in chain.deblended.parent_models:
        inside[len(model.sources) == 1] |= model.footprint.on(chain.coadds.box)
    assert list(chain.catalogs.patch_ledger["band"]) == list(small_sky.BANDS)
    for row, image in zip(chain.catalogs.patch_ledger, chain.coadds.images.astype(np.float64), strict=True):
        scale = 1e-6 * np.abs(image).sum()
        assert abs(row["image"] - row["parents"] - row["isolated"] - row["sky"] - row["masked"]) < scale
        assert row["isolated"] == pytest.approx(image[inside[True]].sum(), abs=scale)
        assert row["parents"] == pytest.approx(image[inside[False]].sum(), abs=scale)
        assert row["sky"] == pytest.approx(image[~(inside[True] | inside[False])].sum(), abs=scale)
        assert (row["masked"], row["not_finite"]) == (0, 0)


def test_a_patch_that_is_not_accounted_for_is_refused(chain):
    first, second, third = chain.apportioned.children
    # One part in 10⁴ of the image too much, in one band of one parent.
    more = 1e-4 * float(np.abs(chain.coadds.images[0]).sum())
    wrong = (replace(second.ledger[0], children=second.ledger[0].children + more), *second.ledger[1:])
    children = (first, replace(second, ledger=wrong), third)
    arguments = chain.coadds, chain.detections, chain.deblended.parent_models, children
    with pytest.raises(MeasDeblendError, match=r"the ledger of the patch does not close in band r: .* of 1e-06 of Σ"):
        MeasureTask().run(*arguments)
    tolerated = MeasureTask(MeasureTaskConfig(patch_tolerance=1e-3)).run(*arguments)
    assert len(tolerated.patch_ledger) == 2


def test_contamination_agrees_with_the_models(chain, variants):
    """Columns of a child against its own model and that of its blend, drawn anew without convolution."""
    objects = {int(row["objectId"]): row for row in chain.catalogs.objects}
    compared = 0
    for model in map(drawn, chain.deblended.parent_models):
        for blend in model.blends:
            box = model.footprint.box.grow(20)
            cubes = {source.id: model_space(source, 2).project(box).array for source in blend.sources}
            for source in blend.sources:
                own, row = cubes[source.id], objects[source.id]
                others = (sum(cubes.values()) - own) * (own > 0).any(axis=0)
                for k, band in enumerate(small_sky.BANDS):
                    factor = flux_factor(chain.coadds.zeropoints[k])
                    total = float(own[k].sum())
                    flux = float(others[k].sum())
                    close = {"rel": 1e-4, "abs": 1e-6 * total * factor}
                    assert row[f"{band}_deblend_maxOverlap"] == pytest.approx(others[k].max() * factor, **close)
                    assert row[f"{band}_deblend_fluxOverlap"] == pytest.approx(flux * factor, **close)
                    assert row[f"{band}_deblend_fluxOverlapFraction"] == pytest.approx(flux / total, rel=1e-4, abs=1e-6)
                    compared += flux > 0
    assert compared > 0
    # No model, nothing to compare with.
    rows = variants["none"].objects
    lost = rows["deblend_noModel"]
    for name in ("maxOverlap", "fluxOverlap", "fluxOverlapFraction", "blendedness", "chi2", "residualScore"):
        assert np.isnan(rows[f"i_deblend_{name}"][lost]).all()


def test_pixels_that_are_handed_on_are_told(chain, variants):
    for k, band in enumerate(small_sky.BANDS):
        for row, child in zip(
            chain.catalogs.objects, (c for s in chain.apportioned.children for c in s.children), strict=True
        ):
            y, x = row["deblend_peak_center_y"], row["deblend_peak_center_x"]
            heavy = child.heavy(k).to_image()
            y0, x0 = heavy.box.origin
            assert row[f"{band}_deblend_peak_instFlux"] == heavy.array[y - y0, x - x0]
            assert row[f"{band}_deblend_dataCoverage"] == 1
    rows = variants["none"].objects
    lost = rows["deblend_noModel"]
    assert np.isnan(rows["i_deblend_peak_instFlux"][lost]).all()
    assert (rows["i_deblend_dataCoverage"][lost] == 0).all()


def test_bands_that_were_used_are_counted(chain, variants):
    assert (chain.catalogs.objects["deblend_nBands"] == 2).all()
    missing = replace(chain.coadds, psfs=(None, chain.coadds.psfs[1]))
    models = MultiBandTask().run(missing, chain.split_parents).parent_models
    children = ApportionTask().run(missing, models).children
    catalogs = MeasureTask().run(missing, chain.detections, models, children)
    assert (catalogs.objects["deblend_nBands"] == 1).all()
    assert catalogs.parents["deblend_incompleteData"].all()
    masked = variants["masked"]
    failed = masked.parents["parentObjectId"][masked.parents["deblend_outcome"] == "failed"]
    assert set(masked.objects["deblend_nBands"][np.isin(masked.objects["parentObjectId"], failed)]) == {0}


def test_children_know_how_many_they_are(chain):
    assert list(chain.catalogs.objects["deblend_parentNChild"]) == [0, 2, 2, 4, 4, 4, 4]
    assert list(chain.catalogs.objects["deblend_parentNPeaks"]) == [1, 2, 2, 4, 4, 4, 4]
