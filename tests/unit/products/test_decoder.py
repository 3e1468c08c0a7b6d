"""All rows of a group decoded from columns: the same values as from records, or none at all."""

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
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

from meas_deblend.exceptions import CorruptModelError, InputError
from meas_deblend.geometry import Box
from meas_deblend.models import PointSourceFit
from meas_deblend.products import ModelStore, StoreMetadata, write_models
from meas_deblend.products import _decoder as decoder_module
from meas_deblend.products import _rows as rows_module
from meas_deblend.products import _writer as writer_module
from meas_deblend.products._cache import SizedCache

METADATA = StoreMetadata(BANDS)
FITS = (PointSourceFit(True, 123.5, (3.25, 3.75)), None, PointSourceFit(False, -2.0, (2.5, 4.5)))
BOX = Box((-2, -1), (9, 11))


def samples():
    """Return parents of every kind: two types of numbers, covariances, fits, several components, empty sources."""
    plain = make_parent(1, [(25, 35), (20, 45)])
    wide = make_parent(3, [(25, 35)])
    blend = wide.blends[0]
    (source,) = blend.sources
    component = source.components[0]
    double = replace(component, morph=component.morph.astype(float), spectrum=component.spectrum.astype(float))
    none = replace(component, morph=np.zeros_like(component.morph))
    several = replace(source, components=(double, none, component), flags=frozenset({"a", "b"}))
    covariance = np.arange(len(BANDS), dtype=np.float32).reshape(-1, 1, 1)
    return [
        plain,
        with_fits(make_template_parent(2, (3, 4), BOX), FITS),
        replace(wide, blends=(replace(blend, sources=(several,), flux_covariance=covariance),)),
        make_parametric_parent(4, (3.25, 4.75), BOX),
        replace(make_parent(5, [(25, 35)]), psfs=plain.psfs * np.float32(0.5), warnings=("g: no PSF",)),
        make_parent(6, [(25, 35)]),
    ]


@pytest.fixture
def path(tmp_path):
    write_models(tmp_path / "m", samples(), METADATA)
    return tmp_path / "m"


def no_records(*_):
    raise AssertionError("a record was read")


def test_columns_give_what_records_give(path, monkeypatch):
    store = ModelStore(path)
    one_by_one = [store.parent(number) for number in store.parent_ids()]
    monkeypatch.setattr(rows_module, "parent_from_record", no_records)
    together = list(ModelStore(path).parents())
    for made, record, decoded in zip(samples(), one_by_one, together, strict=True):
        assert_same_parent(made, record)
        assert_same_parent(record, decoded)


def components(parent):
    return [component for source in parent.sources for component in source.components]


def test_decoded_pixels_are_the_users_own(path):
    # As with records: whoever writes into one array changes no other.
    first, second = (component for component in components(next(ModelStore(path).parents())))
    before = second.morph.copy()
    first.morph[...] = -1
    np.testing.assert_array_equal(second.morph, before)


def test_large_rows_are_decoded_in_portions(path, monkeypatch):
    whole = list(ModelStore(path).parents())
    for limit, by_record in ((20_000, False), (100, True)):
        monkeypatch.setattr(decoder_module, "_MOST_BYTES", limit)
        with monkeypatch.context() as patch:
            if not by_record:
                patch.setattr(rows_module, "parent_from_record", no_records)
            for parent, other in zip(whole, ModelStore(path).parents(), strict=True):
                assert_same_parent(parent, other)


def test_what_is_unusual_is_left_to_records(path):
    # Runs in another order make the same mask; nulls in the names of flags are damage, and told at their parent.
    table = pq.read_table(path)
    about = {key: value for key, value in pq.read_metadata(path).metadata.items() if key != b"ARROW:schema"}
    schema = pa.schema(table.schema, metadata=about)
    rows = table.to_pylist()
    for runs in rows[-1]["footprint"]["spans"].values():
        runs.reverse()
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    for made, read in zip(samples(), ModelStore(path).parents(), strict=True):
        assert_same_parent(made, read)
    rows[-2]["blends"][0]["sources"][0]["components"][0]["pixels"]["support"] = b""
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    stream = ModelStore(path).parents()
    assert [next(stream).id for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(CorruptModelError, match=r"damaged at parent 5: .*0 bytes of support do not make an array"):
        next(stream)


def test_bits_behind_the_pixels_are_damage(path):
    table = pq.read_table(path)
    about = {key: value for key, value in pq.read_metadata(path).metadata.items() if key != b"ARROW:schema"}
    rows = table.to_pylist()
    pixels = rows[-1]["blends"][0]["sources"][0]["components"][0]["pixels"]
    assert pixels["shape"][0] * pixels["shape"][1] % 8
    pixels["support"] = pixels["support"][:-1] + bytes([pixels["support"][-1] | 1])
    pixels["values"] += b"\1\2\3\4"
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(table.schema, metadata=about)), path)
    with pytest.raises(CorruptModelError, match=r"damaged at parent 6: .*pixels of type <f4 that are not 0"):
        list(ModelStore(path).parents())


