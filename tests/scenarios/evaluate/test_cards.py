"""From fields to cards: the whole way, with the shipped deblenders and with one that fails."""

import json
import logging

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from meas_deblend.cards import CardJob, make_cards, read_card, write_card
from meas_deblend.chains import load_chain, load_chains
from meas_deblend.cli import main
from meas_deblend.deblenders import get_deblender, registry
from meas_deblend.evaluate import evaluate_field, open_fields
from meas_deblend.exceptions import ConfigError, InputError, PipelineError
from meas_deblend.framework import layer_from_assignment

NUMBERS = ("n", "mean_abs_dF_F", "mean_abs_dF_F_ci", "mean_abs_dF_F_blended", "median_abs_dF_F",
           "p_gt_0p1_kappa_gt_0p1", "cosine", "ssim", "sd_e1", "failed_shapes", "seconds_per_field")  # fmt: skip


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Moody:
    """Works like sep, but not on parents with more than one peak."""

    name = "moody"
    Options = Options

    def __call__(self, exposure, parent, options):
        if len(parent.footprint.peaks) > 1:
            raise RuntimeError("too many")
        sep = get_deblender("sep")
        return sep(exposure, parent, sep.Options())


@pytest.fixture(autouse=True)
def log_as_it_was():
    """Undo what the commands do to the package's log: other tests listen to it."""
    log = logging.getLogger("meas_deblend")
    state = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = state


@pytest.fixture
def moody(monkeypatch):
    monkeypatch.setitem(registry._REGISTRY._registered, "moody", Moody())


@pytest.fixture(scope="module")
def cards(folder):
    job = CardJob(folder, ("none", "sep", "multi_band"))
    return {card.name: card for card in make_cards(job)}


def test_cards_have_the_numbers_that_are_asked_for(cards):
    assert list(cards) == ["none", "sep", "multi_band"]
    for card in cards.values():
        assert set(NUMBERS) <= set(card.values["summary"])
        assert card.values["n_fields"] == 2
        assert card.values["centres"] == "given"
        assert card.values["fields"] == "small"
        assert card.values["summary"]["failed_fields"] == 0
        assert len(card.table.scores) == 7
        json.dumps(card.values, allow_nan=False)
    none = cards["none"].values["summary"]
    assert none["mean_abs_dF_F"] == pytest.approx(np.abs(cards["none"].table.scores.kappa[:, 1]).mean())
    assert none["unmodelled"] == 7


def test_deblending_helps(cards):
    error = {name: card.values["summary"] for name, card in cards.items()}
    assert error["multi_band"]["mean_abs_dF_F"] < 0.5 * error["none"]["mean_abs_dF_F"]
    assert error["multi_band"]["child"]["mean_abs"] < error["none"]["child"]["mean_abs"]
    assert error["multi_band"]["cosine"] > 0.95


def test_folders_of_cards(cards, tmp_path):
    card = cards["multi_band"]
    objects, path = write_card(card, tmp_path / "card")
    again = read_card(tmp_path / "card")
    assert again.values == card.values
    np.testing.assert_array_equal(again.table.scores.Fd, card.table.scores.Fd)
    assert read_card(path).name == "multi_band"
    with pytest.raises(InputError, match=r"no card\.json in it; it has the cards .*card: name one of them"):
        read_card(tmp_path)
    path.write_text("[]")
    with pytest.raises(InputError, match="is no evaluation card"):
        read_card(path)
    objects.unlink()


def test_a_deblender_that_fails_on_some_parents_is_scored_without_their_models(folder, moody):
    card = next(make_cards(CardJob(folder, ("moody",))))
    summary = card.values["summary"]
    assert summary["failed_fields"] == 0
    assert card.values["outcomes"]["failed: fit_failed"] >= 1
    assert 0 < summary["unmodelled"] < 7
    # The members of the blend keep their contamination.
    scores = card.table.scores
    lost = ~scores.modelled
    np.testing.assert_allclose(scores.field_error[lost, 1], scores.kappa[lost, 1], atol=1e-3)


def test_a_chain_that_fails_is_scored_as_no_models(folder):
    class Broken:
        deblender = "broken"

        def __call__(self, exposure, sources):
            raise PipelineError("task 'deblend' failed: out of luck")

    result = evaluate_field(open_fields(folder).read(0), Broken())
    assert result.error == "task 'deblend' failed: out of luck"
    assert not result.scores.modelled.any()


def test_detection_is_counted(folder):
    card = next(make_cards(CardJob(folder, ("sep",), detect=True)))
    assert card.values["centres"] == "detected"
    assert card.values["detection"]["sources"] == 7
    assert card.values["detection"]["completeness"] > 0.5
    assert card.values["detection"]["purity"] > 0.5


def test_settings_go_to_the_chain_that_has_the_label(folder):
    layers = [layer_from_assignment("sep:thresh=3"), layer_from_assignment("multi_band:fit.max_iter=7")]
    sep, multi = load_chains(("sep", "multi_band"), layers)
    assert sep.settings["deblend"]["deblender"]["sep"]["thresh"] == 3
    assert multi.settings["multi_band"]["fit"]["max_iter"] == 7
    load_chains(("multi_band",), [layer_from_assignment("measure:measurement.aperture_radii=[3.0]")])
    assert load_chain("sep").pipeline.labels == ("detect", "deconvolve", "deblend", "apportion")
    with pytest.raises(ConfigError, match="no task labelled 'multi_band'"):
        load_chains(("sep",), layers)
    with pytest.raises(ConfigError, match="thresh"):
        load_chain("sep", [layer_from_assignment("sep:thresh=-1")])
    with pytest.raises(ConfigError, match="no deblender 'sepp'"):
        load_chain("sepp")


def test_jobs_that_make_no_sense(folder):
    with pytest.raises(InputError, match="at least 1, got 0"):
        next(make_cards(CardJob(folder, ("sep",), jobs=0)))
    with pytest.raises(InputError, match="each deblender is named once"):
        next(make_cards(CardJob(folder, ("sep", "sep"))))


def test_command_line(folder, tmp_path, capsys):
    out = tmp_path / "card"
    arguments = ["evaluate", "--fields", str(folder), "--deblender", "none", "--out", str(out),
                 "--no-figures"]  # fmt: skip
    assert main(arguments) == 0
    assert "mean|dF/F|" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "the output folder is in use" in capsys.readouterr().err
    both = tmp_path / "both"
    assert main(["evaluate", "--fields", str(folder), "--deblender", "none", "--deblender", "sep", "--out", str(both),
                 "--no-figures", "-j", "1"]) == 0  # fmt: skip
    files = ["--out", str(tmp_path / "pairs.json"), "--figure", str(tmp_path / "pairs.png")]
    assert main(["compare", str(out), str(both / "sep"), *files]) == 0
    assert (tmp_path / "pairs.png").is_file()
    assert "sep / none: 7 galaxies of 2 fields, paired" in capsys.readouterr().out
    assert json.loads((tmp_path / "pairs.json").read_text())["sep / none"]["field"]["mean_abs_ratio"] > 0
    assert main(["compare", str(out)]) == 2
    assert "one card has nothing to be compared with" in capsys.readouterr().err
    assert main(["evaluate", "--fields", str(tmp_path), "--deblender", "none", "--out", str(tmp_path / "x")]) == 2
    assert "no field_*.npz" in capsys.readouterr().err


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_scores(folder, cards):
    parallel = next(make_cards(CardJob(folder, ("sep",), jobs=2)))
    for name, column in parallel.table.columns().items():
        np.testing.assert_array_equal(column, cards["sep"].table.columns()[name], err_msg=name)
