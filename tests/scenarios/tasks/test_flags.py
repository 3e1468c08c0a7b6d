"""Flags mean what they say: each is true and false where it was made to be, and follows from what it is about."""

from types import SimpleNamespace

import numpy as np
import pytest
import small_sky

from meas_deblend.geometry import Box
from meas_deblend.measure import MeasureConfig
from meas_deblend.products import FLAVOR_PREFIXES, REASON_FLAGS, REASONS, TABLES, aperture_name, check_table

#: Rows of the objects table: the star that stands alone, the pair, the four in a row. Without deblending the flux of a
#: parent is its brightest peak's, and the others have no model.
STAR, PAIR, FOUR, ALL = (0,), (1, 2), (3, 4, 5, 6), tuple(range(7))
UNMODELLED = (2, 4, 5, 6)
ISOLATED, PAIR_PARENT, FOUR_PARENT = (0,), (1,), (2,)
#: Sky objects come behind all others.
SKY, SKY_PARENTS = (7, 8), (3, 4)

#: flag: (run, band, rows) that it is made true on, and (run, band, rows) that it is made false on.
PARENT_FLAGS = {
    "deblend_parentOnBorder": (("edge", "", (0, 1, 2)), ("default", "", PAIR_PARENT + FOUR_PARENT)),
    "deblend_isolatedParent": (("default", "", ISOLATED), ("default", "", PAIR_PARENT + FOUR_PARENT)),
    "deblend_skipped": (("big", "", FOUR_PARENT), ("big", "", ISOLATED + PAIR_PARENT)),
    "deblend_failed": (("failing", "", (0, 1, 2)), ("default", "", (0, 1, 2))),
    "deblend_tooManyPeaks": (("few", "", FOUR_PARENT), ("big", "", (0, 1, 2))),
    "deblend_parentTooBig": (("big", "", FOUR_PARENT), ("few", "", (0, 1, 2))),
    "deblend_masked": (("masked", "", FOUR_PARENT), ("masked", "", ISOLATED + PAIR_PARENT)),
    "deblend_isPseudo": (("sky", "", SKY_PARENTS), ("sky", "", ISOLATED + PAIR_PARENT + FOUR_PARENT)),
    "deblend_incompleteData": (("damaged", "", (0, 1, 2)), ("default", "", (0, 1, 2))),
    "deblend_blendConvergenceFailedFlag": (("short", "", (0, 1, 2)), ("default", "", (0, 1, 2))),
}
OBJECT_FLAGS = {
    "deblend_skipped": (("big", "", FOUR), ("big", "", STAR + PAIR)),
    "deblend_failed": (("failing", "", ALL), ("default", "", ALL)),
    "deblend_blendConvergenceFailedFlag": (("short", "", ALL), ("default", "", ALL)),
    "deblend_edgePixels": (("default", "", STAR), ("default", "", PAIR + FOUR)),
    "deblend_parentOnBorder": (("default", "", STAR), ("default", "", PAIR + FOUR)),
    "deblend_noModel": (("none", "", UNMODELLED), ("default", "", ALL)),
    "deblend_deblendedAsPsf": (("single_band", "", STAR), ("default", "", ALL)),
    "deblend_rampedTemplate": (("tight", "", (1, 4)), ("single_band", "", ALL)),
    "deblend_patchedTemplate": (("edge", "", (2,)), ("single_band", "", ALL)),
    "deblend_hasStrayFlux": (("stray", "", (1,)), ("single_band", "", ALL)),
    "{band}_deblend_deblendedAsPsf": (("single_band", "r", STAR), ("default", "r", ALL)),
    "deblend_hasMergedPeaks": (("merged", "", (1, 2)), ("merged", "", (0,))),
    # The star is listed twice, and of the pair only the first.
    "deblend_hasStructure": (("hybrid, listed", "", (2,)), ("hybrid, listed", "", STAR + FOUR)),
    "deblend_hasUnlistedNeighbor": (("profiles, listed", "", (2,)), ("profiles, listed", "", STAR + FOUR)),
    "deblend_mergedSource": (("profiles, listed", "", (1,)), ("profiles, listed", "", STAR + PAIR[1:] + FOUR)),
    "merge_peak_sky": (("sky", "", SKY), ("sky", "", ALL)),
    "merge_peak_{band}": (("default", "i", ALL), ("given", "i", ALL)),
    "merge_footprint_{band}": (("default", "r", ALL), ("damaged", "r", FOUR)),
    "{band}_zeroFlux": (("none", "i", UNMODELLED), ("default", "i", ALL)),
    "{band}_modelFlux_flag": (("none", "i", UNMODELLED), ("default", "i", ALL)),
    # Without a PSF in r there is nothing to fit, and no moments of it.
    "{band}_psfShape_flag": (("damaged", "r", ALL), ("damaged", "i", ALL)),
    "{band}_psfInstFlux_flag": (("damaged", "r", ALL), ("default", "r", ALL)),
    "{band}_deconvolved_psfShape_flag": (("single_band", "i", ALL), ("default", "i", ALL)),
    "ellipse_flag": (("blind", "", FOUR), ("default", "", ALL)),
    "convolved_ellipse_flag": (("none", "", UNMODELLED), ("default", "", ALL)),
    "deconvolved_ellipse_flag": (("single_band", "", ALL), ("default", "", ALL)),
    "kronRadius_flag": (("blind", "", FOUR), ("default", "", ALL)),
    "convolved_kronRadius_flag": (("none", "", UNMODELLED), ("default", "", ALL)),
    "deconvolved_kronRadius_flag": (("single_band", "", ALL), ("default", "", ALL)),
}
#: Measured on an object's own pixels, on its model as seen, and on its model without seeing: false on a clean sky, true
#: where the pixels are masked, where there is no model, and where the model is a template as seen.
MEASURED = (
    *(f"{flux}Flux" for flux in ("{aperture}", "ellipse", "kron", "psf", "gaap")),
    *("centroid", "sdssCentroid", "shape", "halfLightRadius", "extendedness"),
)
MADE_TRUE = {
    "": ("blind", "i", FOUR),
    "convolved_": ("none", "i", UNMODELLED),
    "deconvolved_": ("single_band", "i", ALL),
}
OBJECT_FLAGS |= {
    f"{{band}}_{prefix}{name}_flag": (MADE_TRUE[prefix], ("default", "i", ALL))
    for prefix in FLAVOR_PREFIXES.values()
    for name in MEASURED
}
REGISTRY = {("objects", flag): cases for flag, cases in OBJECT_FLAGS.items()}
#: The pair's second, then three of the four.
REGISTRY["merged_peaks", "merge_peak_{band}"] = (("merged", "r", (0, 1, 2, 3)), ("merged in i", "r", (1, 2)))
REGISTRY |= {("parents", flag): cases for flag, cases in PARENT_FLAGS.items()}