def test_what_comes_late_is_put_in_its_place(tmp_path):
    made = {k: make_parent(k, [(25, 35), (20, 45)]) for k in range(1, 13)}
    write_models(tmp_path / "sorted", made.values(), METADATA)
    for order in ([3, 1, 2, *range(4, 13)], [1, 2, 9, 3, 4, 12, 5, 6, 7, 8, 11, 10], list(made)[::-1]):
        write_models(tmp_path / "m", (made[k] for k in order), METADATA)
        assert (tmp_path / "m").read_bytes() == (tmp_path / "sorted").read_bytes()
    with pytest.raises(InputError, match="the identifier 2 is used twice, in parents 2 and 2"):
        write_models(tmp_path / "m", (made[k] for k in (1, 2, 3, 2)), METADATA)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["m", "sorted"]


def test_psfs_stand_before_the_parents_that_need_them(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_GROUP_ROWS", 2)
    made = [make_parent(k, [(25, 35)]) for k in range(1, 8)]
    made = [replace(parent, psfs=parent.psfs * np.float32(1 / parent.id)) for parent in made]
    write_models(tmp_path / "m", made, METADATA)
    store = ModelStore(tmp_path / "m")
    kinds = pq.read_table(tmp_path / "m", columns=["kind"])["kind"].to_pylist()
    assert kinds[:9] == ["psf"] * 7 + ["parent"] * 2
    assert kinds[9:17] == ["psf"] * 6 + ["parent"] * 2
    assert len(store.psf_keys()) == 22
    for parent, other in zip(made, store.parents(), strict=True):
        assert_same_parent(parent, other)
        assert_same_parent(parent, store.parent(parent.id))


def test_streams_are_written_and_read_in_bounded_memory(tmp_path):
    def stream(number):
        return (make_parent(k, [(25, 35), (20, 45)]) for k in range(200, 200 + number))

    def most(call):
        gc.collect()
        tracemalloc.start()
        call()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    paths = {number: tmp_path / str(number) for number in (300, 600)}
    written = {n: most(lambda n=n, path=path: write_models(path, stream(n), METADATA)) for n, path in paths.items()}
    read = {n: most(lambda path=path: [None for _ in ModelStore(path).parents()]) for n, path in paths.items()}
    # Parents take some 10 kB each; of those that are gone, only identifiers are held.
    for peaks in (written, read):
        assert peaks[600] - peaks[300] < 300 * 1000


def test_the_cache_forgets_the_oldest():
    asked = []

    class Value:
        nbytes = 40

    def read(number):
        asked.append(number)
        return Value()

    cache = SizedCache(read, 100)
    for number in (1, 2, 1, 3, 1, 2):
        cache(number)
    assert asked == [1, 2, 3, 2]
    small = SizedCache(read, 10)
    assert small(5) is small(5)


def test_arrays_of_two_types_and_one_shape_are_kept_apart(tmp_path):
    single = make_parent(1, [(25, 35)])
    blend = make_parent(2, [(25, 35)]).blends[0]
    component = blend.sources[0].components[0]
    double = replace(component, spectrum=component.spectrum.astype(float))
    source = replace(blend.sources[0], components=(double,))
    other = replace(make_parent(2, [(25, 35)]), blends=(replace(blend, sources=(source,)),))
    write_models(tmp_path / "m", [single, other], METADATA)
    for made, read in zip((single, other), ModelStore(tmp_path / "m").parents(), strict=True):
        assert_same_parent(made, read)
