"""``meas-deblend show``, ``demo``, and the parser."""

import importlib
import json
import re

import numpy as np
import pytest
import yaml
from command_line import call, coadd_arguments

from meas_deblend import __version__, framework
from meas_deblend.access import open_run
from meas_deblend.commands.demo import match_sources
from meas_deblend.image import load_survey
from meas_deblend.simulate import simulate_sky


def test_show_tasks(capsys):
    assert call("show", "tasks") == 0
    out = capsys.readouterr().out
    for name in framework.shipped_pipelines():
        pipeline = framework.load_pipeline(name)
        assert f"{name}: {pipeline.description}" in out
        assert framework.show_tasks(pipeline) in out


def test_show_config(capsys, tmp_path):
    assert call("show", "config", "measure", "--survey", "hsc", "-c", "measure:measurement.max_shift=2") == 0
    out = capsys.readouterr().out
    shown = yaml.safe_load(out)["measure"]["measurement"]
    assert shown["aperture_radii"] == [3, 6, 9, 12, 17, 25]
    assert shown["max_shift"] == 2
    assert "set by survey" in out
    # What is shown can be used.
    (tmp_path / "shown.yaml").write_text(out)
    assert call("show", "config", "measure", "-C", tmp_path / "shown.yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out)["measure"]["measurement"] == shown


def test_show_config_history(capsys):
    arguments = ["show", "config", "measure", "--survey", "hsc", "-c", "measure:measurement.aperture_radii=[2]"]
    assert call(*arguments, "--history", "measurement.aperture_radii") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == ["measurement.aperture_radii"] * 3
    assert "class defaults" in lines[2]
    assert "measure.yaml" in lines[3]
    assert "command line" in lines[4]


def test_show_config_of_all_tasks(capsys):
    assert call("show", "config") == 0
    assert list(yaml.safe_load(capsys.readouterr().out)) == list(framework.load_pipeline("multiband").labels)


def test_show_config_diff_is_a_settings_file(capsys, tmp_path):
    changed = ["--survey", "hsc", "-c", "multi_band:fit.max_iter=50", "-c", "detect:detection.grow=2.4"]
    assert call("show", "config", "--diff", "default", *changed) == 0
    out = capsys.readouterr().out
    # What is set to its default does not differ.
    assert yaml.safe_load(out) == {
        "multi_band": {"fit": {"max_iter": 50}},
        "measure": {"measurement": {"aperture_radii": [3, 6, 9, 12, 17, 25]}},
    }
    assert "# Most updates of a blend" in out
    assert "max_iter: 50  # an integer ≥ 0; set by command line; default: 100" in out
    (tmp_path / "only.yaml").write_text(out)
    assert call("show", "config", "--diff", "hsc", "-C", tmp_path / "only.yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out) == {"multi_band": {"fit": {"max_iter": 50}}}
    assert call("show", "config", "measure", "--diff", "hsc", "-C", tmp_path / "only.yaml") == 0
    assert capsys.readouterr().out == "# All settings are those of hsc.\n"


def test_show_config_schema(capsys):
    assert call("show", "config", "--schema") == 0
    assert "multi_band" in json.loads(capsys.readouterr().out)["properties"]
    assert call("show", "config", "measure", "--schema") == 0
    assert "measurement" in json.loads(capsys.readouterr().out)["properties"]
    assert call("show", "survey", "--schema") == 0
    assert "pixel_scale" in json.loads(capsys.readouterr().out)["properties"]


def test_show_survey(capsys, tmp_path):
    assert call("show", "survey", "hsc") == 0
    out = capsys.readouterr().out
    assert yaml.safe_load(out)["pixel_scale"] == 0.168
    assert "# Arcseconds per pixel" in out
    (tmp_path / "survey.yaml").write_text(out)
    assert load_survey(tmp_path) == load_survey("hsc")


def test_a_former_name_is_told_once(capsys):
    assert call("show", "config", "deconvolve", "-c", "deconvolve:hierarchy.grow=3") == 0
    said = capsys.readouterr()
    assert yaml.safe_load(said.out)["deconvolve"]["hierarchy"]["grow_size"] == 3
    assert said.err.splitlines() == [
        "warning: deconvolve:hierarchy.grow is called hierarchy.grow_size now: the former name still works, but will "
        "not always. Set by command line."
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["config", "--history", "fit.max_iter"], "--history needs the task's label"),
        (["config", "--diff", "hcs"], "did you mean 'hsc'?"),
        (["config", "-c", "multi_bnad:fit.max_iter=1"], "no task labelled 'multi_bnad'; did you mean 'multi_band'?"),
        (["config", "-c", "multi_band:fit.max_itr=1"], "multi_band:fit.max_itr: unknown setting; did you mean 'max_it"),
        (["config", "multi_bnad"], "no task labelled 'multi_bnad'; did you mean 'multi_band'?"),
        (["config", "multi_band", "--history", "fit.maxiter"], "fit.maxiter"),
        (["config", "multi_band", "--survey", "hcs"], "did you mean 'hsc'?"),
        (["pipeline", "multi"], "there is no pipeline 'multi'"),
    ],
)
def test_show_refuses_what_is_not_there(capsys, arguments, message):
    assert call("show", *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_show_pipeline(capsys):
    assert call("show", "pipeline") == 0
    assert capsys.readouterr().out.rstrip() == framework.show_pipeline(framework.load_pipeline("multiband"))
    assert call("show", "pipeline", "none") == 0
    assert "NoDeblendingTask" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["demo", "--help"], ["show", "config", "--help"]])
