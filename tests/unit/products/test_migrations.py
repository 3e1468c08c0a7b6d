"""Stores of every version can be read, from the files that are kept of each and from JSON."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from synthetic_models import (
    BANDS,
    assert_same_parent,
    make_parametric_parent,
    make_parent,
    make_template_parent,
    with_fits,
)

from meas_deblend.exceptions import CorruptModelError
from meas_deblend.geometry import Box
from meas_deblend.models import PointSourceFit
from meas_deblend.products import ModelStore, StoreMetadata, models_from_json, models_to_json, write_models
from meas_deblend.products import store as store_module
from meas_deblend.products._arrays import array_record, read_pixels
from meas_deblend.products._migrations import READABLE_STORES, migrated
from meas_deblend.products._store_schema import STORE_VERSION
from meas_deblend.products.json_store import _decode, _encode

METADATA = StoreMetadata(
    BANDS, (100, 120), "", (27.0, 27.0, None), "count", {"meas_deblend": "0.1.0"}, {"keep_outside": False}
)
SAMPLES = {
    version: Path(__file__).parents[2] / "data" / f"models-{version}.parquet"
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
}
LABELS = (("full_multi_band", "split"), ("psf_templates", "fit_failed"))
FITS = (PointSourceFit(True, 123.5, (3.25, 3.75)), None, PointSourceFit(False, -2.0, (2.5, 4.5)))


def sample_parents(version=STORE_VERSION):
    """Return what the stored files were made from, with `write_models`.

    1.0.0 had no point-source fits; parametric components and flux covariances came with 1.2.0, rungs with 1.3.0.
    """
    later = [make_parametric_parent(4, (3.25, 4.75), Box((-2, -1), (9, 11)))]
    if version == "1.3.0":
        later.append(with_rungs(make_parent(5, [(25, 35), (20, 45)], seed=2)))
    return [
        make_parent(1, [(25, 35), (20, 45)], seed=1),
        with_fits(make_template_parent(2, (3, 4), Box((-2, -1), (9, 11))), FITS),
        replace(make_parent(3, [(25, 35)]), psfs=np.full((3, 1, 1), np.nan, np.float32), warnings=("g: no PSF",)),
        *(later if version >= "1.2.0" else ()),
    ]


def with_rungs(parent):
    """Return a parent of two sources with their rungs and reasons."""
    (blend,) = parent.blends
    sources = tuple(replace(s, rung=r, reason=w) for s, (r, w) in zip(blend.sources, LABELS, strict=True))
    return replace(parent, blends=(replace(blend, sources=sources),))


@pytest.mark.parametrize("version", SAMPLES)
def test_the_stored_file_of_every_version_is_still_read(version):
    store = ModelStore.open(SAMPLES[version])
    assert store.metadata.bands == BANDS
    later = {"1.2.0": (4,), "1.3.0": (4, 500, 501)}.get(version, ())
    assert store.object_ids() == (100, 101, 2, 3, *later)
    assert {(source.rung, source.reason) for source in store.parent(1).sources} == {("", "")}
    if version >= "1.3.0":
        assert tuple((source.rung, source.reason) for source in store.parent(5).sources) == LABELS
    assert store.owner_of(101) == 1
    assert store.parent(2).outcome == "degraded"
    assert store.parent(2).sources[0].flags == {"deblend_deblendedAsPsf"}
    assert store.parent(2).sources[0].psf_fits == (() if version == "1.0.0" else FITS)
    assert np.isnan(store.parent(3).psfs).all()
    # The seeds' values are stored, too: what numpy draws from a seed may change one day, this file does not.
    first = store.parent(1).sources[0].components[0]
    assert first.morph.shape == (15, 15)
    np.testing.assert_allclose(first.spectrum, [199.34258, 325.35318, 278.4347], rtol=1e-6)
    np.testing.assert_allclose(first.morph.sum(), 1, rtol=1e-6)


def test_there_is_a_stored_file_of_every_version_and_of_no_other():
    assert tuple(SAMPLES) == READABLE_STORES
    for version, path in SAMPLES.items():
        assert json.loads(pq.read_schema(path).metadata[b"meas_deblend"])["version"] == version


def test_old_files_are_read_one_parent_at_a_time(monkeypatch):
    groups = []
    store = ModelStore.open(SAMPLES["1.0.0"])
    real = store_module.check_group
    monkeypatch.setattr(
        store_module, "check_group", lambda places, group, stream: groups.append(group) or real(places, group, stream)
    )
    assert store.parent(3).sources[0].id == 3
    assert sorted(set(groups)) == [0, 1]  # the PSFs, and the group of the three parents


def test_what_an_old_file_holds_is_written_as_the_present_version(tmp_path):
    old = list(ModelStore.open(SAMPLES["1.0.0"]).parents())
    write_models(tmp_path / "m", old, METADATA)
    for parent, again in zip(old, ModelStore.open(tmp_path / "m").parents(), strict=True):
        assert_same_parent(parent, again)
    for parent, newer in zip(old, ModelStore.open(SAMPLES["1.1.0"]).parents(), strict=True):
        assert_same_parent(parent, newer if parent.id != 2 else with_fits(newer, ()))


def test_what_the_present_file_holds_is_what_it_was_made_from():
    for made, read in zip(sample_parents(), ModelStore.open(SAMPLES[STORE_VERSION]).parents(), strict=True):
        if made.id == 4:  # the others hold what numpy draws from a seed
            assert_same_parent(made, read)


def as_version(document, version):
    """Return the JSON document as an older version wrote it."""
    old = copy.deepcopy(document) | {"version": version}
    if version < "1.2.0":
        del old["pixel_error"]
        old["psfs"] = {key: plain(array) for key, array in old["psfs"].items()}
    for parent, blend in [(one, blend) for one in old["parents"] for blend in one["blends"]]:
        if version < "1.2.0":
            del blend["flux_covariance"], blend["psfs"]
        for source in blend["sources"]:
            del source["rung"], source["reason"]
        if version == "1.2.0":
            continue
        for place in (parent["footprint"], blend):
            if isinstance(place["box"], list):
                place["box"] = dict(zip(("y", "x", "height", "width"), place["box"], strict=True))
        for source in blend["sources"]:
            source["peak"] = next(peak for peak in parent["footprint"]["peaks"] if peak["id"] == source["peak"])
            if version == "1.0.0":
                del source["psf_fits"]
            for component in source["components"]:
                del component["parameters"]
                component["box"] = dict(zip(("y", "x", "height", "width"), component["box"], strict=True))
                component["pixels"] = plain(component["pixels"])
    return old


def plain(record):
    """Return pixels as versions before 1.2.0 had them: all bytes, in row-major order."""
    return array_record(read_pixels(record))


def test_json_of_older_versions_is_still_read():
    parents = sample_parents("1.1.0")
    document = json.loads(models_to_json(parents, METADATA), object_hook=_decode)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        old = _encode(as_version(document, version))
        store = models_from_json(json.dumps(old))
        for parent in parents:
            same = parent if parent.id != 2 or version != "1.0.0" else with_fits(parent, ())
            assert_same_parent(store.parent(parent.id), same)
    # What an old store lacks is told as damage.
    old = _encode(as_version(document, "1.0.0"))
    with pytest.raises(CorruptModelError, match=r"damaged: KeyError\('psf_fits'\)"):
        models_from_json(json.dumps(old | {"version": "1.1.0"}))
    del old["parents"][0]["blends"]
    with pytest.raises(CorruptModelError, match=r"the JSON text is damaged: KeyError\('blends'\)"):
        models_from_json(json.dumps(old))


def test_a_step_does_not_change_the_record_it_is_given():
    document = json.loads(models_to_json(sample_parents("1.1.0"), METADATA), object_hook=_decode)
    record = as_version(document, "1.0.0")["parents"][1]
    before = copy.deepcopy(record)
    moved = migrated(record, "1.0.0")
    assert record == before
    assert moved["blends"][0]["sources"][0]["psf_fits"] == []
    assert moved["blends"][0]["flux_covariance"] is None
    assert moved["blends"][0]["psfs"] == []
    assert [moved["blends"][0]["sources"][0][name] for name in ("rung", "reason")] == ["", ""]
    assert migrated(moved, STORE_VERSION) is moved
