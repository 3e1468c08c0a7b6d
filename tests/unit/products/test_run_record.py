"""run.json: written, read, refused."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from meas_deblend.exceptions import ModelError
from meas_deblend.products import RunInput, RunRecord, file_sha256, read_run_record, write_run_record

RECORD = RunRecord(
    created=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    command=("meas-deblend", "run", "--coadd", "g=g.fits"),
    versions={"meas_deblend": "0.1.0"},
    inputs=(RunInput(band="g", path="/data/g.fits", sha256="0" * 64),),
    read_options={"survey": "hsc", "zeropoint": {"g": 27.0}, "psf": None},
    outcome="ok",
    counts={"parents": 3},
    config="config",
)


def test_what_is_written_is_read(tmp_path):
    write_run_record(tmp_path / "run.json", RECORD)
    assert read_run_record(tmp_path / "run.json") == RECORD
    assert json.loads((tmp_path / "run.json").read_text())["created"] == "2024-05-06T07:08:09Z"


def test_a_missing_record_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"there is no run\.json in .*: not a folder that a run has written"):
        read_run_record(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "1.2.0"}, r"version 1\.2\.0 .* reads up to 1\.0\.0"),
        ({"type": "x"}, "type 'x', not 'meas_deblend.run'"),
        ({"inputs": []}, "damaged: inputs: Tuple should have at least 1 item"),
        ({"surprise": 1}, "damaged: surprise: Extra inputs"),
        ({"created": "2024-05-06T07:08:09"}, "damaged: created: .*timezone"),
    ],
)
def test_other_records_are_refused(tmp_path, change, message):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(RECORD.model_dump(mode="json") | change))
    with pytest.raises(ModelError, match=message):
        read_run_record(path)


def test_half_a_record_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(RECORD.model_dump_json()[:50])
    with pytest.raises(ModelError, match="damaged: file: Invalid JSON"):
        read_run_record(path)


def test_records_are_checked_when_made():
    with pytest.raises(ValidationError, match="sha256"):
        RunInput(band="g", path="/data/g.fits", sha256="abc")
    with pytest.raises(ValidationError, match="frozen"):
        RECORD.outcome = "failed"


def test_checksum_is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000  # more than one chunk
    (tmp_path / "f").write_bytes(content)
    assert file_sha256(tmp_path / "f") == hashlib.sha256(content).hexdigest()
