"""Models of Rubin's pipelines: read in every layout, written in one, and nothing else taken for them."""

import json
import zipfile
from contextlib import suppress
from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_models import (
    BANDS,
    assert_same_parent,
    gaussian,
    make_parametric_parent,
    make_parent,
    make_template_parent,
    psf_cube,
    with_fits,
)

from meas_deblend.access import Models
from meas_deblend.exceptions import ModelError
from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.models import (
    BlendModel,
    FactorizedComponent,
    ParentModel,
    PointSourceFit,
    SourceModel,
    TemplateComponent,
)
from meas_deblend.products import StoreMetadata
from meas_deblend.products.rubin import is_rubin_file, read_rubin_models, rubin_version, write_rubin_models

METADATA = StoreMetadata(BANDS, (100, 120), "", (27.0, 27.0, None), "nJy", {"meas_deblend": "0.1.0"}, {})


def component(origin=(3, 4), shape=(5, 6), n_bands=3, peak=(5, 6), seed=1):
    rng = np.random.default_rng(seed)
    return {
        "component_type": "factorized",
        "version": "1.0.0",
        "origin": list(origin),
        "shape": list(shape),
        "peak": list(peak),
        "spectrum": rng.random(n_bands).tolist(),
        "morph": rng.random(shape[0] * shape[1]).tolist(),
    }


def blend(sources, origin=(2, 3), shape=(8, 9)):
    return {
        "blend_type": "blend",
        "version": "1.0.0",
        "origin": list(origin),
        "shape": list(shape),
        "sources": sources,
    }


def source(number, components, peak_id=0):
    return {
        "source_type": "source",
        "version": "1.0.0",
        "components": components,
        "metadata": {"id": number, "peak_id": peak_id},
    }


def arrays(**given):
    out = {"array_keys": list(given)}
    for name, array in given.items():
        out |= {name: array.ravel().tolist(), f"{name}_shape": list(array.shape), f"{name}_dtype": str(array.dtype)}
    return out


