"""Objects of ``lsst.afw`` in and out, with stand-ins that follow its interface: afw itself is not tested here."""

import afw_stand_ins as stand_ins
import numpy as np
import pytest
import small_sky
from command_line import call

import meas_deblend as md
from meas_deblend.products import MemoryStore
from meas_deblend.products.rubin import read_rubin_models
from meas_deblend_tasks.detect import DetectTask
from meas_deblend_tasks.identifiers import parent_id

pytest.importorskip("lsst.pex.config", reason="Rubin's middleware is not installed")
afw = pytest.importorskip("meas_deblend_tasks.lsst.afw")
coadd_images = pytest.importorskip("meas_deblend_tasks.lsst.coadds")

ORIGIN = (3900, 11900)


@pytest.fixture(scope="module")
def coadds():
    return small_sky.exposure()


@pytest.fixture(scope="module")
def detections(coadds):
    return DetectTask().run(coadds).detections


class TestExposures:
    def test_all_planes_come_in(self, coadds):
        images = {band: stand_ins.exposure(coadds, band, ORIGIN) for band in coadds.bands}
        found = coadd_images.from_band_images(images, {}).select(coadds.bands)
        for name in ("images", "variance", "mask"):
            assert np.array_equal(getattr(found, name), getattr(coadds, name))
        np.testing.assert_allclose(found.zeropoints, coadds.zeropoints, rtol=1e-14)
        # Pixel scales come from the WCS, whose header has 14 digits.
        assert found.pixel_scale == pytest.approx(coadds.pixel_scale, rel=1e-6)
        assert "NO_DATA" in found.mask_planes.bad

    def test_positions_count_from_the_first_pixel(self, coadds):
        images = {band: stand_ins.exposure(coadds, band, ORIGIN) for band in coadds.bands}
        found = coadd_images.from_band_images(images, {}).select(coadds.bands)
        places = [[0, 0], [80, 70]]
        np.testing.assert_allclose(
            found.wcs.all_pix2world(places, 0), coadds.wcs.all_pix2world(places, 0), rtol=0, atol=1e-10
        )
        for one, other in zip(found.psfs, coadds.psfs, strict=True):
            mine, theirs = one.image(20.3, 31.8), other.image(20.3, 31.8)
            assert mine.center == theirs.center
            np.testing.assert_allclose(mine.stamp, theirs.stamp, rtol=0, atol=1e-12)

    def test_bands_come_from_blue_to_red(self):
        assert coadd_images.band_order(["z", "Y", "g", "u", "H"]) == ["u", "g", "z", "H", "Y"]

    def test_images_of_different_places_are_refused(self, coadds):
        images = {"r": stand_ins.exposure(coadds, "r", ORIGIN), "i": stand_ins.exposure(coadds, "i", (0, 0))}
        with pytest.raises(ValueError, match="bands must be on the same pixels"):
            coadd_images.from_band_images(images, {})

    def test_a_band_without_a_psf_is_refused(self, coadds):
        images = {"r": coadd_images.to_masked_image(coadds, "r")}
        with pytest.raises(ValueError, match="band r has no PSF: neither a dataset of its own nor in the image"):
            coadd_images.from_band_images(images, {})


class TestFootprints:
    def test_parents_come_in(self, coadds, detections):
        catalog = stand_ins.merged_catalog(detections, coadds.bands, ORIGIN)
        found = afw.parents_of_catalog(catalog, lambda n: parent_id(0, 0, n), ORIGIN)
        assert len(found.detections.parents) == len(detections.parents)
        for one, other in zip(found.detections.parents, detections.parents, strict=True):
            assert one.id == other.id
            assert one.footprint.box == other.footprint.box
            assert np.array_equal(one.footprint.mask, other.footprint.mask)
            assert [(p.y, p.x, p.value, set(p.bands)) for p in one.footprint.peaks] == [
                (round(p.center[0]), round(p.center[1]), p.value, set(p.bands)) for p in other.footprint.peaks
            ]
            assert set(found.detections.footprint_bands[one.id]) == set(detections.footprint_bands[other.id])
        assert list(found.record_ids.values()) == [1000, 1001, 1002]


@pytest.fixture(scope="module")
def result(coadds):
    return md.deblend(coadds, pipeline="none")


class TestOut:
    def test_catalogs(self, result):
        catalog = afw.to_source_catalog(result.objects, stand_ins.tables)
        assert np.array_equal(catalog["id"], result.objects["objectId"])
        assert np.array_equal(catalog["parent"], result.objects["parentObjectId"])
        np.testing.assert_allclose(np.degrees(catalog["coord_ra"]), result.objects["coord_ra"], rtol=1e-14)
        left = set(result.objects.colnames) - {"objectId", "parentObjectId", "coord_ra", "coord_dec"}
        for name in left:
            column = result.objects[name]
            nan = column.dtype.kind == "f"
            assert np.array_equal(catalog[name], np.asarray(column), equal_nan=nan), name
            assert catalog.schema.fields[name][1:] == (column.description, str(column.unit or ""))

    def test_models_as_the_archive_of_rubins_pipelines(self, coadds, tmp_path, capsys):
        """By way of the file of the model store, which is what the Butler has."""
        codecs = pytest.importorskip("meas_deblend_tasks.lsst.codecs")
        made = md.deblend(coadds, config={"multi_band": {"fit": {"max_iter": 3}}})
        table = codecs.CODECS["MemoryStore"].write(MemoryStore(made.parent_models, made.models.metadata), None)
        path = codecs.write_model_file(table, tmp_path / "models.parquet")
        assert call("models", "convert", path, tmp_path / "models.scarlet", "--leave-out") == 0
        parents, _ = read_rubin_models(tmp_path / "models.scarlet")
        assert {parent.id for parent in parents} == {parent.id for parent in made.parent_models}
