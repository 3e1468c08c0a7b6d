"""``meas-deblend run``: what may be given, what is refused in which words, and what a run's folder finds again."""

import re

import numpy as np
import pytest
import small_sky
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

import meas_deblend.commands.one_patch as run_command
from meas_deblend.access import open_run
from meas_deblend.exceptions import ModelError
from meas_deblend.image import GaussianPsf, PlaneSpec
from meas_deblend.products import file_sha256
from meas_deblend.run_inputs import describe_inputs


@pytest.fixture
def plain_files(files, tmp_path):
    """Image and weight in files of their own, without a PSF and without a zero point."""
    found = {}
    for band, path in files.items():
        with fits.open(path) as hdus:
            header = hdus["IMAGE"].header.copy()
            del header["PHOTZP"]
            fits.PrimaryHDU(hdus["IMAGE"].data, header).writeto(tmp_path / f"{band}.fits")
            fits.PrimaryHDU(1 / hdus["VARIANCE"].data).writeto(tmp_path / f"{band}_weight.fits")
        found[band] = (tmp_path / f"{band}.fits", tmp_path / f"{band}_weight.fits")
    return found


def with_weights(plain_files):
    return [f"{band}={image},weight={weight}" for band, (image, weight) in plain_files.items()]


def test_separate_planes_are_recorded_and_read_again(quick, plain_files):
    code, folder, said = quick("--psf", "fwhm=0.7", "--zeropoint", "27", coadds=with_weights(plain_files))
    assert code == 0, said.err
    run = open_run(folder)
    for entry, (image, weight) in zip(run.record.inputs, plain_files.values(), strict=True):
        assert entry.path == str(image)
        assert entry.planes == {"image": str(image), "weight": str(weight)}
        assert run.record.checksums[str(weight)] == file_sha256(weight)
    assert run.record.read_options["psf"] == "fwhm=0.7"
    assert run.record.read_options["zeropoint"] == 27.0
    source = run.at_pixel(15.2, 72.6)
    assert source.reapportioned("r").pixels.sum() > 0
    assert np.allclose(run.coadds.variance, small_sky.exposure().variance, rtol=1e-6)
    with fits.open(plain_files["r"][1], mode="update") as hdus:
        hdus[0].data[0, 0] *= 2
    with pytest.raises(ModelError, match=r"a file that the run read, .*r_weight\.fits, has changed"):
        open_run(folder).at_pixel(15.2, 72.6).reapportioned("r")


