"""Tiles hold the pixels, coordinates and PSFs of their part of the mosaic, and are read in parts."""

import csv
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import small_sky
from astropy.io import fits

import meas_deblend as md
from meas_deblend.exceptions import InputError
from meas_deblend.image import load_survey, plane_spec
from meas_deblend.patches import Cut, cut_tiles, cutting, read_patches

GENERIC = load_survey("generic")


def cut(tmp_path, specs, size=60, overlap=10, tract=3):
    out = tmp_path / "tiles"
    out.mkdir()
    tiles, table = cut_tiles({b: plane_spec(s) for b, s in specs.items()}, GENERIC, out, Cut(size, overlap, tract))
    return tiles, read_patches(table)


def read(patch):
    return md.read_coadds({band: dict(planes) for band, planes in patch.bands.items()})


def test_tiles_are_parts_of_the_mosaic(tmp_path):
    files = small_sky.write_coadds(tmp_path)
    whole = md.read_coadds(files)
    tiles, patches = cut(tmp_path, files)
    assert [patch.patch for patch in patches] == [tile.patch for tile in tiles] == ["0,0", "1,0", "0,1", "1,1"]
    for tile, patch in zip(tiles, patches, strict=True):
        part, where = read(patch), np.s_[:, tile.y0 : tile.y1, tile.x0 : tile.x1]
        assert (patch.tract, patch.inner) == (3, tile.inner)
        assert part.bands == ("r", "i") == whole.bands
        for name in ("images", "variance", "mask"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[where])
        assert part.mask_planes == whole.mask_planes
        assert part.zeropoints == whole.zeropoints
        there = part.wcs.pixel_to_world_values(4.0, 7.0)
        np.testing.assert_allclose(there, whole.wcs.pixel_to_world_values(4.0 + tile.x0, 7.0 + tile.y0), atol=1e-11)
        np.testing.assert_array_equal(part.psfs[0].image(3, 3).stamp, whole.psfs[0].image(3, 3).stamp)


@pytest.mark.parametrize(("size", "overlap", "shared"), [(4000, None, 400), (800, None, 200), (800, 30, 30)])
def test_small_tiles_share_a_quarter_of_themselves(size, overlap, shared):
    assert Cut(size, overlap).shared == shared


@pytest.mark.filterwarnings("ignore::meas_deblend.exceptions.InputWarning")  # of a noise that is made up
def test_planes_in_files_of_their_own_and_numbers(tmp_path):
    exposure = small_sky.exposure()
    header = exposure.wcs.to_header()
    header["PHOTZP"] = 27.0
    # Unsigned 16-bit masks and scaled integers are stored shifted.
    fits.HDUList([fits.PrimaryHDU(exposure.images[0], header)]).writeto(tmp_path / "r.fits")
    fits.PrimaryHDU((exposure.mask[0] + 1).astype(np.uint16)).writeto(tmp_path / "m.fits")
    fits.PrimaryHDU(small_sky.exposure().psfs[0].image(1, 1).stamp).writeto(tmp_path / "psf.fits")
    spec = {"image": tmp_path / "r.fits", "sigma": "0.5", "mask": tmp_path / "m.fits", "psf": tmp_path / "psf.fits"}
    tiles, patches = cut(tmp_path, {"r": spec})
    (planes,) = patches[1].bands.values()
    assert planes["sigma"] == "0.5"
    assert planes["mask"].endswith("tiles/3/1,0/r_mask.fits")
    assert planes["psf"] == str(tmp_path / "psf.fits")
    part = read(patches[1])
    tile = tiles[1]
    np.testing.assert_array_equal(part.images[0], exposure.images[0, tile.y0 : tile.y1, tile.x0 : tile.x1])
    np.testing.assert_array_equal(part.variance, 0.25)
    stored = fits.getdata(planes["mask"])
    np.testing.assert_array_equal(stored, exposure.mask[0, tile.y0 : tile.y1, tile.x0 : tile.x1] + 1)
    with (tmp_path / "tiles/patches.csv").open() as stream:
        assert next(csv.reader(stream)) == ["tract", "patch", "band", "image", "sigma", "mask", "psf", "inner"]