@pytest.fixture(scope="module")
def runs(varied):
    return varied.runs


def values(runs, table, flag, case):
    """Values of a flag, apertures one after the other, on some rows of a run."""
    run, band, rows = case
    found = getattr(runs[run].catalogs, table)
    radii = MeasureConfig().aperture_radii if "{aperture}" in flag else (1.0,)
    names = [flag.replace("{band}", band).replace("{aperture}", aperture_name(radius)) for radius in radii]
    return np.array([found[name][list(rows)] for name in names])


def test_every_flag_has_a_sky_that_sets_it_and_one_that_does_not():
    declared = {(name, column.name) for name, table in TABLES.items() for column in table.columns if column.is_flag}
    forced = {key for key in declared if key[0] == "forced"}
    # What a forced position has, an object has too.
    assert {flag for _, flag in forced} <= {flag for table, flag in declared if table == "objects"}
    # Both values of who owns an object are tested with many patches, in tests/scenarios/access/test_patch_run.py.
    owned = {key for key in declared if key[0] == "ownership"}
    assert declared - forced - owned == set(REGISTRY)


@pytest.mark.parametrize(("table", "flag"), REGISTRY)
def test_flag_is_true_and_false_where_it_was_made_to_be(runs, table, flag):
    true, false = REGISTRY[table, flag]
    assert values(runs, table, flag, true).all(), f"{flag} is not set: {true}"
    assert not values(runs, table, flag, false).any(), f"{flag} is set: {false}"