def test_relative_paths_are_found_from_elsewhere(quick, plain_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    coadds = ["r=r.fits,weight=r_weight.fits", "i=./i.fits,sigma=0.02"]
    code, folder, said = quick("--psf", "r=fwhm=0.7", "i=moffat:fwhm=0.6,beta=3", coadds=coadds)
    assert code == 0, said.err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = open_run(folder)
    assert run.coadds.box.shape == small_sky.CONFIG.shape
    assert run.record.inputs[1].planes == {"image": str(tmp_path / "i.fits"), "sigma": 0.02}


def test_an_hdu_can_be_chosen(quick, files, tmp_path):
    code, folder, said = quick(coadds=[f"i={files['i']}[IMAGE],variance={files['i']}[VARIANCE]"])
    assert code == 0, said.err
    assert open_run(folder).record.inputs[0].planes["image"] == f"{files['i']}[IMAGE]"
    assert np.array_equal(open_run(folder).coadds.images[0], small_sky.exposure().images[1])


@pytest.fixture
def own_survey(tmp_path, monkeypatch):
    """Folder ``mine`` with a survey's settings, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "survey.yaml").write_text("name: mine\ndescription: My images.\nbad_planes: [SAT]\n")
    (tmp_path / "mine" / "measure.yaml").write_text("measurement: {aperture_radii: [4]}\n")
    return tmp_path / "mine"


def test_a_name_is_not_taken_for_a_folder(quick, own_survey):
    code, _, said = quick("--survey", own_survey.name)
    assert code == 2
    assert "there is no survey 'mine'" in said.err
    assert "as a path with a / in it" in said.err


@pytest.mark.parametrize("name", ["mine/", "./mine", "mine/survey.yaml"])
def test_a_survey_of_ones_own(quick, own_survey, tmp_path, monkeypatch, name):
    code, folder, said = quick("--survey", name)
    assert code == 0, said.err
    run = open_run(folder)
    assert "i_ap04Flux" in run.objects.colnames
    survey = own_survey / "survey.yaml"
    assert run.record.checksums[str(survey)] == file_sha256(survey)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert open_run(folder).coadds.mask_planes.bad == ("SAT",)


def test_a_survey_in_a_single_file(quick, own_survey):
    alone = own_survey.parent / "alone.yaml"
    (own_survey / "survey.yaml").rename(alone)
    code, folder, said = quick("--survey", "alone.yaml")
    assert code == 0, said.err
    run = open_run(folder)
    assert run.record.read_options["survey"] == str(alone)
    assert run.coadds.mask_planes.bad == ("SAT",)


def test_a_folder_that_is_called_as_a_survey_is_not_taken_for_it(quick, tmp_path, monkeypatch):
    (tmp_path / "hsc").mkdir()
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    _, folder, _ = quick("--survey", "hsc")
    run = open_run(folder)
    assert run.record.read_options["survey"] == "hsc"
    assert run.record.read_options["background"] == "none"
    assert run.coadds.box.shape == small_sky.CONFIG.shape


@pytest.mark.parametrize("frame", ["pixels", "icrs", "galactic", "option"])
def test_source_lists(quick, tmp_path, frame):
    truth = small_sky.sky().truth
    table = Table({"id": [f"s{k}" for k in truth["id"]], "x": truth["x"], "y": truth["y"]})
    arguments = []
    if frame != "pixels":
        del table["x"], table["y"]
        sky = {"ra": truth["ra"], "dec": truth["dec"]}
        if frame != "icrs":
            there = SkyCoord(truth["ra"], truth["dec"], unit="deg").galactic
            sky = {"ra": there.l.deg, "dec": there.b.deg}
        for name, values in sky.items():
            table[name] = values
        if frame == "galactic":
            table["frame"] = "galactic"
        elif frame == "option":
            arguments = ["--frame", "galactic"]
    table.write(tmp_path / "mine.csv")
    code, folder, said = quick("--sources", tmp_path / "mine.csv", *arguments)
    assert code == 0, said.err
    objects = open_run(folder).objects
    assert sorted(objects["sourceName"]) == sorted(table["id"])
    by_name = {row["sourceName"]: row for row in objects}
    for name, y, x in zip(table["id"], truth["y"], truth["x"], strict=True):
        row = by_name[name]
        assert abs(row["deblend_peak_center_y"] - y) <= 0.5 + 1e-6
        assert abs(row["deblend_peak_center_x"] - x) <= 0.5 + 1e-6


def test_sources_off_the_image_are_said(quick, tmp_path):
    (tmp_path / "mine.csv").write_text("x,y\n72.6,15.2\n400,3\n")
    code, folder, said = quick("--sources", tmp_path / "mine.csv")
    assert code == 0
    assert "1 of 2 positions are outside the image and were left out: 2" in said.err
    assert said.err.count("warning: source list") == 1
    assert len(open_run(folder).objects) == 1


def test_background_is_subtracted_and_recorded(quick, files, tmp_path):
    for band, path in files.items():
        with fits.open(path) as hdus:
            hdus["IMAGE"].data += np.float32(0.5)
            hdus.writeto(tmp_path / f"{band}.fits")
    coadds = [f"{band}={tmp_path / f'{band}.fits'}" for band in files]
    code, folder, said = quick("--background", "subtract", coadds=coadds)
    assert code == 0, said.err
    run = open_run(folder)
    assert run.record.read_options["background"] == "subtract"
    assert np.allclose(run.coadds.background, 0.5, atol=0.05)
    assert len(run.objects) == sum(small_sky.PEAKS)


def test_a_band_without_psf_can_be_dropped(quick, files, plain_files):
    image, weight = plain_files["r"]
    coadds = [f"r={image},weight={weight}", f"i={files['i']}"]
    code, _, said = quick(coadds=coadds)
    assert code == 2
    assert "no PSF for band r" in said.err
    assert "--psf r=fwhm=0.7" in said.err
    code, folder, said = quick("--missing-psf", "drop", coadds=coadds)
    assert code == 0
    assert "warning: band r: left out, because it has no PSF" in said.err
    assert [entry.band for entry in open_run(folder).record.inputs] == ["i"]
    assert open_run(folder).coadds.bands == ("i",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--survey", "hcs"], "there is no survey 'hcs'; did you mean 'hsc'?"),
        (["--zeropoint", "bright"], "--zeropoint: 'bright' is neither a magnitude nor BAND=MAGNITUDE"),
        (["--zeropoint", "nan"], "--zeropoint: 'nan' is neither a magnitude nor BAND=MAGNITUDE"),
        (["--zeropoint", "27", "r=27"], "--zeropoint: give one magnitude for all bands, or BAND=MAGNITUDE for each"),
        (["--zeropoint", "r=27", "r=28"], "--zeropoint: band r is given twice"),
        (["--zeropoint", "q=27"], "zeropoint is given for q, but the bands are r, i"),
        (["--psf", "q=fwhm=0.7"], "psf is given for q, but the bands are r, i"),
        (["--psf", "fwhm=wide"], "PSF 'fwhm=wide' is not understood"),
        (["--psf", "nothing.fits"], "nothing.fits"),
        (["-c", "meassure:measurement.tolerance=1"], "no task labelled 'meassure'; did you mean 'measure'?"),
        (["-c", "measure:measurement.tolerence=1"], "measure:measurement.tolerence: unknown setting; did you mean"),
        (["-c", "measure:measurement.tolerance=1"], "measure:measurement.tolerance"),
        (["-c", "tolerance=1"], "tolerance=1"),
        (["-C", "nothing.yaml"], "nothing.yaml"),
        (["--sources", "nothing.csv"], "source list nothing.csv: no such file"),
    ],
)
def test_what_is_refused(quick, arguments, message):
    code, folder, said = quick(*arguments)
    assert code == 2
    assert said.err.startswith("meas-deblend: ")
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (folder / "run.json").exists()


def test_files_that_are_refused(quick, files, tmp_path):
    (tmp_path / "text.fits").write_text("not an image")
    (tmp_path / "cut.fits").write_bytes(files["r"].read_bytes()[:20000])
    for coadds, message in (
        ([f"r={tmp_path / 'nothing.fits'}"], "nothing.fits"),
        ([f"r={tmp_path / 'text.fits'}"], "text.fits"),
        ([f"r={tmp_path / 'cut.fits'}"], "cut.fits"),
        ([f"r={files['r']}", f"r={files['i']}"], f"--coadd: band r is given twice ({files['r']} and {files['i']})"),
        ([str(files["r"])], "coadds are given as BAND=FILE"),
        ([f"r={files['r']},weigth=w.fits"], "no plane 'weigth'"),
        ([f"r={files['r']},weight=1,sigma=1"], "give the noise in one form"),
    ):
        code, _, said = quick(coadds=coadds)
        assert code == 2, message
        assert message in said.err
        assert "Traceback" not in said.err


def test_pipelines_that_are_refused(quick, tmp_path):
    code, _, said = quick(pipeline="multi_band")
    assert code == 2
    assert "there is no pipeline 'multi_band'; did you mean 'multiband'?" in said.err
    (tmp_path / "half.yaml").write_text(
        "description: Half.\ntasks:\n  measure: meas_deblend_tasks.measure.MeasureTask\n"
    )
    code, _, said = quick(pipeline=tmp_path / "half.yaml")
    assert code in (1, 2)
    assert "detections" in said.err


def test_a_file_behind_a_word_is_found_from_elsewhere(quick, plain_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stamps = np.stack([GaussianPsf(1.5).image(0, 0).stamp] * 2)
    y, x = np.array([10.0, 60.0]), np.array([10.0, 60.0])
    np.savez("psfs.npz", stamps=np.repeat(stamps[:, None], 2, axis=1), y=y, x=x, bands=list(plain_files))
    code, folder, said = quick("--psf", "grid=psfs.npz,interpolation=nearest", coadds=with_weights(plain_files))
    assert code == 0, said.err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = open_run(folder)
    assert run.record.read_options["psf"] == f"grid={tmp_path / 'psfs.npz'},interpolation=nearest"
    assert run.record.checksums[str(tmp_path / "psfs.npz")] == file_sha256(tmp_path / "psfs.npz")
    assert {psf.interpolation for psf in run.coadds.psfs} == {"nearest"}


def test_plane_specs_of_python_are_described_too(files):
    described = describe_inputs(small_sky.exposure(), {"r": PlaneSpec(files["r"])}, {"psf": None, "survey": "generic"})
    assert [(entry.path, entry.planes) for entry in described.inputs] == [("", {"image": str(files["r"])}), ("", {})]
    assert described.read_options == {"survey": "generic"}
    assert described.checksums == {}


def test_a_parent_that_is_not_there_is_said_once_and_last(quick):
    code, _, said = quick("--only", "999")
    assert code == 2
    lines = said.err.splitlines()
    assert "detect: failed in" in lines[-2]
    assert lines[-1].startswith(
        "meas-deblend: only: 999 is no parent of these coadds with these settings of detection; "
    )
    assert lines[-1].endswith("parents are 1, 2, 3")
    assert said.err.count("999") == 1
    assert "not run" not in said.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.fits", r"meas-deblend: no file .*missing\.fits\n"),
        ("text.fits", r"meas-deblend: .*text\.fits is not a FITS file that can be read: No SIMPLE card found.*\n"),
        ("table.fits", r"meas-deblend: .*table\.fits holds no image\n"),
        ("{i}[NOISE]", r"meas-deblend: .* has no image HDU 'NOISE'; there are 1 IMAGE .*\n"),
        ("{i},variance=missing.fits", r"meas-deblend: no file .*missing\.fits\n"),
    ],
)
def test_files_are_looked_at_before_anything_is_compiled(quick, files, tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.fits").write_text("flux,x,y\n")
    Table({"flux": [1.0]}).write(tmp_path / "table.fits")
    monkeypatch.setattr(run_command, "is_compiled", lambda: False)
    monkeypatch.setattr(run_command, "compile_apart", lambda: pytest.fail("compiled first"))
    code, _, said = quick(coadds=[f"r={files['r']},sigma=0.02", f"i={given.format(i=files['i'])}"])
    assert code == 2
    assert re.fullmatch(message, said.err)


def test_what_looks_truncated_is_called_so(quick, files, tmp_path):
    cut = tmp_path / "cut.fits"
    whole = files["i"].read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    code, _, said = quick(coadds=[f"i={cut}"])
    assert code == 2
    assert re.search(r"cut\.fits.*; the file looks truncated: copy it again|cannot be read", said.err)


def test_arguments_that_there_are_not(quick, capsys):
    code, folder, said = quick("--bands", "g")
    assert (code, said.err) == (
        2,
        "meas-deblend run: error: unrecognized arguments: --bands g; see meas-deblend run --help\n",
    )
    assert not folder.exists()
