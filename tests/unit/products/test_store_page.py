"""The format's pages: what they say is what a store holds, and the reader that they give away reads it."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from synthetic_models import BANDS, make_parametric_parent, make_parent, make_template_parent

from meas_deblend.geometry import Box
from meas_deblend.products import StoreMetadata, store_markdown, write_models
from meas_deblend.products._store_schema import FIELD_MEANINGS, store_fields

HOW_TO = Path(__file__).parents[3] / "doc" / "how-to" / "read-without-us.md"


@pytest.fixture
def reader(tmp_path):
    text = re.search(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert len(text.splitlines()) <= 60
    assert "meas_deblend import" not in text
    assert not re.search(r"^\s*(import|from) meas_deblend", text, re.MULTILINE)
    path = tmp_path / "reader.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path):
    box = Box((-2, -1), (9, 11))
    made = [
        make_parent(1, [(25, 35), (20, 45)]),
        make_template_parent(2, (3, 4), box),
        make_parametric_parent(4, (3.25, 4.75), box),
    ]
    write_models(tmp_path / "models.parquet", made, StoreMetadata(BANDS, zeropoints=(27.0, 27.0, None)))
    return tmp_path / "models.parquet", made


def test_the_given_reader_rebuilds_the_models(reader, store):
    path, made = store
    read = runpy.run_path(str(reader))["read"]
    for parent in made:
        for source in parent.sources:
            header, components, psfs = read(path, source.id)
            assert header["bands"] == list(BANDS)
            np.testing.assert_array_equal(psfs, parent.psfs)
            assert len(components) == len(source.components)
            for (kind, box, model), mine in zip(components, source.components, strict=True):
                assert box == [*mine.box.origin, *mine.box.shape]
                if kind == "factorized":
                    np.testing.assert_array_equal(model, mine.spectrum[:, None, None] * mine.morph)
                elif kind == "template":
                    np.testing.assert_array_equal(model, mine.cube)
                elif kind == "point":
                    assert model == [*mine.center]
                else:
                    assert model == [*mine.center, mine.radius, *mine.ellipticity, mine.index]
    with pytest.raises(AssertionError, match="no object 77"):
        read(path, 77)


def test_the_given_reader_runs_without_this_package(reader, store):
    done = subprocess.run(  # noqa: S603  (this interpreter, and the documentation's text)
        [sys.executable, "-I", reader, store[0], "101"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "factorized in bands g r i in the box [13, 38, 15, 15] (3, 15, 15)\n"


def test_the_reference_page_names_every_field():
    page = store_markdown()
    for field in store_fields():
        assert f"| `{field.name}` |" in page
    named = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    # No meaning of a field that is not there, and no field without a meaning.
    assert set(FIELD_MEANINGS) == named - {field.name for field in store_fields()}
    assert not re.search(r"\|\s*\|$", page, re.MULTILINE)


def test_descriptions_are_in_the_file(store):
    schema = pq.read_schema(store[0])
    assert all(field.metadata[b"description"] for field in schema)