def test_flags_of_forced_positions_follow_those_of_the_object(runs):
    """Near an object, as on it; far from all there is no model, but sky to measure on."""
    forced, objects = runs["forced"].catalogs.forced, runs["default"].catalogs.objects
    (near,) = np.flatnonzero(objects["objectId"] == forced["objectId"][0])
    assert forced["objectId"][1] == 0
    for flag in (column.name for column in TABLES["forced"].columns if column.is_flag):
        for band in small_sky.BANDS:
            name = flag.replace("{band}", band).replace("{aperture}", "ap06")
            assert forced[name][0] == objects[name][near]
            if "convolved_" in name or name.endswith("modelFlux_flag"):
                assert forced[name][1]
            if name.endswith("_psfFlux_flag") and "convolved" not in name:
                assert not forced[name][1]


def test_flags_of_forced_positions_are_true_somewhere_and_false_elsewhere(runs):
    """On an object, far from all, where there is no data, and without a PSF in one band."""
    tables = [runs[name].catalogs.forced for name in ("forced", "forced, damaged", "forced, blind")]
    for flag in (column.name for column in TABLES["forced"].columns if column.is_flag):
        names = [flag.replace("{band}", band).replace("{aperture}", "ap06") for band in small_sky.BANDS]
        seen = {bool(value) for table in tables for name in names for value in table[name]}
        assert seen == {True, False}, flag


def per_object(run):
    """Model, blend, source, child and row of every object."""
    rows = iter(run.catalogs.objects)
    for model, shared in zip(run.parent_models, run.children, strict=True):
        blends = {source.id: blend for blend in model.blends for source in blend.sources}
        for source, child in zip(model.sources, shared.children, strict=True):
            yield SimpleNamespace(model=model, blend=blends[source.id], source=source, child=child, row=next(rows))


def at_edge(child, shape):
    """Whether a child claims a pixel of the outermost rows and columns."""
    claimed = np.zeros(shape, dtype=bool)
    (y0, x0), (y1, x1) = child.box.origin, child.box.stop
    claimed[y0:y1, x0:x1] = ((child.share > 0) | child.masked).any(axis=0)
    return bool(claimed[[0, -1]].any() or claimed[:, [0, -1]].any())


def on_border(footprint, shape):
    """Whether a footprint has a pixel of the outermost rows and columns."""
    held = np.zeros(shape, dtype=bool)
    held[footprint.box.slices_in(Box((0, 0), shape))] = footprint.mask
    return bool(held[[0, -1]].any() or held[:, [0, -1]].any())


def kind(reasoned):
    """Whether what was asked for was tried on a model or a source."""
    return REASONS[reasoned.reason].kind


