"""Files that declare more than they should be given: refused before anything is allocated."""

import json
from base64 import b64encode
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_models import BANDS, make_parent

from meas_deblend.exceptions import CorruptModelError
from meas_deblend.products import ModelStore, StoreMetadata, write_models
from meas_deblend.products import _guard as guard
from meas_deblend.products._footer import Footer, read_footer
from meas_deblend.products._index import INDEX_KEY
from meas_deblend.products._store_schema import store_fields
from meas_deblend.products._thrift import CompactReader

PIXELS = "blends.list.element.sources.list.element.components.list.element.pixels.values"


@pytest.fixture
def path(tmp_path):
    write_models(tmp_path / "m", [make_parent(k, [(25, 35), (20, 45)]) for k in (1, 2)], StoreMetadata(BANDS))
    return tmp_path / "m"


def about(path):
    """Return the metadata of the file, which the index is in, too."""
    return {key: value for key, value in pq.read_metadata(path).metadata.items() if key != b"ARROW:schema"}


def rewritten(path, change):
    """Write the rows again after a change, with checksums that are right."""
    rows = pq.read_table(path).to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(store_fields(), about(path))), path, compression="zstd")


def component(row):
    return row["blends"][0]["sources"][0]["components"][0]


def test_what_compresses_to_nothing_is_not_unpacked(path, monkeypatch):
    def change(rows):
        component(rows[-1])["pixels"]["values"] = bytes(3 << 20)

    monkeypatch.setattr(guard, "_LARGEST_GROUP", 2 << 20)
    rewritten(path, change)
    assert path.stat().st_size < 100_000
    with pytest.raises(CorruptModelError, match=r"damaged at parent 2: row group 0 declares \d+ values in \d+ bytes"):
        ModelStore(path).parent(2)


def test_runs_of_nothing_are_not_unrolled(path, monkeypatch):
    def change(rows):
        rows[-1]["warnings"] = [None] * 5000

    monkeypatch.setattr(guard, "_MOST_VALUES", 4000)
    rewritten(path, change)
    with pytest.raises(CorruptModelError, match=r"5005 values in .* up to column"):
        ModelStore(path).parent(2)


def test_page_headers_are_not_believed(path, monkeypatch):
    # The footer stays as it is; the page says that it grows a thousandfold.
    group = pq.ParquetFile(path).metadata.row_group(1)
    column = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == PIXELS)
    whole = bytearray(path.read_bytes())
    place = column.data_page_offset
    assert whole[place : place + 3] == b"\x15\x00\x15"  # field 1: a data page; field 2: its size, two bytes
    assert whole[place + 3] & 128
    assert not whole[place + 4] & 128
    whole[place + 3 : place + 5] = b"\xfe\x7f"
    path.write_bytes(whole)
    monkeypatch.setattr(guard, "_LARGEST_GROUP", 30_000)
    with pytest.raises(CorruptModelError):
        ModelStore(path).parent(1)


# A list of 2⁵⁵ doubles, which would be passed over one by one.
ENDLESS = b"\x19\xf7" + b"\xff" * 7 + b"\x7f"


@pytest.mark.parametrize("header", [b"\xff" * 200, b"\x00", b"\x15\x00\x15\x01\x15\x02\x00", b"\x1c" * 50, ENDLESS])
def test_page_headers_that_make_no_sense_are_refused(path, header):
    group = pq.ParquetFile(path).metadata.row_group(1)
    whole = bytearray(path.read_bytes())
    place = group.column(20).data_page_offset
    whole[place : place + len(header)] = header
    path.write_bytes(whole)
    with pytest.raises(CorruptModelError, match="damaged at parent 1"):
        ModelStore(path).parent(1)


@given(st.binary(max_size=100), st.sampled_from([b"", ENDLESS[:2], b"\x1c", b"\x1c" + ENDLESS]))
def test_any_bytes_are_read_in_a_time_that_goes_as_their_number(data, before):
    whole = before + data
    reader = Counting(whole)
    with suppress(CorruptModelError, IndexError):
        reader.struct()
    assert reader.values <= 2 * len(whole)


class Counting(CompactReader):
    """Counts the values that it is asked for."""

    values = 0

    def value(self, kind, depth=0):
        self.values += 1
        assert self.values <= 1000, "it does not end"
        return super().value(kind, depth)


def with_footer(path, change):
    """Write the file anew with its footer's bytes changed."""
    whole = path.read_bytes()
    size = int.from_bytes(whole[-8:-4], "little")
    footer = change(whole[-8 - size : -8])
    path.write_bytes(whole[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def test_sizes_that_contradict_the_schema_do_not_end_the_process(path):
    # A list of three counts of levels where the schema allows two: pyarrow aborts when it is asked for such a column.
    whole = b"\x3c\x29\x06\x19\x26"
    with_footer(path, lambda footer: footer.replace(whole, whole[:-1] + b"\x36\x00"))
    with pytest.raises(CorruptModelError, match="damaged at parent 1"):
        ModelStore(path).parent(1)


def test_columns_of_any_writer_are_understood(tmp_path):
    table = pa.table({"a": [1, 2, 3], "b": ["x", None, "y"], "c": [[1.0], [], [2.0, 3.0]]})
    for number, options in enumerate([{}, {"compression": "none", "use_dictionary": False}, {"version": "1.0"}]):
        name = str(tmp_path / f"{number}.parquet")
        pq.write_table(table, name, row_group_size=2, write_page_index=number == 0, **options)
        columns = Footer.parse(read_footer(pa.OSFile(name)))
        about = pq.read_metadata(name)
        assert len(columns.groups) == about.num_row_groups == 2
        for group in range(2):
            assert [place.size for place in columns.places(group)] == [
                about.row_group(group).column(k).total_compressed_size for k in range(3)
            ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda footer: footer[:-40], "does not end"),
        (lambda footer: footer[:-1] + b"\x06\x02\x00\x00", "field 1 behind field"),
        (lambda footer: b"\x1c" * 20 + footer, "too deep"),
    ],
)
def test_footers_that_make_no_sense_are_refused(path, change, text):
    with_footer(path, change)
    with pytest.raises(CorruptModelError, match=text):
        Footer.parse(read_footer(pa.OSFile(str(path))))


