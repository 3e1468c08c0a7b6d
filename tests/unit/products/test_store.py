"""The model store: what goes in comes out, bit by bit, one parent at a time."""

import json
from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_models import BANDS, assert_same_parent, make_parent, with_fits

from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.models import (
    BlendModel,
    FactorizedComponent,
    ParentModel,
    PointComponent,
    PointSourceFit,
    ProfileComponent,
    SourceModel,
    TemplateComponent,
)
from meas_deblend.products import MemoryStore, ModelStore, StoreMetadata, models_from_json, models_to_json, write_models
from meas_deblend.products import _writer as writer_module
from meas_deblend.products import store as store_module

METADATA = StoreMetadata(
    BANDS, (100, 120), "", (27.0, 27.0, None), "count", {"meas_deblend": "0.1.0"}, {"keep_outside": False}
)

finite = st.floats(allow_nan=False, allow_infinity=False)
floats = st.floats(width=32, allow_infinity=False)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
boxes = st.builds(
    lambda y, x, h, w: Box((y, x), (h, w)),
    st.integers(-50, 50),
    st.integers(-50, 50),
    st.integers(0, 5),
    st.integers(0, 5),
)
dtypes = st.sampled_from([np.float32, np.float64])


def arrays(shape):
    return dtypes.flatmap(lambda dtype: hnp.arrays(dtype, shape, elements=floats))


@st.composite
def components(draw):
    box, kind = draw(boxes), draw(st.integers(0, 3))
    if kind == 0:
        return TemplateComponent(box, draw(arrays((len(BANDS), *box.shape))))
    spectrum = draw(arrays(len(BANDS)))
    if kind == 1:
        return FactorizedComponent(box, spectrum, draw(arrays(box.shape)))
    center = draw(st.tuples(finite, finite))
    if kind == 2:
        return PointComponent(box, spectrum, center)
    return ProfileComponent(box, spectrum, center, draw(finite), draw(st.tuples(finite, finite)), draw(finite))


fits = st.builds(PointSourceFit, st.booleans(), st.floats(), st.tuples(st.floats(), st.floats()))
psf_fits = st.just(()) | st.tuples(*[st.none() | fits] * len(BANDS))


@st.composite
def peaks(draw, number):
    position = draw(st.none() | st.tuples(finite, finite))
    place = draw(st.integers(-50, 50)), draw(st.integers(-50, 50))
    bands = tuple(draw(st.lists(st.sampled_from(BANDS), unique=True)))
    return Peak(number, *place, draw(st.floats()), bands, position, draw(words))


@st.composite
def parents(draw, identifier):
    box = draw(boxes)
    found = tuple(draw(peaks(k)) for k in range(draw(st.integers(0, 3))))
    footprint = Footprint(box, draw(hnp.arrays(bool, box.shape)), found)
    sources = tuple(
        SourceModel(
            identifier * 10 + 1 + peak.id,
            peak,
            tuple(draw(st.lists(components(), max_size=2))),
            frozenset(draw(st.sets(words, max_size=2))),
            draw(psf_fits),
            *(draw(words), draw(words)),
        )
        for peak in found
    )
    cut = draw(st.integers(0, len(sources)))
    blends = tuple(
        BlendModel(
            7 + k,
            draw(boxes),
            part,
            draw(st.integers(0, 400)),
            draw(st.floats()),
            draw(words),
            draw(st.none() | arrays((len(BANDS), len(part), len(part)))),
        )
        for k, part in enumerate((sources[:cut], sources[cut:]))
    )
    psfs = draw(arrays((len(BANDS), 3, 3)))
    psfs[draw(st.integers(0, 2))] = np.nan
    texts = (draw(words), "degraded", draw(words), draw(words), tuple(draw(st.lists(words, max_size=2))))
    floor = draw(st.floats(0, 1))
    return ParentModel(identifier * 10, footprint, blends, psfs, draw(arrays((3, 3))), *texts, floor)


@settings(
    max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.data())
def test_parquet_and_json_give_back_every_bit(tmp_path_factory, data):
    made = [data.draw(parents(identifier)) for identifier in (3, 1, 2)]
    path = tmp_path_factory.mktemp("store") / "models.parquet"
    write_models(path, made, METADATA)
    from_file, from_text = ModelStore.open(path), models_from_json(models_to_json(made, METADATA))
    for store in (from_file, from_text):
        assert store.parent_ids() == (10, 20, 30)
        assert store.metadata == METADATA
        for parent in made:
            assert_same_parent(store.parent(parent.id), parent)