def model(blends=None, isolated=None):
    """A model as the pipelines write it in 2026: one hierarchical blend of two sub-blends, and an isolated source."""
    spans = np.ones((12, 20), bool)
    spans[0, :3] = False
    first = blend({"31": source(31, [component()], 4)})
    second = blend({"32": source(32, [component((9, 12), (4, 4), peak=(10, 13), seed=2)], 2)}, (8, 11), (6, 7))
    hierarchical = {
        "blend_type": "hierarchical",
        "version": "1.0.0",
        "children": {"21": first, "22": second},
        "metadata": {**arrays(spans=spans), "origin": [2, 3]},
    }
    lonely = {
        "source_type": "isolated",
        "version": "1.0.0",
        "origin": [40, 50],
        "shape": [2, 3],
        "peak": [41.0, 51.0],
        "span_array": [0.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    }
    return {
        "model_type": "lsst",
        "version": "1.0.1",
        "metadata": {**arrays(model_psf=gaussian((15, 15), (7, 7), 0.8), psf=psf_cube()), "bands": list(BANDS)},
        "blends": {"11": hierarchical} if blends is None else blends,
        "isolated": {"12": lonely} if isolated is None else isolated,
    }


@pytest.fixture
def put(tmp_path):
    """Function that writes a model as JSON, or as the archive, and returns the file."""

    def _put(value, archive=False):
        if not archive:
            path = tmp_path / "model.json"
            path.write_text(value if isinstance(value, str) else json.dumps(value))
            return path
        path = tmp_path / "model.scarlet"
        with zipfile.ZipFile(path, "w") as out:
            for name, entry in {**value["blends"], **value["isolated"]}.items():
                out.writestr(name, json.dumps(entry))
            out.writestr("metadata", json.dumps(value["metadata"]))
            out.writestr("version", json.dumps(value["version"]))
        return path

    return _put


def test_models_of_release_29(data_dir):
    path = data_dir / "models" / "rubin_v29_models.json"
    parents, metadata = read_rubin_models(path)
    assert rubin_version(path).version == ""
    assert [parent.id for parent in parents] == [3495976385350991873, 3495976385350991874]
    assert metadata.bands == ("g", "i", "r", "y", "z")
    raw = json.loads(path.read_text())
    for parent, stored in zip(parents, raw["blends"].values(), strict=True):
        (source,) = parent.sources
        (made,) = source.components
        (kept,) = next(iter(stored["sources"].values()))["factorized"]
        np.testing.assert_array_equal(made.spectrum, np.float32(kept["spectrum"]))
        np.testing.assert_array_equal(made.morph.ravel(), np.float32(kept["morph"]))
        assert (source.peak.y, source.peak.x) == tuple(kept["peak"])
        np.testing.assert_array_equal(parent.psfs, np.float32(stored["psf"]).reshape(5, 25, 25))
        np.testing.assert_array_equal(parent.model_psf.ravel(), np.float32(raw["psf"]))
        x, y = stored["psf_center"]
        assert parent.message == f"PSF at (y, x) = ({y:.2f}, {x:.2f})"
        # The centre is where the source is, in the pixels of the tract: y first.
        assert parent.footprint.box.contains(y, x)
    models = Models.from_parents(parents, metadata)
    for number in models.ids:
        bare, seen = (models.source(number).model("r", convolved=c).array for c in (False, True))
        # Seeing moves light but keeps it: what is cut from the PSF's stamp, of 25 pixels, is below 1 %.
        assert seen.sum() == pytest.approx(bare.sum(), rel=0.01)
        assert seen.max() < bare.max()


def test_release_29_survives_the_archive(data_dir, tmp_path):
    parents, metadata = read_rubin_models(data_dir / "models" / "rubin_v29_models.json")
    losses = write_rubin_models(tmp_path / "out.scarlet", parents, metadata)
    assert losses == ("1 of 2 parents have a PSF of their own; Rubin's hand-off uses the file's",)
    again, about = read_rubin_models(tmp_path / "out.scarlet")
    assert about == metadata
    for one, other in zip(parents, again, strict=True):
        assert_same_parent(one, other)


@pytest.mark.parametrize("archive", [False, True])
def test_hierarchical_blends_and_isolated_sources(put, archive):
    path = put(model(), archive)
    assert is_rubin_file(path)
    summary = rubin_version(path)
    assert (summary.version, summary.archive) == ("1.0.1", archive)
    (parent, lonely), metadata = read_rubin_models(path)
    assert metadata.bands == BANDS
    assert parent.id == 11
    assert parent.footprint.box == Box((2, 3), (12, 20))
    assert parent.footprint.area == 237
    assert [(b.id, [s.id for s in b.sources]) for b in parent.blends] == [(21, [31]), (22, [32])]
    assert [(peak.id, peak.y, peak.x) for peak in parent.footprint.peaks] == [(4, 5, 6), (2, 10, 13)]
    np.testing.assert_array_equal(parent.psfs, psf_cube())
    assert (lonely.id, lonely.sources[0].id, lonely.sources[0].components) == (12, 12, ())
    np.testing.assert_array_equal(lonely.footprint.mask, [[False, True, True], [True, True, False]])
    assert lonely.footprint.peaks[0].center == (41.0, 51.0)


def test_bands_of_a_blend_may_stand_in_another_order(put):
    value = model(isolated={})
    turned = value["blends"]["11"]["children"]["21"]
    entry = turned["sources"]["31"]["components"][0]
    turned["metadata"] = {**arrays(psf=psf_cube()[[2, 0, 1]]), "bands": [BANDS[k] for k in (2, 0, 1)]}
    entry["spectrum"] = [3.0, 1.0, 2.0]
    (parent,), _ = read_rubin_models(put(value))
    np.testing.assert_array_equal(parent.sources[0].components[0].spectrum, [1, 2, 3])
    np.testing.assert_array_equal(parent.psfs, psf_cube())


def test_cubes_become_components_that_add_up_to_them(put):
    cube = np.random.default_rng(3).random((3, 5, 6)).astype(np.float32)
    cube[1] = 0
    entry = {
        "component_type": "cube",
        "version": "1.0.0",
        "origin": [3, 4],
        "shape": [3, 5, 6],
        "peak": [5, 6],
        "model": cube.ravel().tolist(),
    }
    value = model(blends={"11": blend({"31": source(31, [entry])})}, isolated={})
    (parent,), metadata = read_rubin_models(put(value))
    models = Models.from_parents([parent], metadata)
    assert len(parent.sources[0].components) == 2
    np.testing.assert_array_equal(models.source(31).model(convolved=False).array, cube)
    assert parent.warnings == ("the file holds no spans of the footprint: it is taken to be the whole box",)


def test_sources_that_are_only_counted_get_identifiers(put):
    bare = [{"components": [component(seed=k)]} for k in range(2)]
    blends = {str(n): blend({"0": bare[0], "1": bare[1]}) for n in (7, 5)}
    parents, _ = read_rubin_models(put(model(blends=blends)))
    # Above all that there are, the isolated source's 12 included.
    assert sorted(s.id for p in parents for s in p.sources) == [12, 13, 14, 15, 16]
    assert [peak.id for peak in parents[0].footprint.peaks] == [0, 1]


def test_a_psf_with_even_sides_keeps_its_middle(put):
    value = model()
    psf = np.zeros((3, 4, 6), np.float32)
    psf[:, 2, 3] = 1
    value["metadata"] |= arrays(psf=psf)
    (parent, _), _ = read_rubin_models(put(value))
    assert parent.psfs.shape == (3, 5, 7)
    assert (parent.psfs[:, 2, 3] == 1).all()


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
boxes = st.builds(
    lambda y, x, h, w: Box((y, x), (h, w)),
    st.integers(-50, 50),
    st.integers(-50, 50),
    st.integers(0, 5),
    st.integers(0, 5),
)
fits = st.builds(PointSourceFit, st.booleans(), st.floats(), st.tuples(st.floats(), st.floats()))


def float32(shape):
    return hnp.arrays(np.float32, shape, elements=floats)


@st.composite
def parents(draw, number):
    """Anything that the layout can hold: components are spectrum × morphology."""
    count = draw(st.integers(0, 3))
    position = st.none() | st.tuples(floats, floats)
    peaks = tuple(
        Peak(
            k,
            draw(st.integers(-9, 9)),
            draw(st.integers(-9, 9)),
            draw(st.floats()),
            ("g",),
            draw(position),
            draw(words),
        )
        for k in draw(st.permutations(range(count)))
    )
    sources = []
    for peak in peaks:
        components = []
        for _ in range(draw(st.integers(0, 2))):
            box = draw(boxes)
            components.append(FactorizedComponent(box, draw(float32(3)), draw(float32(box.shape))))
        flags = frozenset(draw(st.sets(words, max_size=2)))
        psf_fits = draw(st.just(()) | st.tuples(*[st.none() | fits] * 3))
        sources.append(
            SourceModel(number * 10 + 1 + peak.id, peak, tuple(components), flags, psf_fits, draw(words), draw(words))
        )
    cut = draw(st.integers(0, count))
    blends = tuple(
        BlendModel(
            draw(st.integers(0, 1)), draw(boxes), tuple(part), draw(st.integers(0, 9)), draw(st.floats()), draw(words)
        )
        for part in (sources[:cut], sources[cut:])
    )
    box = draw(boxes)
    psfs = draw(float32((3, 3, 3)))
    psfs[draw(st.integers(0, 2))] = draw(st.just(0) | st.just(np.nan))
    texts = ("made", "degraded", draw(words), draw(words), tuple(draw(st.lists(words, max_size=2))))
    footprint = Footprint(box, draw(hnp.arrays(bool, box.shape)), peaks)
    model_psf = gaussian((5, 5), (2, 2), 0.8)
    return ParentModel(number * 10, footprint, blends, psfs, model_psf, *texts, draw(st.floats(0, 1)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_what_is_written_is_read_again(tmp_path_factory, data):
    made = [make_parent(1, [(25, 35)]), *(data.draw(parents(number)) for number in (4, 3))]
    made[0] = replace(made[0], model_psf=gaussian((5, 5), (2, 2), 0.8))
    path = tmp_path_factory.mktemp("rubin") / "models.scarlet"
    write_rubin_models(path, made, METADATA)
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"metadata", "version", "1", "30", "40"}
    again, metadata = read_rubin_models(path)
    assert metadata == METADATA
    for parent, expected in zip(again, sorted(made, key=lambda p: p.id), strict=True):
        # A band without a PSF has no values, whatever they were.
        psfs = expected.psfs.copy()
        psfs[[not np.isfinite(plane).all() for plane in psfs]] = np.nan
        assert_same_parent(parent, replace(expected, psfs=psfs))
        assert parent.kernel_floor == expected.kernel_floor


def test_the_same_models_make_the_same_file(tmp_path):
    made = [make_parent(k, [(25, 35), (20, 45)]) for k in (5, 2)]
    for name, order in (("a", made), ("b", made[::-1])):
        assert write_rubin_models(tmp_path / name, iter(order), METADATA) == ()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_layout_is_that_of_the_pipelines(tmp_path):
    lonely = with_fits(make_parent(2, [(22, 30)]), (PointSourceFit(True, 3.0, (22.0, 30.5)), None, None))
    write_rubin_models(tmp_path / "out", [make_parent(1, [(25, 35), (20, 45)]), lonely], METADATA)
    with zipfile.ZipFile(tmp_path / "out") as archive:
        entries = {name: json.loads(archive.read(name)) for name in archive.namelist()}
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    assert entries["version"] == "1.0.1"
    about = entries["metadata"]
    assert about["array_keys"] == ["model_psf", "psf"]
    assert (about["psf_shape"], about["psf_dtype"], about["bands"]) == ([3, 15, 15], "float32", list(BANDS))
    parent = entries["1"]
    assert parent["blend_type"] == "hierarchical"
    assert len(parent["metadata"]["spans"]) == 30 * 40
    assert parent["metadata"]["origin"] == [10, 20]
    (child,) = parent["children"].values()
    assert list(child["sources"]) == ["100", "101"]
    first = child["sources"]["100"]
    assert (first["metadata"]["id"], first["metadata"]["peak_id"]) == (100, 0)
    assert first["components"][0]["peak"] == [25, 35]
    assert len(first["components"][0]["spectrum"]) == 3
    isolated = entries["2"]
    assert (isolated["source_type"], isolated["peak"]) == ("isolated", [22.0, 30.0])
    assert sum(isolated["span_array"]) == make_parent(2, [(22, 30)]).footprint.area


def test_a_source_without_a_model_has_a_place_in_the_file(tmp_path):
    bare = make_parent(4, [(25, 35), (20, 45)])
    empty = replace(bare.sources[1], components=(), flags=frozenset({"deblend_noModel"}))
    parent = replace(bare, blends=(replace(bare.blends[0], sources=(bare.sources[0], empty)),))
    write_rubin_models(tmp_path / "out", [parent], METADATA)
    with zipfile.ZipFile(tmp_path / "out") as archive:
        entry = json.loads(archive.read("4"))["children"]["4"]["sources"]["401"]["components"]
    assert [(c["peak"], c["shape"], c["morph"]) for c in entry] == [([20, 45], [1, 1], [0.0])]
    assert_same_parent(read_rubin_models(tmp_path / "out")[0][0], parent)


def test_templates_as_seen_are_held_only_where_they_are_in_model_space(tmp_path):
    templates = make_template_parent(3, (50, 8), Box((45, 2), (11, 13)))
    both = [make_parent(1, [(25, 35), (20, 45)]), templates]
    with pytest.raises(ModelError, match=r"1 of 2 parents .* first of all 3: its templates are as.*leave_out=True"):
        write_rubin_models(tmp_path / "out", both, METADATA)
    assert not (tmp_path / "out").exists()
    losses = write_rubin_models(tmp_path / "out", both, METADATA, leave_out=True)
    assert losses[0].startswith("1 parents with 1 objects are left out: its templates")
    # One PSF for all bands, and no other model: then templates are models in the resolution of that PSF.
    alike = replace(templates, psfs=np.repeat(psf_cube()[:1], 3, axis=0))
    assert write_rubin_models(tmp_path / "out", [alike], METADATA) == ()
    (parent,), metadata = read_rubin_models(tmp_path / "out")
    np.testing.assert_array_equal(parent.model_psf, psf_cube()[0])
    drawn = Models.from_parents([parent], metadata).source(3).model(convolved=False)
    np.testing.assert_array_equal(drawn.array, templates.sources[0].components[0].cube)
    assert isinstance(templates.sources[0].components[0], TemplateComponent)


def test_points_and_profiles_must_be_drawn_before(tmp_path):
    profile = make_parametric_parent(6, (50.25, 8.5), Box((45, 2), (11, 13)))
    with pytest.raises(ModelError, match=r"first of all 6: it has points or profiles, which must be drawn first"):
        write_rubin_models(tmp_path / "out", [profile], METADATA)


def test_covariances_of_fluxes_are_kept(tmp_path):
    parent = make_parent(1, [(25, 35), (20, 45)])
    covariance = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    covariance[1, 0, 0] = np.nan
    parent = replace(parent, blends=(replace(parent.blends[0], flux_covariance=covariance),))
    write_rubin_models(tmp_path / "out", [parent], METADATA)
    (again,), _ = read_rubin_models(tmp_path / "out")
    np.testing.assert_array_equal(again.blends[0].flux_covariance, covariance)


def test_a_band_without_any_psf_is_left_out(tmp_path):
    parent = make_parent(1, [(25, 35), (20, 45)])
    psfs = parent.psfs.copy()
    psfs[1] = np.nan
    losses = write_rubin_models(tmp_path / "out", [replace(parent, psfs=psfs)], METADATA)
    assert losses == ("band r is left out: no parent has a PSF there",)
    (again,), metadata = read_rubin_models(tmp_path / "out")
    assert (metadata.bands, metadata.zeropoints) == (("g", "i"), (27.0, None))
    np.testing.assert_array_equal(
        again.sources[0].components[0].spectrum, parent.sources[0].components[0].spectrum[[0, 2]]
    )


def test_what_is_not_finite_is_not_written(tmp_path):
    parent = make_parent(1, [(25, 35), (20, 45)])
    parent.sources[0].components[0].spectrum[1] = np.nan
    (tmp_path / "out").write_text("old")
    with pytest.raises(ModelError, match="entry 1 holds a number that is not finite"):
        write_rubin_models(tmp_path / "out", [parent], METADATA)
    assert (tmp_path / "out").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def changed(path, value):
    """The model with one value replaced (or removed, if it is ...)."""
    out = model()
    node = out
    *keys, last = path.split("/")
    for key in keys:
        node = node[key]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return out


CHILD = "blends/11/children/21"
COMPONENT = f"{CHILD}/sources/31"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("version", "1.0.2", r"model.json: version is '1.0.2'; this release of meas_deblend reads 1.0.0, 1.0.1"),
        ("version", 3, "model.json: version is a number; it must be a text"),
        ("model_type", "lsst2", "model_type is 'lsst2'; this release knows lsst, scarlet_model"),
        ("metadata", None, "names no bands"),
        ("metadata/bands", ["g", "g", "r"], "metadata/bands must name bands once each"),
        ("metadata/bands", ["g", "r"], "metadata/psf holds 3 PSFs for 2 bands"),
        ("metadata/psf", ..., "blends/11 has no PSF, and there is none in the metadata"),
        ("metadata/psf_shape", [3, 15, 10**9], "psf_shape/2 is 1000000000; it must be an integer from 0 to 65536"),
        ("metadata/psf_shape", [3, 15, 16], r"metadata/psf has 675 values, which do not make shape \(3, 15, 16\)"),
        ("metadata/psf_shape", ..., "metadata/psf has no shape"),
        ("metadata/psf_dtype", "object", "metadata/psf_dtype is 'object'; this release knows float32, float64"),
        ("metadata/model_psf", ..., "no model PSF"),
        ("blends/11/blend_type", "nested", "blends/11/blend_type is 'nested'; this release knows blend, hierarchical"),
        ("blends/11/version", "2.0.0", "blends/11/version is '2.0.0'"),
        ("blends/11/children", [], "blends/11/children is a list; it must be an object"),
        ("blends/x", {}, "blends/x is under the key 'x', which is not an identifier"),
        ("blends/99999999999999999999", {}, "is not an identifier"),
        ("blends/9223372036854775808", {}, "is not an identifier"),
        ("blends/11/metadata/origin", ..., "blends/11/metadata lacks the key 'origin'"),
        ("blends/11/metadata/spans", [True], "spans has 1 values"),
        (f"{CHILD}/shape", [-1, 2], "21/shape/0 is -1; it must be an integer from 0"),
        (f"{CHILD}/origin", [1e300, 2], "21/origin/0 is 1e"),
        (f"{CHILD}/origin", [float("nan"), 2], "21/origin/0 is nan"),
        (f"{CHILD}/sources", None, "21 lacks the key 'sources'"),
        (f"{COMPONENT}/metadata/id", 0, "identifiers must be 1"),
        (f"{COMPONENT}/metadata/id", 32, "identifier 32 is used twice"),
        (f"{COMPONENT}/metadata/id", True, "31/metadata/id is true or false; it must be a number"),
        (f"{COMPONENT}/source_type", "psf", "31/source_type is 'psf'; this release knows source"),
        (f"{COMPONENT}/components", [7], "31/components/0 is a number; it must be an object"),
        (f"{COMPONENT}/components", [{"component_type": "spline"}], "'spline'|lacks the key 'peak'"),
        (f"{COMPONENT}/components", [component() | {"morph": ["1"] * 30}], "morph is not a flat list of numbers"),
        (f"{COMPONENT}/components", [component() | {"morph": [[1]] * 30}], "morph is not a flat list of numbers"),
        (f"{COMPONENT}/components", [component() | {"morph": [None] * 30}], "morph is not a flat list of numbers"),
        (f"{COMPONENT}/components", [component() | {"morph": [1e60] * 30}], "morph holds a number beyond float32"),
        (f"{COMPONENT}/components", [component() | {"spectrum": [1.0]}], "spectrum has 1 values"),
        ("isolated/12/span_array", [1.0], "isolated/12/span_array has 1 values"),
        ("isolated/12/source_type", "star", "isolated/12/source_type is 'star'; this release knows isolated"),
        ("isolated/12/peak", ["a", 1], "isolated/12/peak/0 is a text; it must be a number"),
        ("isolated/12/shape", [2, 10**400], "isolated/12/shape/1"),
    ],
)
def test_what_makes_no_model_is_told_with_its_place(put, path, value, message):
    with pytest.raises(ModelError, match=message):
        read_rubin_models(put(changed(path, value)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "model.json is not JSON"),
        ("[1, 2]", "model.json is a list; it must be an object"),
        ("{}", "is not a file of Rubin's models"),
        ('{"blends": {"1": {}, "1": {}}}', "the key '1' stands twice in one object"),
        ("[" * 100_000, "is not JSON"),
        ('{"type": "meas_deblend.other"}', "is of type 'meas_deblend.other', not a file of Rubin's models"),
        ('{"blends": ' + "9" * 5000 + "}", "is not JSON"),
    ],
)
def test_text_that_is_no_model(put, text, message):
    with pytest.raises(ModelError, match=message):
        read_rubin_models(put(text))


