"""The same numbers as the published definitions give: on the given fields, for known models."""

import importlib.util
import sys

import numpy as np
import pytest

from meas_deblend.evaluate import (
    Deblended,
    SourceImages,
    concatenate_scores,
    models_from_array,
    open_fields,
    read_reference_scores,
    score_field,
    summarise,
)

NONE = {"test": 0.1079, "hard": 0.0849, "cosmos": 0.0835}
SCARLET = {"test": 0.0229, "hard": 0.0140, "cosmos": 0.0137}


@pytest.fixture(scope="module")
def referee(data_dir):
    path = data_dir.parent / "tools" / "field_metrics.py"
    if not path.is_file():
        pytest.skip(f"no reference implementation of the metrics at {path}")
    for library in ("galsim", "skimage"):
        pytest.importorskip(library)
    spec = importlib.util.spec_from_file_location("field_metrics", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["field_metrics"] = module
    spec.loader.exec_module(module)
    return module


def poor_models(field, seed):
    """Models with every kind of error: scaled, shifted, missing, with noise."""
    rng = np.random.default_rng(seed)
    models = field.truth * rng.uniform(0.5, 1.5, (len(field.x), 1, 1, 1))
    models = np.roll(models, 1, axis=2) + rng.normal(size=models.shape) * np.sqrt(field.setting.sky.max()) / 100
    models[0] = 0
    return models.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(("name", "number"), [("test", 3), ("hard", 0), ("cosmos", 7)])
def test_scores_of_each_galaxy(data_dir, referee, name, number):
    fields = open_fields(data_dir / "fields" / name)
    field = fields.read(number)
    models = poor_models(field, number)
    ours = score_field(field, Deblended(models_from_array(models, field)))
    theirs = referee.score_field(str(fields.files[number]), models, fields.setting.fwhm)
    pairs = {"F": "F", "Fb": "Fb", "F0": "F0", "Ferr": "Ferr", "Fd": "Fd", "Fm": "Fm", "beta": "beta", "cos": "cos"}
    for mine, name_there in pairs.items():
        scale = np.abs(theirs[name_there]).max()
        np.testing.assert_allclose(getattr(ours, mine), theirs[name_there], rtol=1e-6, atol=1e-9 * scale, err_msg=mine)
    np.testing.assert_allclose(ours.ssim[:, 2], theirs["ssim"][:, 2], rtol=1e-6)
    np.testing.assert_allclose(ours.e, theirs["e"], rtol=1e-6)
    np.testing.assert_allclose(ours.e_true, theirs["e0"], rtol=1e-6)


def test_summaries(data_dir, referee):
    fields = open_fields(data_dir / "fields" / "test")
    parts, theirs = [], []
    for number in (0, 1, 2):
        field = fields.read(number)
        models = poor_models(field, number)
        parts.append(score_field(field, Deblended(models_from_array(models, field)), number))
        theirs.append(referee.score_field(str(fields.files[number]), models, fields.setting.fwhm))
    joined = {key: np.concatenate([part[key] for part in theirs]) for key in theirs[0]}
    there = referee.summarise(joined, np.array([1.0]))
    card = summarise(concatenate_scores(parts), fields.setting.bands, fields.setting.zeropoints)
    here = card["summary"]
    pairs = {
        "n": here["n"],
        "n_bl": here["n_blended"],
        "mean": here["mean_abs_dF_F"],
        "mean_bl": here["mean_abs_dF_F_blended"],
        "med": here["median_abs_dF_F"],
        "med_bl": here["median_abs_dF_F_blended"],
        "p95": here["p95_abs_dF_F"],
        "bias": here["mean_dF_F"],
        "cos": here["cosine"],
        "ssim": here["ssim"],
        "e1": here["sd_e1"],
        "e2": here["sd_e2"],
        "fail": here["failed_shapes"],
        "own": here["model"]["mean_abs"],
        "dT_med": card["colours"]["dC_T"]["median"],
        "dT_w": card["colours"]["dC_T"]["width_68"],
        "dB_med": card["colours"]["dC_B"]["median"],
        "dB_w": card["colours"]["dC_B"]["width_90"],
    }
    for key, value in pairs.items():
        assert value == pytest.approx(there[key], rel=1e-6, abs=1e-6), key
    for band, value in zip(fields.setting.bands, there["bands"], strict=True):
        assert card["bands"][band]["mean_abs_dF_F"] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("name", sorted(NONE))
def test_no_deblending_and_the_truth_itself(data_dir, name, monkeypatch):
    # Likeness and shapes have tests of their own, and take most of the time.
    monkeypatch.setattr("meas_deblend.evaluate.scoring.ssim", lambda *_: 0.0)
    monkeypatch.setattr("meas_deblend.evaluate.scoring.ellipticity", lambda *_: (0.0, 0.0))
    fields = open_fields(data_dir / "fields" / name)
    nothing, oracle = [], []
    for k, field in enumerate(fields):
        nothing.append(score_field(field, Deblended(SourceImages.nothing(field)), k))
        if k < 3:
            oracle.append(score_field(field, Deblended(models_from_array(field.truth, field)), k))
    summary = summarise(concatenate_scores(nothing), fields.setting.bands, fields.setting.zeropoints)["summary"]
    assert summary["mean_abs_dF_F"] == pytest.approx(NONE[name], abs=5e-5)
    perfect = summarise(concatenate_scores(oracle), fields.setting.bands, fields.setting.zeropoints)["summary"]
    assert perfect["mean_abs_dF_F"] == pytest.approx(0, abs=1e-6)
    assert perfect["model"]["mean_abs"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", sorted(SCARLET))
def test_published_scores(data_dir, name):
    tables = read_reference_scores(data_dir / "fields" / "reference_scores.npz", name, tuple("ugrizy"))
    scores = tables["scarlet_v1"].scores
    summary = summarise(scores, tuple("ugrizy"), (None,) * 6)["summary"]
    assert summary["mean_abs_dF_F"] == pytest.approx(SCARLET[name], abs=5e-5)
    assert summary["n"] == {"test": 330, "hard": 148, "cosmos": 159}[name]