#: What each flag of deblending says, worked out from models, children and detections.
SAYS = {
    # On a ladder each blend has a reason of its own.
    "deblend_skipped": lambda o, _: kind(o.source if o.source.rung else o.model) == "skipped",
    "deblend_failed": lambda o, _: kind(o.source if o.source.rung else o.model) == "failed",
    "deblend_blendConvergenceFailedFlag": lambda o, _: o.blend.stop_reason not in ("", "converged"),
    "deblend_edgePixels": lambda o, run: at_edge(o.child, run.coadds.box.shape),
    "deblend_parentOnBorder": lambda o, run: on_border(o.model.footprint, run.coadds.box.shape),
    "deblend_noModel": lambda o, _: not o.source.components,
    "merge_peak_{band}": lambda o, _, band: band in o.source.peak.bands,
    "merge_footprint_{band}": lambda o, run, band: band in run.detections.footprint_bands[o.model.id],
    "{band}_zeroFlux": lambda o, run, band: not (o.child.share[run.coadds.bands.index(band)] > 0).any(),
}
PARENT_SAYS = {
    "deblend_isolatedParent": lambda model: len(model.footprint.peaks) == 1,
    "deblend_skipped": lambda model: kind(model) == "skipped",
    "deblend_failed": lambda model: kind(model) == "failed",
    "deblend_incompleteData": lambda model: bool(np.isnan(model.psfs).any()),
    "deblend_blendConvergenceFailedFlag": lambda model: any(
        blend.stop_reason not in ("", "converged") for blend in model.blends
    ),
}


def full_runs(runs):
    return {name: run for name, run in runs.items() if hasattr(run.catalogs, "objects")}


@pytest.fixture(scope="module")
def objects(runs):
    """All objects of each run by its name: rows of tables take their time."""
    return {name: tuple(per_object(run)) for name, run in full_runs(runs).items()}


@pytest.mark.parametrize("flag", SAYS)
def test_flag_of_an_object_follows_from_what_it_is_about(runs, objects, flag):
    seen = set()
    for name, run in full_runs(runs).items():
        for one in objects[name]:
            for band in small_sky.BANDS if "{band}" in flag else (None,):
                expected = SAYS[flag](one, run) if band is None else SAYS[flag](one, run, band)
                assert one.row[flag.replace("{band}", band or "")] == expected, (name, one.source.peak)
                seen.add(expected)
    assert seen == {True, False}


def test_children_and_parents_agree_on_what_lies_on_the_border(runs):
    """All children of a parent say what it says."""
    for run in full_runs(runs).values():
        objects, parents = run.catalogs.objects, run.catalogs.parents
        flags = dict(zip(parents["parentObjectId"], parents["deblend_parentOnBorder"], strict=True))
        own = np.where(objects["parentObjectId"] == 0, objects["objectId"], objects["parentObjectId"])
        assert [flags[parent] for parent in own] == list(objects["deblend_parentOnBorder"])


@pytest.mark.parametrize("flag", PARENT_SAYS)
def test_flag_of_a_parent_follows_from_what_it_is_about(runs, flag):
    seen = set()
    for name, run in full_runs(runs).items():
        for row, model in zip(run.catalogs.parents, run.parent_models, strict=True):
            assert row[flag] == PARENT_SAYS[flag](model), (name, model.id)
            seen.add(bool(row[flag]))
    assert seen == {True, False}


def test_flags_of_reasons_say_what_the_reason_says(runs):
    for run in full_runs(runs).values():
        for flag, reason in REASON_FLAGS.items():
            assert list(run.catalogs.parents[flag]) == [model.reason == reason for model in run.parent_models]


def test_what_is_no_point_source_in_a_band_has_none_of_its_numbers(runs):
    for run in full_runs(runs).values():
        rows = run.catalogs.objects
        for band in small_sky.BANDS:
            is_psf = rows[f"{band}_deblend_deblendedAsPsf"]
            for name in ("psfCenter_x", "psfCenter_y", "psf_instFlux"):
                assert np.array_equal(np.isfinite(rows[f"{band}_deblend_{name}"]), is_psf)
        somewhere = np.any([rows[f"{band}_deblend_deblendedAsPsf"] for band in small_sky.BANDS], axis=0)
        assert np.array_equal(rows["deblend_deblendedAsPsf"], somewhere)


def test_catalogs_of_all_runs_are_as_declared(runs):
    for run in runs.values():
        for name, table in vars(run.catalogs).items():
            check_table(name, table, table.meta["layout"])