def test_boxes_without_spans_do_not_fill_the_memory(put):
    bomb = blend({"31": source(31, [component()])}, shape=(65_000, 65_000))
    with pytest.raises(ModelError, match="has no spans, and its box of 4225000000 pixels is larger than any image"):
        read_rubin_models(put(model(blends={"11": bomb})))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"there is no file of models at .*nowhere"):
        read_rubin_models(tmp_path / "nowhere")


def archive_with(path, entries, **options):
    with zipfile.ZipFile(path, "w", **options) as out:
        for name, text in entries:
            out.writestr(name, text)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("../../etc/passwd", "{}")], r"its entry '../../etc/passwd' is not an identifier"),
        ([("/1", "{}")], "its entry '/1' is not an identifier"),
        ([("1", "{}"), ("1", "{}")], "it has two entries '1'"),
        ([("version", '"9.0.0"')], "version is '9.0.0'"),
        ([("metadata", "{}"), ("1", "{")], "models.zip: 1 is not JSON"),
        ([("metadata", '{"bands": ["g"]}'), ("1", "[]")], "models.zip: 1 is a list; it must be an object"),
        ([], "names no bands"),
    ],
)
def test_archives_that_hold_no_models(tmp_path, entries, message):
    with pytest.raises(ModelError, match=message):
        read_rubin_models(archive_with(tmp_path / "models.zip", entries))