def test_order_of_writing_does_not_matter(tmp_path):
    made = [make_parent(k, [(25, 35), (20, 45)]) for k in (5, 2, 9)]
    for name, order in (("a", made), ("b", made[::-1])):
        write_models(tmp_path / name, iter(order), METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    store = ModelStore.open(tmp_path / "a")
    assert store.object_ids() == (200, 201, 500, 501, 900, 901)
    assert [parent.id for parent in store.parents()] == [2, 5, 9]
    assert store.owner_of(501) == 5


def test_equal_psfs_are_stored_once(tmp_path):
    made = [make_parent(k, [(25, 35)]) for k in range(1, 6)]
    other = replace(make_parent(6, [(25, 35)]), psfs=made[0].psfs * np.float32(0.5))
    write_models(tmp_path / "m", [*made, other], METADATA)
    kinds = pq.read_table(tmp_path / "m", columns=["kind"])["kind"].to_pylist()
    assert kinds == ["psf"] * 7 + ["parent"] * 6  # three bands twice, and one model PSF


def test_one_parent_is_read_without_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_GROUP_ROWS", 4)
    made = [make_parent(k, [(25, 35), (20, 45)]) for k in range(1, 21)]
    write_models(tmp_path / "m", made, METADATA)
    groups = []
    real = store_module.check_group
    monkeypatch.setattr(
        store_module, "check_group", lambda places, group, stream: groups.append(group) or real(places, group, stream)
    )
    store = ModelStore.open(tmp_path / "m")
    assert groups == []
    assert_same_parent(store.parent(11), made[10])
    assert_same_parent(store.parent(12), made[11])
    assert sorted(set(groups)) == [0, 3]  # the PSFs, and the third group of four parents


def test_plain_pyarrow_reads_the_file(tmp_path):
    parent = make_parent(4, [(25, 35), (20, 45)])
    write_models(tmp_path / "m", [parent], METADATA)
    table = pq.read_table(tmp_path / "m", filters=[("id", "=", 4)])
    about = json.loads(table.schema.metadata[b"meas_deblend"])
    assert (about["type"], about["version"]) == ("meas_deblend.models", "1.3.0")
    assert about["bands"] == list(BANDS)
    assert about["zeropoints"] == [27.0, 27.0, None]
    (row,) = table.to_pylist()
    stored = row["blends"][0]["sources"][1]["components"][0]["pixels"]
    support = np.unpackbits(np.frombuffer(stored["support"], np.uint8), count=15 * 15).astype(bool)
    planes = np.frombuffer(stored["values"], np.uint8).reshape(4, -1)
    pixels = np.zeros(15 * 15, np.float32)
    pixels[support] = planes.T.copy().view(stored["dtype"])[:, 0]
    np.testing.assert_array_equal(pixels.reshape(stored["shape"]), parent.sources[1].components[0].morph)
    assert all(field.metadata[b"description"] for field in table.schema)


def test_row_groups_are_sorted_by_id_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_GROUP_BYTES", 1000)
    write_models(tmp_path / "m", [make_parent(k, [(25, 35)]) for k in range(1, 9)], METADATA)
    file = pq.ParquetFile(tmp_path / "m")
    column = file.schema_arrow.get_field_index("id")
    ranges = []
    for group in range(file.num_row_groups):
        statistics = file.metadata.row_group(group).column(column).statistics
        ranges.append((statistics.min, statistics.max))
    assert ranges == sorted(ranges)
    assert len(ranges) > 3
    assert ranges[0] == (0, 0)


def test_big_endian_pixels_are_stored_as_their_values(tmp_path):
    parent = make_parent(1, [(25, 35)])
    swapped = replace(parent, psfs=parent.psfs.astype(">f4"))
    write_models(tmp_path / "m", [swapped], METADATA)
    assert_same_parent(ModelStore.open(tmp_path / "m").parent(1), parent)


def test_store_of_nothing(tmp_path):
    write_models(tmp_path / "m", [], METADATA)
    store = ModelStore.open(tmp_path / "m")
    assert store.parent_ids() == ()
    assert list(store.parents()) == []
    with pytest.raises(ModelError, match="no parent 1; there are no parents"):
        store.parent(1)


def test_an_open_store_does_not_change_when_the_file_is_written_anew(tmp_path):
    path = tmp_path / "m"
    old = make_parent(1, [(25, 35)])
    write_models(path, [old], METADATA)
    store = ModelStore.open(path)
    write_models(path, [make_parent(2, [(20, 30), (30, 40)])], METADATA)
    assert_same_parent(store.parent(1), old)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "m"
    write_models(path, [make_parent(1, [(25, 35)])], METADATA)
    before = path.read_bytes()
    bad = make_parent(2, [(25, 35)])
    odd = replace(bad.sources[0], flags=frozenset({7}))  # only the writer itself stumbles over it
    with pytest.raises((TypeError, pa.ArrowException)):
        write_models(path, [replace(bad, blends=(replace(bad.blends[0], sources=(odd,)),))], METADATA)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("make", [ModelStore.open, None])
def test_unknown_ids_are_told(tmp_path, make):
    made = [make_parent(3, [(25, 35), (20, 45)]), make_parent(8, [(25, 35)])]
    write_models(tmp_path / "m", made, METADATA)
    store = ModelStore.open(tmp_path / "m") if make else MemoryStore(made, METADATA)
    with pytest.raises(ModelError, match="no object 5; there are 3 objects, with identifiers from 8 to 301"):
        store.owner_of(5)
    with pytest.raises(ModelError, match=r"3 is a parent, not an object: it has 2 children \(300, 301\).*blend\(3\)"):
        store.owner_of(3)
    with pytest.raises(ModelError, match="no parent 300; there are 2 parents, with identifiers from 3 to 8"):
        store.parent(300)
    assert store.owner_of(8) == 8


def rewrite_header(path, **changes):
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"meas_deblend"]) | changes
    pq.write_table(table.replace_schema_metadata({"meas_deblend": json.dumps(about)}), path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"version": "1.4.0", "written_by": None},
            r"version 1\.4\.0 .* reads up to 1\.3\.0: read it with the release that wrote it",
        ),
        ({"version": "9.0.0", "written_by": "3.1.4"}, r"read it with meas_deblend 3\.1\.4, which wrote it, or a newer"),
        ({"version": "0.9.0"}, r"claims version 0\.9\.0 .* only 1\.0\.0, 1\.1\.0, 1\.2\.0 and 1\.3\.0"),
        ({"version": "1.0.0"}, r"its columns are not those of version 1\.0\.0"),
        ({"version": None}, "claims version None"),
        ({"type": "something"}, "type 'something', not 'meas_deblend.models'"),
        ({"bands": "g"}, "lacks or garbles"),
        ({"bands": None}, "lacks or garbles"),
        ({"wcs": 5}, "lacks or garbles 5 where there must be text"),
        ({"zeropoints": ["x", 1, 2]}, "lacks or garbles could not convert"),
        ({"pixel_error": 2}, "lacks or garbles the relative error of pixels"),
    ],
)
def test_other_headers_are_refused(tmp_path, changes, message):
    path = tmp_path / "m"
    write_models(path, [make_parent(1, [(25, 35)])], METADATA)
    rewrite_header(path, **changes)
    with pytest.raises(ModelError, match=message):
        ModelStore.open(path)


