"""The same sky cut in two ways gives the same objects and fluxes, whichever patch owns them."""

import numpy as np
import pytest

import meas_deblend as md
from meas_deblend.framework import layer_from_assignment
from meas_deblend.image import load_survey, plane_spec, write_coadd
from meas_deblend.patches import Cut, RunSettings, cut_tiles, read_patches, run_patches
from meas_deblend.simulate import HSC_WIDE, SkyConfig, simulate_sky

SHAPE = (190, 330)
#: Parents on this sky are up to 60 pixels wide: a seam has as much on both sides.
OVERLAP = 110
#: Near the outer border of the mosaic there is nobody who sees more.
BORDER = 15
CONFIG = SkyConfig(bands=HSC_WIDE[1:3], shape=SHAPE, n_galaxies=34, n_stars=8, seed=11)


@pytest.fixture(scope="module")
def two_ways(tmp_path_factory):
    """Primary objects by the pixel of their peak, of two cuts."""
    folder = tmp_path_factory.mktemp("seams")
    exposure = simulate_sky(CONFIG).exposure
    bands = {b: plane_spec(write_coadd(folder / f"{b}.fits", exposure, b)) for b in exposure.bands}
    return [_primary(folder / name, bands, size) for name, size in (("two", 290), ("three", 230))]


def _primary(folder, bands, size):
    folder.mkdir()
    tiles, table = cut_tiles(bands, load_survey("generic"), folder, Cut(size, OVERLAP))
    settings = RunSettings(layers=(layer_from_assignment("multi_band:fit.max_iter=100"),))
    result = run_patches(read_patches(table), folder / "out", settings)
    assert not result.failed
    run, origin = md.open_run(folder / "out"), {tile.patch: (tile.y0, tile.x0) for tile in tiles}
    found = {}
    for row in run.primary:
        y0, x0 = origin[row["patch"]]
        place = int(row["deblend_peak_center_y"]) + y0, int(row["deblend_peak_center_x"]) + x0
        assert place not in found, "two patches own one object"
        found[place] = row
    assert len(run.objects) > len(found), "no object was seen twice"
    return len(tiles), found


def _inside(place):
    return all(BORDER <= value < size - BORDER for value, size in zip(place, SHAPE, strict=True))


def test_the_cuts_differ(two_ways):
    assert [count for count, _ in two_ways] == [2, 3]


def test_the_objects_are_the_same(two_ways):
    first, second = ({place for place in found if _inside(place)} for _, found in two_ways)
    assert len(first) >= 25
    assert len(first & second) >= 0.995 * len(first | second)


@pytest.mark.parametrize("flux", ["psfFlux", "modelFlux", "ap06Flux", "kronFlux", "ellipseFlux", "gaapFlux"])
@pytest.mark.parametrize("band", ["r", "i"])
def test_fluxes_agree_within_a_tenth_of_their_errors(two_ways, band, flux):
    (_, first), (_, second) = two_ways
    for place in first.keys() & second.keys():
        if _inside(place):
            a, b = first[place], second[place]
            # The model's flux has no error of its own: the PSF flux's is the smallest that any can have.
            error = a[f"{band}_psfFluxErr" if flux == "modelFlux" else f"{band}_{flux}Err"]
            assert abs(a[f"{band}_{flux}"] - b[f"{band}_{flux}"]) <= 0.1 * error, place


def test_positions_on_the_sky_agree(two_ways):
    (_, first), (_, second) = two_ways
    for place in first.keys() & second.keys():
        if _inside(place):
            a, b = first[place], second[place]
            apart = np.hypot((a["coord_ra"] - b["coord_ra"]) * np.cos(np.radians(a["coord_dec"])),
                             a["coord_dec"] - b["coord_dec"])  # fmt: skip
            assert apart * 3600 < 0.01