def test_archives_that_would_fill_the_memory_are_not_unpacked(tmp_path):
    path = archive_with(
        tmp_path / "bomb.zip", [(str(k), " " * (1 << 26)) for k in (1, 2)], compression=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(ModelError, match=r"bomb.zip would grow from \d+ to 134217728 bytes"):
        read_rubin_models(path)


STRANGE = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**30,
    1e300,
    float("nan"),
    "",
    "x",
    "1.0.0",
    "blend",
    [],
    {},
    [[]],
    [1e9, 1e9],
]


def places(value, keys=()):
    """Keys that lead to each value of a JSON text; of long lists of numbers only to the list."""
    if keys:
        yield keys
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children if len(value if isinstance(value, dict | list) else ()) < 30 else ():
        yield from places(child, (*keys, key))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_strange_values_never_end_otherwise_than_with_a_model_error(put, tmp_path, data):
    write_rubin_models(tmp_path / "ours", [make_parent(2, [(22, 30)]), make_parent(1, [(25, 35), (20, 45)])], METADATA)
    with zipfile.ZipFile(tmp_path / "ours") as archive:
        ours = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    value = data.draw(
        st.sampled_from([model(), {**ours, "blends": {"1": ours.pop("1")}, "isolated": {"2": ours.pop("2")}}])
    )
    *keys, last = data.draw(st.sampled_from(list(places(value))))
    node = value
    for key in keys:
        node = node[key]
    node[last] = data.draw(st.sampled_from(STRANGE))
    try:
        parents, metadata = read_rubin_models(put(value))
    except ModelError as error:
        message = str(error)
        assert "model.json" in message
    else:
        assert len(Models.from_parents(parents, metadata)) > 0