def test_help(capsys, words):
    with pytest.raises(SystemExit) as left:
        call(*words)
    assert left.value.code == 0
    assert "usage: meas-deblend" in capsys.readouterr().out


def test_version_and_usage(capsys):
    with pytest.raises(SystemExit) as left:
        call("--version")
    assert left.value.code == 0
    assert capsys.readouterr().out.strip() == f"meas_deblend {__version__}"
    for words in ([], ["run"], ["run", "--out", "x"], ["deblend"], ["show"]):
        with pytest.raises(SystemExit) as left:
            call(*words)
        assert left.value.code == 2
    assert "required" in capsys.readouterr().err


@pytest.fixture
def small_demo(monkeypatch):
    """Let the demo simulate a smaller sky."""

    def _small(config):
        smaller = {"shape": (110, 120), "n_galaxies": 6, "n_stars": 2, "galaxy_magnitudes": (20.0, 22.5)}
        return simulate_sky(config.model_copy(update={**smaller, "bands": config.bands[1:3]}))

    # The package's attribute of this name is the command itself.
    monkeypatch.setattr(importlib.import_module("meas_deblend.commands.demo"), "simulate_sky", _small)


@pytest.mark.usefixtures("small_demo")
def test_demo(capsys, tmp_path):
    out = tmp_path / "demo"
    arguments = ["demo", "--out", out, "--no-figures", "--seed", "5", "--pipeline", "single_band"]
    assert call(*arguments) == 0
    said = capsys.readouterr().out
    assert "simulating a sky (seed 5)" in said
    assert "truth: 8 sources, " in said
    assert f"meas-deblend run --coadd r={out / 'sky' / 'r.fits'} i={out / 'sky' / 'i.fits'} --survey generic" in said
    assert (out / "sky" / "truth.ecsv").is_file()
    run = open_run(out)
    assert run.record.command[:2] == ("meas-deblend", "demo")
    assert run.coadds.bands == ("r", "i")
    # A second time only when it is asked for; then the sky of the first is replaced, too.
    assert call(*arguments) == 2
    assert "the output folder is in use" in capsys.readouterr().err
    assert call(*arguments[:-3], "6", *arguments[-2:], "--overwrite") == 0
    assert open_run(out).record.inputs[0].sha256 != run.record.inputs[0].sha256


def test_a_demo_with_a_wrong_setting_touches_nothing(capsys, tmp_path):
    assert call("demo", "--out", tmp_path / "demo", "-c", "nobody:field=1") == 2
    assert "no task labelled 'nobody'" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_the_brighter_source_chooses_first():
    truth = {"x": np.array([10.0, 11.0, 40.0]), "y": np.array([10.0, 10.0, 10.0])}
    objects = {"x": [10.6, 12.5], "y": [10.0, 10.0]}
    assert match_sources(truth, objects, np.array([1.0, 5.0, 9.0])) == {1: 0, 0: 1}


def test_warmup_compiles_and_says_so(capsys):
    assert call("warmup") == 0
    assert re.fullmatch(r"the inner loops are compiled \(\d+\.\d s\)\n", capsys.readouterr().out)


def test_a_finished_run_is_shown(files, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ("--pipeline", "none", "--no-figures", "--only", 2)
    assert call("run", *coadd_arguments(files), "--out", out, *arguments) == 0
    capsys.readouterr()
    assert call("show", "run", out) == 0
    text = capsys.readouterr().out
    assert text.startswith("7 objects (1 isolated) in 3 parents; the run was partial, finished 20")
    assert "      5        2  not_selected  3 1" in text
    assert "2 parents were not to be deblended" in text
    assert "failed" not in text
    assert call("show", "run", out, "--reason", "not_selected") == 0
    assert capsys.readouterr().out == "1\n3\n"
    # Settings can be compared with those of the run.
    same = ["show", "config", "--pipeline", "none", "--diff", out]
    assert call(*same) == 0
    assert capsys.readouterr().out == f"# All settings are those of {out}.\n"
    assert call(*same, "-c", "detect:detection.grow=3") == 0
    assert f"grow: 3.0  # a number ≥ 0, ≤ 50; set by command line; {out}: 2.4" in capsys.readouterr().out
