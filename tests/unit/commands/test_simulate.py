"""``meas-deblend simulate`` from its arguments to its files."""

import json

import numpy as np
import pytest

from meas_deblend.cli import main


def simulate(*arguments):
    return main(["simulate", *map(str, arguments)])


def test_fields_are_written(tmp_path, capsys):
    out = tmp_path / "sky"
    assert simulate("postage", "--out", out, "--seed", 4, "--n-fields", 2) == 0
    said = capsys.readouterr().out
    assert "field_000: " in said
    assert f"meas-deblend run --coadd u={out}/coadds/field_000/u.fits" in said
    record = json.loads((out / "simulation.json").read_text())
    assert (record["preset"], record["seed"], record["n_fields"]) == ("postage", 4, 2)
    found = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert found == sorted(record["files"])
    assert "psf.npz" in found
    assert "fields/field_001.npz" in found
    assert "coadds/field_001/y.fits" in found
    first, second = (np.load(out / "fields" / f"field_00{k}.npz")["image"] for k in (0, 1))
    assert first.shape == (6, 45, 45)
    assert not np.array_equal(first, second)


def test_a_folder_in_use_needs_overwrite(tmp_path, capsys):
    for _ in range(2):
        code = simulate("postage", "--out", tmp_path, "--no-coadds")
    assert code == 2
    assert "the output folder is in use" in capsys.readouterr().err
    assert simulate("postage", "--out", tmp_path, "--no-coadds", "--overwrite", "--seed", 2) == 0


def test_options_reach_the_field(tmp_path):
    simulate("field", "--size", 180, "--out", tmp_path, "--psf", "moffat", "--psf-variation", 0.1, "--no-coadds")
    assert np.load(tmp_path / "fields" / "field_000.npz")["image"].shape == (6, 180, 180)
    # Turbulence and diffraction put less than 0.997 into these stamps.
    assert np.load(tmp_path / "psf.npz")["psf"].sum(axis=(1, 2)).min() > 0.998


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--n-fields", "0"), "--n-fields must be 1 or more, got 0"),
        (("--seed", "-1"), "--seed must be 0 or more, got -1"),
        (("--size", "4"), "preset postage: shape.0: Input should be greater than or equal to 16"),
        (("--conditions", "hst"), "survey conditions 'hst' are not known: give lsst"),
        (("--catalog", "nowhere.fits"), "catalog nowhere.fits: no such file"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, capsys, arguments, message):
    out = tmp_path / "out"
    assert simulate("postage", "--out", out, *arguments) == 2
    assert message in capsys.readouterr().err
    # Nothing is left behind by a mistake.
    assert not out.exists()


def test_unknown_presets_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        simulate("fields", "--out", tmp_path)
    assert "three-in-a-row" in capsys.readouterr().err
