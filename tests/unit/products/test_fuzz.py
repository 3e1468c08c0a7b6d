"""Damaged and hostile stores: a clear error or whole models, never another exception, never much memory or time.

A fixed number of cases from fixed seeds by default; ``MEAS_DEBLEND_FUZZ_SECONDS=60`` goes on with more seeds for that
long.
"""

import copy
import json
import math
import os
import resource
import signal
import time
from contextlib import contextmanager

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

from meas_deblend.exceptions import ModelError
from meas_deblend.geometry import Box
from meas_deblend.models import ParentModel, PointSourceFit
from meas_deblend.products import ModelStore, StoreMetadata, models_from_json, models_to_json, write_models
from meas_deblend.products._store_schema import store_fields

SECONDS = float(os.environ.get("MEAS_DEBLEND_FUZZ_SECONDS", "0"))
CASES = 150
MOST_MEMORY = 600 << 20
# Seconds for one case, most of which take some milliseconds.
LONGEST = 20
EXTREMES = (
    0, -1, 1, 7, 2**31 - 1, -(2**31), 10**9, 2**40, 2**63 - 1, 10**30, -0.5, 1e308, math.nan, math.inf, "", "g", "<f8",
    "|O", "\0", None, True, [], {}, [[]], [10**9, 10**9], [0, 2**31 - 1], b"", b"\xff" * 50, {"base64": "!"},
    {"float": "x"}, {"base64": 3},
)  # fmt: skip
METADATA = StoreMetadata(BANDS, (100, 120), "", (27.0, 27.0, None), "count", {"meas_deblend": "0.1.0"})
FITS = (PointSourceFit(True, 123.5, (3.25, 3.75)), None, PointSourceFit(False, -2.0, (2.5, 4.5)))


def sample():
    box = Box((-2, -1), (9, 11))
    return [
        make_parent(1, [(25, 35), (20, 45)]),
        with_fits(make_template_parent(2, (3, 4), box), FITS),
        make_parametric_parent(4, (3.25, 4.75), box),
    ]


def read_all(path):
    store = ModelStore(path)
    for parent in store.parents():
        assert isinstance(parent, ParentModel)
        # All together are decoded from columns, one alone from its record.
        assert_same_parent(store.parent(parent.id), parent)
        assert store.owner_of(parent.sources[0].id) == parent.id if parent.sources else True
    store.psf_keys()


def read_text(text):
    for parent in models_from_json(text).parents():
        assert isinstance(parent, ParentModel)


def altered_bytes(rng, whole):
    """Return the bytes with some of them cut, flipped, doubled, overwritten or replaced by extreme integers."""
    out = bytearray(whole)
    # Footers decide over everything, so half of the damage is done there.
    start = 0 if rng.random() < 0.5 else len(out) * 3 // 4
    place = int(rng.integers(start, len(out)))
    match rng.integers(6):
        case 0:
            for _ in range(rng.integers(1, 9)):
                out[rng.integers(start, len(out))] ^= 1 << int(rng.integers(8))
        case 1:
            del out[place:]
        case 2:
            del out[place : place + int(rng.integers(1, 200))]
        case 3:
            part = out[place : place + int(rng.integers(1, 200))]
            out[place:place] = part
        case 4:
            n = int(rng.integers(1, 64))
            out[place : place + n] = rng.bytes(n)
        case _:
            out[place : place + 9] = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f" if rng.random() < 0.5 else b"\0" * 9
    return bytes(out)


def altered_values(rng, value):
    """Return nested dictionaries and lists with one to three values replaced by what does not belong there."""
    out = copy.deepcopy(value)
    for _ in range(rng.integers(1, 4)):
        place, key = out, None
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = keys[rng.integers(len(keys))]
            inner = place[key]
            if not (isinstance(inner, dict | list) and len(inner)) or rng.random() < 0.1:
                break
            place = inner
        if isinstance(place, dict) and rng.random() < 0.15:
            del place[key]
        else:
            # Of the same type mostly: what any reader of the schema would let pass.
            alike = [one for one in EXTREMES if type(one) is type(place[key]) or rng.random() < 0.1]
            place[key] = copy.deepcopy(alike[rng.integers(len(alike))]) if alike else None
        if not out:
            break
    return out


@contextmanager
def ending():
    """Raise TimeoutError in what does not end, where the system has alarms."""

    def give_up(*_):
        raise TimeoutError("it does not end")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzzed(case):
    """Run cases by number: `CASES` of them, and more while there is time."""
    start, number = time.monotonic(), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    while number < CASES or time.monotonic() - start < SECONDS / 4:
        try:
            with ending():
                case(np.random.default_rng([7, number]))
        except ModelError as error:
            refused += bool(str(error))
        except Exception as error:
            raise AssertionError(f"case {number}: {error!r}") from error
        number += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_MEMORY, f"{grown / 2**20:.0f} MiB"
    return refused / number


@pytest.mark.slow
def test_altered_bytes_of_parquet(tmp_path):
    write_models(tmp_path / "whole", sample(), METADATA)
    whole = (tmp_path / "whole").read_bytes()

    def case(rng):
        (tmp_path / "m").write_bytes(altered_bytes(rng, whole))
        read_all(tmp_path / "m")

    assert fuzzed(case) > 0.5


@pytest.mark.slow
def test_altered_records_of_parquet(tmp_path):
    # With right checksums: what a program that means harm would write.
    write_models(tmp_path / "whole", sample(), METADATA)
    table = pq.read_table(tmp_path / "whole")
    rows = table.to_pylist()
    about = pq.read_metadata(tmp_path / "whole").metadata  # with the index
    schema = pa.schema(store_fields(), metadata={key: value for key, value in about.items() if key != b"ARROW:schema"})

    def case(rng):
        try:
            altered = pa.Table.from_pylist(altered_values(rng, rows), schema=schema)
        except (pa.ArrowException, OverflowError, TypeError, AttributeError, ValueError):
            return  # it is of a type that the columns cannot hold
        pq.write_table(altered, tmp_path / "m")
        read_all(tmp_path / "m")

    assert fuzzed(case) > 0.1


@pytest.mark.slow
def test_altered_text_of_json():
    whole = models_to_json(sample(), METADATA).encode()

    def case(rng):
        read_text(altered_bytes(rng, whole).decode("utf-8", errors="replace"))

    assert fuzzed(case) > 0.5


@pytest.mark.slow
def test_altered_values_of_json():
    document = json.loads(models_to_json(sample(), METADATA))

    def case(rng):
        text = json.dumps(altered_values(rng, document), default=lambda value: value.hex())
        read_text(text)

    assert fuzzed(case) > 0.3
