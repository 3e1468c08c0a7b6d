"""A quantum, with a Butler in memory: what is read, what is written, and what the next task makes of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import small_sky
from astropy.table import Table

from meas_deblend.exceptions import ModelError
from meas_deblend_tasks.detect import DetectTask

pytest.importorskip("lsst.pipe.base", reason="Rubin's middleware is not installed")
inside = pytest.importorskip("meas_deblend_tasks.lsst")
codecs = pytest.importorskip("meas_deblend_tasks.lsst.codecs")
coadd_images = pytest.importorskip("meas_deblend_tasks.lsst.coadds")
records = pytest.importorskip("meas_deblend_tasks.lsst.records")

PATCH = {"skymap": "sky", "tract": 5, "patch": 2}


class Quantum:
    """What `runQuantum` is handed: a reference is a name, and a band where there is one."""

    def __init__(self, given):
        self.datasets = dict(given)
        self.quantum = SimpleNamespace(dataId=PATCH)
        self.resources = SimpleNamespace(num_cores=1)

    def get(self, ref):
        return self.datasets[ref.name]

    def put(self, value, ref):
        self.datasets[ref.name] = value

    def run(self, task_class, **settings):
        """Run a task on what is there."""
        config = task_class.ConfigClass()
        for name, value in settings.items():
            setattr(config, name, value)
        task, connections = task_class(config=config), config.connections.ConnectionsClass(config=config)

        def refs(names):
            found = {}
            for name in names:
                parts = [key for key in self.datasets if isinstance(key, tuple) and key[0] == name]
                made = [SimpleNamespace(name=key, dataId={**PATCH, "band": key[1]}) for key in parts]
                if made or name in self.datasets or name in connections.outputs:
                    found[name] = made or SimpleNamespace(name=name, dataId=PATCH)
            return SimpleNamespace(**found)

        inputs = refs([*connections.inputs, *connections.prerequisiteInputs])
        task.runQuantum(self, inputs, refs(connections.outputs))
        return task


def coadds_given():
    coadds = small_sky.exposure()
    images = {("coadds", band): coadd_images.to_masked_image(coadds, band) for band in coadds.bands}
    psfs = zip(coadds.bands, coadds.psfs, strict=True)
    return images | {("psfs", band): records.to_records(psf) for band, psf in psfs}


@pytest.fixture
def quantum():
    return Quantum(coadds_given())


def test_identifiers_are_those_of_the_patch(quantum):
    quantum.run(inside.DetectAndMergeTask)
    found = records.read_records(quantum.datasets["detections"])
    ours = DetectTask(DetectTask.ConfigClass(tract=5, patch=2)).run(small_sky.exposure()).detections
    assert [parent.id for parent in found.parents] == [parent.id for parent in ours.parents]


def test_positions_are_taken_from_a_list(quantum):
    given = small_sky.positions()
    quantum.datasets["source_list"] = Table({"x": given["x"], "y": given["y"], "id": given["id"]})
    quantum.run(inside.DetectAndMergeTask, use_source_list=True)
    found = records.read_records(quantum.datasets["detections"])
    places = [peak.center for parent in found.parents for peak in parent.footprint.peaks]
    # They pass through as they are given.
    assert sorted(places) == sorted(zip(given["y"], given["x"], strict=True))


def test_without_the_setting_there_is_no_connection_for_it():
    config = inside.DetectAndMergeTask.ConfigClass()
    assert "source_list" not in config.connections.ConnectionsClass(config=config).allConnections


@pytest.mark.parametrize("storage", ["CellCoadd", "ExposureF"])
def test_images_that_hold_their_psf_have_no_other(storage):
    config = inside.DetectAndMergeTask.ConfigClass()
    config.coadd_storage_class = storage
    connections = config.connections.ConnectionsClass(config=config)
    assert connections.coadds.storageClass == storage
    assert "psfs" not in connections.allConnections


def test_children_and_templates_are_recipes(quantum):
    for task in (inside.DetectAndMergeTask, inside.NoDeblendingTask, inside.ApportionTask):
        quantum.run(task)
    children = quantum.datasets["children"]
    assert records.is_records(children)
    assert children.nbytes < 2000
    quantum.run(inside.MeasureTask)
    assert len(quantum.datasets["objects"]) == sum(small_sky.PEAKS)
    quantum.run(inside.SingleBandSeedsTask)
    inputs = {"coadds": small_sky.exposure()}
    made = codecs.CODECS["tuple[ParentModel, ...]"].read(quantum.datasets["parent_models"], inputs)
    assert [len(model.sources) for model in made] == list(small_sky.PEAKS)


def test_other_recipes_are_refused():
    recipe = records.to_records(records.Recipe("os.system", {}, "x"))
    with pytest.raises(ModelError, match="made on demand by one of ApportionTask, SingleBandSeedsTask"):
        codecs.CODECS["tuple[Apportioned, ...]"].read(recipe, {})


def test_tables_of_models_come_in_pieces(quantum, monkeypatch, tmp_path):
    monkeypatch.setattr(codecs, "_PIECE", 1000)
    quantum.run(inside.DetectAndMergeTask)
    quantum.run(inside.NoDeblendingTask)
    table = quantum.datasets["parent_models"]
    assert len(table) > 5
    path = inside.write_model_file(table, tmp_path / "models.parquet")
    assert path.stat().st_size == sum(len(piece) for piece in table["bytes"].to_pylist())
    assert inside.read_models(table).parent_ids() == tuple(p.id for p in inside.read_models(table).parents())


def test_the_psf_of_cells_is_drawn_around_the_nearest_pixel():
    from lsst.images import Image  # noqa: PLC0415

    class Cells:
        """As lsst.images' PSFs: drawn at a position of the tract, on pixels that say where they are."""

        def compute_stellar_image(self, *, x, y):
            stamp = np.zeros((5, 7))
            stamp[2, 3] = 1.0
            return Image(stamp, yx0=(round(y) - 2, round(x) - 3))

    drawn = coadd_images.CellPsf(Cells(), (3900, 11900)).image(20.2, 30.9)
    assert drawn.center == (20, 31)
    assert drawn.stamp[2, 3] == 1.0
