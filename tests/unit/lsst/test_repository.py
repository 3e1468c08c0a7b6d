"""Create, ingest, pipetask, read back: what comes out is what our own runner makes of the same coadds."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_sky
from command_line import call, coadd_arguments

import meas_deblend as md
from meas_deblend.exceptions import InputError, ModelError
from meas_deblend.framework import load_pipeline, shipped_pipelines
from meas_deblend.shipped import shipped_folder, surveys

pytest.importorskip("lsst.pipe.base", reason="Rubin's middleware is not installed")
butlers = pytest.importorskip("lsst.daf.butler")
inside = pytest.importorskip("meas_deblend_tasks.lsst")
repository = pytest.importorskip("meas_deblend_tasks.lsst.repository")

PLACE = {"skymap": "meas_deblend", "tract": 7, "patch": 3}
TABLES = ("objects", "parents", "ledger", "patch_ledger", "flux_covariance", "noise_correlation")
#: Few iterations: what is tested is not the fit.
SETTINGS = {"multi_band": {"fit": {"max_iter": 15}}}


def pipeline_file(name):
    return str(shipped_folder("pipelines") / "lsst" / f"{name}.yaml")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return small_sky.write_coadds(tmp_path_factory.mktemp("sky"))


@pytest.fixture(scope="module")
def repo(files, tmp_path_factory):
    """A repository with one patch."""
    root = tmp_path_factory.mktemp("butler") / "repo"
    assert call("lsst", "init", root, *coadd_arguments(files), "--tract", 7, "--patch", 3) == 0
    return root


@pytest.fixture(scope="module")
def deblended(repo):
    """The same after ``pipetask run``, as it is printed by ``meas-deblend lsst init``."""
    command = [
        *(Path(sys.executable).parent / "pipetask", "run", "-b", repo, "-p", pipeline_file("multiband")),
        *("-i", "meas_deblend/coadds", "-o", "meas_deblend/run", "-c", "multi_band:fit.max_iter=15"),
        *("--register-dataset-types", "-j", "2"),
    ]
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return butlers.Butler.from_config(str(repo), collections="meas_deblend/run"), done.stderr


@pytest.fixture(scope="module")
def light(files):
    """What our own runner makes of the same files."""
    settings = {**SETTINGS, "detect": {"tract": 7, "patch": 3}}
    return md.deblend(md.read_coadds(files), config=settings)


@pytest.mark.slow
class TestPipetask:
    @pytest.mark.parametrize("name", TABLES)
    def test_catalogs_are_those_of_our_runner(self, deblended, light, name):
        kept = {"strip_astropy_meta_yaml": False}
        table = inside.read_catalog(deblended[0].get(f"meas_deblend_{name}", PLACE, parameters=kept))
        ours = getattr(light, name)
        assert table.colnames == ours.colnames
        assert len(table) == len(ours) > 0
        for column in ours.colnames:
            nan = ours[column].dtype.kind == "f"
            assert np.array_equal(table[column], ours[column], equal_nan=nan), column
            assert (table[column].unit, table[column].description) == (ours[column].unit, ours[column].description)
        assert table.meta["layout"] == ours.meta["layout"]

    def test_models_are_those_of_our_runner(self, deblended, light, tmp_path):
        table = deblended[0].get("meas_deblend_models", PLACE)
        models = md.load_models(inside.write_model_file(table, tmp_path / "models.parquet"))
        for identifier in light.objects["objectId"]:
            for band in small_sky.BANDS:
                one, other = (what.source(identifier).model(band=band) for what in (models, light.models))
                assert np.array_equal(one.array, other.array)
        store = inside.read_models(table)
        assert store.metadata.bands == small_sky.BANDS[::-1] or store.metadata.bands == small_sky.BANDS

    def test_marks_are_a_mask(self, deblended):
        mask = deblended[0].get("meas_deblend_marked_coadds", PLACE)
        assert set(mask.schema.names) == {"DEBLEND_DEGRADED", "NOT_DEBLENDED"}
        assert mask.array.shape[:2] == small_sky.exposure().box.shape

    def test_configs_are_kept(self, deblended):
        config = deblended[0].get("multi_band_config")
        assert type(config) is inside.MultiBandTask.ConfigClass
        assert config.fit.max_iter == 15

    def test_metadata_say_what_became_of_it(self, deblended):
        metadata = deblended[0].get("multi_band_metadata", PLACE)
        assert metadata["multi_band"]["outcome"] in ("ok", "degraded")
        assert metadata["multi_band"]["sources"] == 7

    def test_our_log_is_in_theirs(self, deblended):
        assert deblended[1].count("lsst.meas_deblend.detect INFO: 3 parents with 7 peaks") == 1

    def test_without_metadata_a_catalog_cannot_be_restored(self, deblended):
        with pytest.raises(ModelError, match="strip_astropy_meta_yaml"):
            inside.read_catalog(deblended[0].get("meas_deblend_objects", PLACE))

    def test_other_tables_are_no_models(self, deblended):
        with pytest.raises(ModelError, match="a table of models has the columns"):
            inside.read_models(deblended[0].get("meas_deblend_detections", PLACE))


class TestRepository:
    def test_everything_is_registered(self, repo):
        butler = butlers.Butler.from_config(str(repo))
        records = butler.query_dimension_records
        assert {record.name: record.band for record in records("physical_filter")} == {"r": "r", "i": "i"}
        (patch,) = records("patch")
        assert (patch.skymap, patch.tract, patch.id) == ("meas_deblend", 7, 3)
        assert patch.region is not None
        (instrument,) = records("instrument")
        assert instrument.class_name.endswith("CoaddInstrument")
        from lsst.pipe.base import Instrument  # noqa: PLC0415

        assert Instrument.fromName("meas_deblend", butler.registry).getName() == "meas_deblend"

    def test_pixels_psf_and_units_come_back(self, repo, files):
        from meas_deblend_tasks.lsst.coadds import from_band_images  # noqa: PLC0415
        from meas_deblend_tasks.lsst.records import read_records  # noqa: PLC0415

        butler = butlers.Butler.from_config(str(repo), collections="meas_deblend/coadds")
        images = {band: butler.get("deep_coadd", PLACE, band=band) for band in small_sky.BANDS}
        psfs = {band: read_records(butler.get("deep_coadd_psf", PLACE, band=band)) for band in small_sky.BANDS}
        ours, found = md.read_coadds(files), from_band_images(images, psfs)
        found = found.select(ours.bands)
        for name in ("images", "variance", "mask"):
            assert np.array_equal(getattr(found, name), getattr(ours, name), equal_nan=name != "mask")
        assert (found.zeropoints, found.units, found.pixel_scale) == (ours.zeropoints, ours.units, ours.pixel_scale)
        assert set(found.mask_planes.bad) == set(ours.mask_planes.bad)
        for one, other in zip(found.psfs, ours.psfs, strict=True):
            assert np.array_equal(one.image(3.2, 4.1).stamp, other.image(3.2, 4.1).stamp)
        # A tenth of a nanoarcsecond.
        np.testing.assert_allclose(
            found.wcs.all_pix2world([[0, 0], [80, 70]], 0), ours.wcs.all_pix2world([[0, 0], [80, 70]], 0), atol=3e-14
        )

    def test_the_same_patch_is_refused(self, repo, files, capsys):
        assert call("lsst", "init", repo, *coadd_arguments(files), "--tract", 7, "--patch", 3) == 2
        assert "is in meas_deblend/coadds already; name another collection" in capsys.readouterr().err

    def test_another_patch_is_added(self, repo, files, capsys):
        assert call("lsst", "init", repo, *coadd_arguments(files), "--patch", 4, "--survey", "hsc") == 0
        said = capsys.readouterr().out
        assert "at skymap meas_deblend, tract 0, patch 4" in said
        assert "-c parameters:survey=hsc" in said

    def test_patches_come_from_a_table(self, files, tmp_path, capsys):
        rows = [
            "tract,patch,band,image",
            *(f'5,"{patch}",{band},{files[band]}' for patch in ("1,0", "2,3") for band in files),
        ]
        table, root = tmp_path / "patches.csv", tmp_path / "repo"
        table.write_text("\n".join(rows[: 1 + len(files)]))
        assert call("lsst", "init", root, "--inputs", table) == 0
        assert "4 datasets of the bands r, i are in meas_deblend/coadds" in capsys.readouterr().out
        # More of them, later: those that are there stay as they are.
        table.write_text("\n".join(rows))
        assert call("lsst", "init", root, "--inputs", table, "--survey", "hsc") == 0
        said = capsys.readouterr().out
        assert "1 patch is there already: nothing of that is changed" in said
        assert "at skymap meas_deblend, 2 patches. To deblend them:" in said
        butler = butlers.Butler.from_config(str(root), collections="meas_deblend/coadds")
        patches = {record.id: (record.cell_x, record.cell_y) for record in butler.query_dimension_records("patch")}
        assert patches == {1: (1, 0), 302: (2, 3)}
        assert len(butler.query_datasets("deep_coadd")) == len(butler.query_datasets("deep_coadd_psf")) == 4
        assert repository.has_coadds(butler, small_sky.BANDS, repository.PatchPlace(tract=5, patch=302))
        assert not repository.has_coadds(butler, small_sky.BANDS, repository.PatchPlace(tract=5, patch=4))
        assert not repository.has_coadds(butler, small_sky.BANDS, repository.PatchPlace(coadd="other"))

    def test_a_table_says_where_its_patches_are(self, files, tmp_path, capsys):
        table = tmp_path / "patches.csv"
        table.write_text(f"tract,patch,band,image\n5,1,r,{files['r']}\n")
        assert call("lsst", "init", tmp_path / "repo", "--inputs", table, "--tract", 5) == 2
        assert "--tract and --patch are for --coadd: the patches of --inputs have their own" in capsys.readouterr().err
        assert call("lsst", "init", tmp_path / "repo", "--inputs", table, "--psf", "x=fwhm=0.7") == 2
        assert "psf is given for x, but the patches have r" in capsys.readouterr().err
        assert not (tmp_path / "repo").exists()

    def test_half_a_patch_is_none(self, files, tmp_path, monkeypatch):
        coadds, place = md.read_coadds(files), repository.PatchPlace()
        butler = repository.open_repository(tmp_path / "repo")
        to_image = repository.to_masked_image
        with monkeypatch.context() as patch:
            patch.setattr(repository, "to_masked_image", lambda _, band: 1 / 0 if band == "i" else to_image(_, band))
            with pytest.raises(ZeroDivisionError):
                repository.ingest_coadds(butler, coadds, place)
        assert butler.query_datasets("deep_coadd", collections=place.run, explain=False) == []
        assert len(repository.ingest_coadds(butler, coadds, place)) == 4

    def test_a_registry_is_chosen_once(self, repo):
        with pytest.raises(InputError, match="its registry cannot be chosen any more"):
            repository.open_repository(repo, "postgresql://localhost/elsewhere")

    @pytest.mark.parametrize("url", ["nosuchdatabase://host/x", "postgresql+psycopg2://localhost:1/x"])
    def test_a_registry_that_cannot_be_used_leaves_nothing(self, tmp_path, url):
        root = tmp_path / "repo"
        with pytest.raises(InputError, match=re.escape(f"the registry {url} cannot be used")):
            repository.open_repository(root, url)
        assert not (root / "butler.yaml").exists()

    def test_other_folders_are_left_alone(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("x")
        with pytest.raises(InputError, match=r"neither a repository \(it has no butler\.yaml\) nor empty"):
            repository.open_repository(tmp_path)

    def test_other_dataset_types_are_left_alone(self, repo, files, capsys):
        butler = butlers.Butler.from_config(str(repo), writeable=True)
        dimensions = butler.dimensions.conform(("skymap", "tract", "patch"))
        butler.registry.registerDatasetType(butlers.DatasetType("taken", dimensions, "ArrowAstropy"))
        assert call("lsst", "init", repo, *coadd_arguments(files), "--dataset-type", "taken") == 2
        assert "has the dataset type taken as ArrowAstropy over" in capsys.readouterr().err


@pytest.mark.parametrize("survey", surveys())
@pytest.mark.parametrize("name", shipped_pipelines())
def test_every_pipeline_is_that_of_our_runner(name, survey):
    """Same labels, same classes, same settings, wired the same way."""
    from lsst.pipe.base import Pipeline  # noqa: PLC0415

    pipeline = Pipeline.from_uri(pipeline_file(name))
    pipeline.addConfigOverride("parameters", "survey", survey)
    graph = pipeline.to_graph()
    ours = load_pipeline(name, survey=survey)
    assert set(graph.tasks) == set(ours.labels)
    for task in ours.tasks:
        theirs = graph.tasks[task.label]
        assert theirs.task_class.light is task.task_class
        made = theirs.task_class(config=theirs.config, log=None)
        assert made.settings() == task.resolved.config
        outputs = {edge.connection_name: edge.parent_dataset_type_name for edge in theirs.iter_all_outputs()}
        for item in task.outputs:
            assert outputs[item.name] == f"meas_deblend_{item.dataset}"


@pytest.mark.parametrize(
    ("name", "label", "field", "value", "path"),
    [
        ("multiband", "multi_band", "fit.max_iter", "50", ("fit", "max_iter")),
        ("multiband", "measure", "measurement.aperture_radii", "[2.0, 4.0]", ("measurement", "aperture_radii")),
        ("any_deblender", "deblend", "deblender.active.thresh", "2.5", ("deblender", "sep", "thresh")),
    ],
)
def test_settings_of_the_command_line(name, label, field, value, path):
    """What ``pipetask -c label:field=value`` does."""
    from lsst.pipe.base import Pipeline  # noqa: PLC0415

    pipeline = Pipeline.from_uri(pipeline_file(name))
    pipeline.addConfigOverride(label, field, value)
    node = pipeline.to_graph().tasks[label]
    found = node.task_class(config=node.config, log=None).settings()
    for part in path:
        found = getattr(found, part)
    assert str(list(found) if isinstance(found, tuple) else found) == value


def test_tract_and_patch_are_those_of_the_data_id():
    task = inside.DetectAndMergeTask(config=inside.DetectAndMergeTask.ConfigClass())
    assert (task.settings(PLACE).tract, task.settings(PLACE).patch) == (7, 3)


def test_tasks_run_on_values_in_memory():
    task = inside.DetectAndMergeTask(config=inside.DetectAndMergeTask.ConfigClass())
    assert len(task.run(coadds=small_sky.exposure()).detections.parents) == 3


def test_nothing_to_do_is_no_failure():
    from lsst.pipe.base import NoWorkFound  # noqa: PLC0415

    task = inside.DetectAndMergeTask(config=inside.DetectAndMergeTask.ConfigClass())
    with pytest.raises(NoWorkFound, match="nothing detected"):
        task.run(coadds=small_sky.noise_only())