def test_told_peaks_must_be_those_of_the_sources(put, tmp_path):
    write_rubin_models(tmp_path / "ours", [make_parent(1, [(25, 35), (20, 45)])], METADATA)
    with zipfile.ZipFile(tmp_path / "ours") as archive:
        entries = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    entries["1"]["metadata"]["meas_deblend"]["peaks"][0]["id"] = 7
    value = {"version": "1.0.1", "metadata": entries["metadata"], "blends": {"1": entries["1"]}}
    with pytest.raises(ModelError, match="blends/1 has not one source for each of its peaks"):
        read_rubin_models(put(value))


def test_damaged_files_never_end_otherwise_than_with_a_model_error(put, tmp_path):
    rng = np.random.default_rng(5)
    for archive in (False, True):
        whole = put(model(), archive).read_bytes()
        path = tmp_path / "damaged"
        for _ in range(120):
            content = bytearray(whole)
            if rng.random() < 0.3:
                content = content[: rng.integers(len(content))]
            for _ in range(rng.integers(1, 4) if content else 0):
                content[rng.integers(len(content))] = rng.integers(256)
            path.write_bytes(content)
            with suppress(ModelError):
                read_rubin_models(path)


@pytest.mark.parametrize("of_file", [True, False])
def test_blends_keep_psfs_of_their_own(tmp_path, of_file):
    places = [(10, 12), (30, 33)]
    first, third, other = (make_parent(number, places) for number in (10, 30, 20))
    if not of_file:
        other = replace(other, psfs=psf_cube() * np.float32(0.5))
    own = psf_cube()[:, :13, :13].copy()
    own[1] = np.nan
    other = replace(other, blends=(*other.blends[:-1], replace(other.blends[-1], psfs=own)))
    losses = write_rubin_models(tmp_path / "out.scarlet", [first, third, other], METADATA)
    assert any("1 of 3 parents have a PSF of their own, and 1 of their blends another" in loss for loss in losses)
    found = {parent.id: parent for parent in read_rubin_models(tmp_path / "out.scarlet")[0]}
    np.testing.assert_array_equal(found[20].psfs, other.psfs)
    np.testing.assert_array_equal(found[20].blends[-1].psfs, own)
    assert all(blend.psfs is None for blend in (*found[10].blends, *other.blends[:-1]))