def test_every_page_of_a_store_is_understood(path):
    stream = pa.OSFile(str(path))
    file = pq.ParquetFile(stream)
    columns = Footer.parse(read_footer(stream))
    assert len(columns.groups) == file.num_row_groups
    for group in range(file.num_row_groups):
        places = columns.places(group)
        about = file.metadata.row_group(group)
        guard.check_group(places, group, stream)
        for place, column in zip(places, map(about.column, range(about.num_columns)), strict=True):
            offset = column.dictionary_page_offset
            assert place.start == (column.data_page_offset if offset is None else offset)
            assert place.size == column.total_compressed_size
            pages = list(guard._pages(stream, place.start, place.size))
            assert sum(size for size, _ in pages) <= column.total_uncompressed_size
            assert pages[-1][1] == column.num_values


@pytest.mark.parametrize(
    "change",
    [
        {"objects": 2**40},
        {"parents": -1},
        {"psfs": 5},
        {"psfs": [[0, 5]]},
        {"psfs": [[0, 2**40]]},
        {"psfs": [[-1, 4]]},
        {"psfs": [[0, "4"]]},
        {"psfs": [[0.0, 4]]},
        {"ids": "!"},
        {"ids": b64encode(pa.compress(bytes(1 << 24), codec="zstd", asbytes=True)).decode()},
        {"objects": None},
        {"objects": 3},
    ],
)
def test_an_index_that_does_not_fit_is_refused(path, change):
    table = pq.read_table(path)
    metadata = about(path)
    metadata[INDEX_KEY.encode()] = json.dumps(json.loads(metadata[INDEX_KEY.encode()]) | change).encode()
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(CorruptModelError, match="damaged"):
        ModelStore(path)


def test_an_index_that_lies_is_noticed(path, tmp_path):
    write_models(tmp_path / "other", [make_parent(k, [(25, 35), (20, 45)]) for k in (1, 3)], StoreMetadata(BANDS))
    lie = about(tmp_path / "other")[INDEX_KEY.encode()]
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata(about(path) | {INDEX_KEY.encode(): lie}), path)
    with pytest.raises(CorruptModelError, match="damaged at parent 3: its row is that of 2"):
        ModelStore(path).parent(3)


def test_stores_without_an_index_are_read_all_the_same(path):
    table = pq.read_table(path)
    metadata = {key: value for key, value in about(path).items() if key != INDEX_KEY.encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    store = ModelStore(path)
    assert store.parent_ids() == (1, 2)
    assert store.owner_of(201) == 2
    assert np.isfinite(store.parent(2).psfs).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row["footprint"].update(box=[0, 0, 10**9, 10**9]), "the largest has 67108864 px"),
        (lambda row: row["footprint"].update(box=[0, 0, 10**9, 0]), "the largest has 67108864 px"),
        (lambda row: component(row).update(box=[0, 0, 10**9, 10**9]), "the largest has"),
        (lambda row: component(row)["pixels"].update(shape=[2**31 - 1, 2**31 - 1]), "bytes of support do not make"),
        (lambda row: component(row)["spectrum"].update(shape=[2**31 - 1]), "bytes do not make an array"),
        (lambda row: row["footprint"]["spans"]["x_stop"].__setitem__(0, 2**31 - 1), "1 runs of the footprint are not"),
        (lambda row: row["footprint"]["spans"]["y"].pop(), "damaged"),
        (lambda row: row.update(kernel_floor=float("nan")), "the kernels' floor must be finite"),
        (
            lambda row: row["footprint"]["peaks"][0].update(position={"y": float("nan"), "x": 1.0}),
            "positions must be finite, got nan",
        ),
        (lambda row: component(row).update(kind="point", parameters=[float("inf"), 0.0]), "parameters must be finite"),
        (lambda row: component(row).update(kind="profile", parameters=[1.0, 2.0]), "damaged"),
        (lambda row: row["blends"][0]["sources"].pop(), "must have one source per peak"),
        (lambda row: row.update(model_psf=None), "no model PSF"),
        (lambda row: row.update(psfs=row["psfs"][:2]), "PSFs of shape"),
        (lambda row: row.update(psfs=["none"] * 3), "KeyError"),
        (lambda row: row.update(psfs=[]), "are no stack"),
    ],
)
def test_records_that_declare_nonsense_are_refused(path, change, message):
    rewritten(path, lambda rows: change(rows[-1]))
    store = ModelStore(path)
    assert store.parent(1).id == 1
    with pytest.raises(CorruptModelError, match=f"damaged at parent 2: .*{message}"):
        store.parent(2)
    with pytest.raises(CorruptModelError, match=message):
        list(store.parents())