def test_missing_and_foreign_files_are_told(tmp_path):
    with pytest.raises(ModelError, match="there is no model store at"):
        ModelStore.open(tmp_path / "none.parquet")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelError, match="damaged or is not a Parquet file"):
        ModelStore.open(tmp_path / "text")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ModelError, match="was not written by meas_deblend"):
        ModelStore.open(tmp_path / "other.parquet")


def test_truncated_and_altered_files_are_told(tmp_path):
    path = tmp_path / "m"
    made = [make_parent(k, [(25, 35), (20, 45)]) for k in range(1, 4)]
    write_models(path, made, METADATA)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        ModelStore.open(path)
    noticed = 0
    places = range(4, len(whole) - 8, 127)
    for place in places:
        altered = bytearray(whole)
        altered[place] ^= 0xFF
        path.write_bytes(bytes(altered))
        try:
            read = list(ModelStore.open(path).parents())
        except ModelError:
            noticed += 1
        else:
            # Not every byte of a Parquet file means something: those of unused statistics do not.
            for parent, old in zip(read, made, strict=True):
                assert_same_parent(parent, old)
    assert noticed > 0.5 * len(places)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 0}, "identifiers must be 1"),
        ({"psfs": np.zeros((2, 3, 3), np.float32)}, "PSFs of shape"),
        ({"model_psf": None}, "no model PSF"),
        ({"blends": ()}, "one source per peak"),
        ({"psfs": np.zeros((3, 3, 3), np.int16)}, "float32 or float64, got int16"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, change, message):
    parent = replace(make_parent(1, [(25, 35), (20, 45)]), **change)
    with pytest.raises((InputError, ModelError), match=message):
        write_models(tmp_path / "m", [parent], METADATA)