def test_psfs_that_vary_move_with_the_tiles(tmp_path):
    files = small_sky.write_coadds(tmp_path)
    y, x = (axis.ravel().astype(float) for axis in np.meshgrid([0, 40, 80], [0, 50, 100], indexing="ij"))
    grid = np.mgrid[-8:9, -8:9]
    stamps = np.stack([np.exp(-(grid**2).sum(axis=0) / (4 + 0.01 * a + 0.02 * b)) for a, b in zip(y, x, strict=True)])
    stamps /= stamps.sum(axis=(1, 2), keepdims=True)
    np.savez(tmp_path / "grid.npz", stamps=stamps, y=y, x=x)
    fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(stamps, name="STAMPS"),
         fits.BinTableHDU.from_columns([fits.Column("x", "D", array=x), fits.Column("y", "D", array=y)])]
    ).writeto(tmp_path / "grid.fits")  # fmt: skip
    for number, name in enumerate(("grid.npz", "grid.fits")):
        folder = tmp_path / str(number)
        folder.mkdir()
        spec = {"image": files["r"], "psf": f"grid={tmp_path / name}"}
        whole = md.read_coadds({"r": spec})
        tiles, patches = cut(folder, {"r": spec})
        part, tile = read(patches[-1]), tiles[-1]
        assert tile.x0 > 0
        assert tile.y0 > 0
        np.testing.assert_allclose(
            part.psfs[0].image(9, 11).stamp, whole.psfs[0].image(9 + tile.y0, 11 + tile.x0).stamp, rtol=1e-6
        )


def test_a_psfex_model_moves_with_the_tiles(tmp_path):
    header = fits.Header({"POLZERO1": 101.0, "POLNAME1": "X_IMAGE", "POLZERO2": 52.0, "POLNAME2": "Y_IMAGE"})
    table = fits.BinTableHDU.from_columns([fits.Column("PSF_MASK", "4D", array=np.ones((1, 4)))], header)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "model.psf")
    tile = SimpleNamespace(x0=30, y0=10)
    text = cutting._cut_psf(f"psfex={tmp_path / 'model.psf'}", tile, tmp_path / "r_psf")
    assert text == f"psfex={tmp_path / 'r_psf.psf'}"
    moved = fits.getheader(tmp_path / "r_psf.psf", 1)
    assert (moved["POLZERO1"], moved["POLZERO2"]) == (71.0, 42.0)


def test_only_parts_are_held(tmp_path):
    # 6 MB of zeros, of which the disk holds nothing.
    header = fits.PrimaryHDU(np.zeros((1, 1), dtype=np.float32)).header
    header["NAXIS1"] = header["NAXIS2"] = 1200
    header.tofile(tmp_path / "r.fits")
    with (tmp_path / "r.fits").open("r+b") as stream:
        stream.truncate(-(-(stream.seek(0, 2) + 4 * 1200**2) // 2880) * 2880)
    tracemalloc.start()
    try:
        tiles, _ = cut(tmp_path, {"r": {"image": tmp_path / "r.fits", "sigma": "1"}}, size=300, overlap=20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(tiles) == 25
    # A tile has 0.3 MB; it is held as it is, and turned into the file's byte order.
    assert peak < 2e6


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f["r"].unlink(), "no file .*r.fits"),
        (lambda f: f["r"].write_bytes(b"\x1f\x8b"), "is compressed with gzip, and cannot be read in parts: unpack it"),
        (lambda f: f["r"].write_bytes(b"text"), "is not a FITS file that can be read"),
        (lambda f: fits.writeto(f["r"], np.ones((5, 9)), overwrite=True), "must have one shape, .* r 9 × 5, i 90 × 76"),
        (lambda f: fits.writeto(f["r"], np.ones((2, 5, 9)), overwrite=True), "the image must be 2-D"),
        (
            lambda f: fits.writeto(f["r"], np.ones((76, 90)), fits.Header({"CPDIS1": "LOOKUP"}), overwrite=True),
            "distortions in tables .* cannot be cut; write them as SIP or TPV",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(tmp_path, damage, message):
    files = small_sky.write_coadds(tmp_path)
    damage(files)
    with pytest.raises(InputError, match=message):
        cut(tmp_path, files)


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    files = small_sky.write_coadds(tmp_path)
    monkeypatch.setattr(cutting.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(InputError, match=r"4 tiles need about 0\.0 GiB, and 0\.0 GiB are free"):
        cut(tmp_path, files)
    assert list((tmp_path / "tiles").iterdir()) == []