def test_ids_belong_to_one_thing():
    twice = [make_parent(1, [(25, 35)]), make_parent(1, [(25, 35)])]
    with pytest.raises(InputError, match="1 is used twice, in parents 1 and 1"):
        MemoryStore(twice, METADATA)
    # Children of parent 1 are 100 and 101.
    with pytest.raises(InputError, match="100 is used twice"):
        MemoryStore([make_parent(1, [(25, 35), (20, 45)]), make_parent(100, [(25, 35)])], METADATA)


def test_components_must_have_the_bands():
    parent = make_parent(1, [(25, 35)])
    with pytest.raises(InputError, match="PSFs of shape"):
        MemoryStore([parent], StoreMetadata(("g", "r")))
    (source,) = parent.sources
    component = replace(source.components[0], spectrum=np.ones(2, np.float32))
    blend = replace(parent.blends[0], sources=(replace(source, components=(component,)),))
    with pytest.raises(InputError, match="component of object 1 does not fit"):
        MemoryStore([replace(parent, blends=(blend,))], METADATA)


def test_point_source_fits_are_of_all_bands_or_of_none(tmp_path):
    parent = make_parent(1, [(25, 35)])
    for allowed in (0, len(BANDS)):
        write_models(tmp_path / "m", [with_fits(parent, (None,) * allowed)], METADATA)
    for number in (1, 2, 4):
        with pytest.raises(InputError, match=f"object 1 has {number} point-source fits for bands g, r, i: there must"):
            write_models(tmp_path / "m", [with_fits(parent, (None,) * number)], METADATA)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "one JSON object, got list"),
        ("{}", "of type None"),
        ('{"type": "meas_deblend.models", "version": "2.0.0"}', r"version 2\.0\.0"),
        ('{"type": "meas_deblend.models", "version": "1.0.0"}', "damaged"),
    ],
)
def test_foreign_json_is_refused(text, message):
    with pytest.raises(ModelError, match=message):
        models_from_json(text)


def test_records_that_make_no_sense_are_refused():
    document = json.loads(models_to_json([make_parent(1, [(25, 35)])], METADATA))
    record = document["parents"][0]
    changes = (
        (record["footprint"]["spans"]["x_stop"], 0, 500, "1 runs of the footprint are not inside"),
        (record["footprint"]["box"], 2, -1, "damaged: a box of -1 × 40 px"),
        (record["footprint"]["box"], 3, 10**9, "a box of 30 × 1000000000 px; the largest has 67108864 px"),
        (record["footprint"]["box"], 0, 2**40, "a box at"),
        (record["blends"][0]["sources"][0]["components"][0], "kind", "star", "component of kind 'star'"),
        (record["blends"][0]["sources"][0]["components"][0]["pixels"], "dtype", "|O", r"array of type '\|O'"),
        (
            record["blends"][0]["sources"][0]["components"][0]["pixels"],
            "shape",
            [3, 3],
            "29 bytes of support do not make an array",
        ),
        (record["blends"][0]["sources"][0]["components"][0]["box"], 3, 3, "do not fit Box"),
        (record["psfs"], 0, "none", "the record of parent 1 is damaged"),
    )
    for place, key, value, message in changes:
        old = place[key]
        place[key] = value
        with pytest.raises(ModelError, match=message):
            models_from_json(json.dumps(document))
        place[key] = old
    assert models_from_json(json.dumps(document)).parent_ids() == (1,)


def test_blends_keep_psfs_of_their_own(tmp_path):
    parent = make_parent(1, [(25, 30), (32, 41)])
    blend = parent.blends[0]
    varied = replace(parent, blends=(replace(blend, psfs=(2 * parent.psfs).astype(np.float32)), *parent.blends[1:]))
    write_models(tmp_path / "models.parquet", [varied], METADATA)
    (from_file,) = ModelStore(tmp_path / "models.parquet").parents()
    (from_text,) = models_from_json(models_to_json([varied], METADATA)).parents()
    for again in (from_file, from_text):
        assert_same_parent(again, varied)
        assert np.array_equal(again.blends[0].psfs, 2 * parent.psfs)
    wrong = replace(parent, blends=(replace(blend, psfs=parent.psfs[:1]), *parent.blends[1:]))
    with pytest.raises(InputError, match=r"has PSFs of shape .* for bands"):
        write_models(tmp_path / "bad.parquet", [wrong], METADATA)
