"""Each position has one owner, whichever of the patches that show it is asked."""

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from meas_deblend.exceptions import InputError
from meas_deblend.image import pixel_to_sky, sky_to_pixel
from meas_deblend.patches import PatchFrame, Sky, tile_grid

SCALE = 0.2 / 3600


def tan(crpix, angle=0.0, scale=SCALE, center=(150.0, 2.0)):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = center, crpix
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = scale * np.array([[-c, s], [s, c]])
    return wcs


def moved(frame, x0, y0):
    """World coordinates of a part of a mosaic that begins at (x0, y0)."""
    return tan((frame[0] - x0, frame[1] - y0))


def frames_of(tiles, inner):
    return [
        PatchFrame(0, k, tile.shape, moved((130.5, 90.5), tile.x0, tile.y0), tile.inner if inner else None)
        for k, tile in enumerate(tiles)
    ]


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize(
    ("shape", "size", "overlap"), [((180, 260), 110, 20), ((100, 300), 120, 31), ((90, 90), 90, 4)]
)
def test_every_pixel_of_a_mosaic_is_owned_once(shape, size, overlap, inner):
    tiles = tile_grid(shape, size, overlap)
    sky = Sky(frames_of(tiles, inner))
    owned = np.zeros(shape, dtype=int)
    for k, tile in enumerate(tiles):
        y, x = (axis.ravel() for axis in np.mgrid[: tile.shape[0], : tile.shape[1]].astype(float))
        owner = sky.owners(k, y, x)
        assert (owner >= 0).all()
        mine = owner == k
        owned[tile.y0 + y[mine].astype(int), tile.x0 + x[mine].astype(int)] += 1
        # All that show a pixel say the same.
        for other, part in enumerate(tiles):
            at_y, at_x = y + tile.y0 - part.y0, x + tile.x0 - part.x0
            both = (at_y >= 0) & (at_x >= 0) & (at_y < part.shape[0]) & (at_x < part.shape[1])
            np.testing.assert_array_equal(sky.owners(other, at_y[both], at_x[both]), owner[both])
    assert (owned == 1).all()


def test_neighbours_share_their_overlap_in_the_middle():
    # Columns 0 to 99 and 80 to 179: the middle of the 20 that both show is between columns 89 and 90.
    left, right = (PatchFrame(0, k, (60, 100), moved((50.5, 30.5), x0, 0)) for k, x0 in enumerate((0, 80)))
    x = np.arange(100.0)
    for y in (0.0, 30.0, 59.0):  # at the outer border too
        owner = Sky([left, right]).owners(0, np.full(100, y), x)
        assert owner.tolist() == [0] * 90 + [1] * 10


def test_seams_are_edges_behind_which_others_show_more():
    # Left, right, lower, upper.
    left, right = (PatchFrame(0, k, (60, 100), moved((50.5, 30.5), x0, 0)) for k, x0 in enumerate((0, 80)))
    sky = Sky([left, right])
    assert [sky.seams(k) for k in (0, 1)] == [(False, True, False, False), (True, False, False, False)]
    # Who shows the same sky shows no more, and without coordinates nobody is known to.
    twins = Sky([left, PatchFrame(0, 1, (60, 100), left.wcs), PatchFrame(0, 2, (60, 100))])
    assert {twins.seams(k) for k in range(3)} == {(False,) * 4}
    # An inner region says where others go on.
    inner = PatchFrame(0, 0, (60, 100), None, (0, 90, 10, 60))
    assert Sky([inner]).seams(0) == (False, True, True, False)


@settings(max_examples=25, deadline=None)
@given(st.floats(-40, 40), st.floats(-40, 40), st.floats(0, 90), st.floats(0.7, 1.4), st.integers(0, 99))
def test_any_two_grids_agree_on_the_owner(dx, dy, angle, scale, seed):
    first = PatchFrame(3, 1, (70, 90), tan((45.5, 35.5)))
    second = PatchFrame(4, 0, (80, 60), tan((30.5 + dx, 40.5 + dy), angle, SCALE * scale))
    sky = Sky([first, second])
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(0, 69, 200), rng.uniform(0, 89, 200)
    coordinates = pixel_to_sky(first.wcs, y, x).icrs
    at_y, at_x = sky_to_pixel(second.wcs, coordinates.ra.deg, coordinates.dec.deg)
    both = second.contains(at_y, at_x)
    asked_first, asked_second = sky.owners(0, y, x), sky.owners(1, at_y[both], at_x[both])
    np.testing.assert_array_equal(asked_first[both], asked_second)
    assert (asked_first[~both] == 0).all()
    # Among the patches of its own tract, it is always its own.
    assert (sky.owners(0, y, x, tract=3) == 0).all()


def test_without_world_coordinates_a_patch_owns_its_inner_region_or_everything():
    bare = PatchFrame(0, 0, (50, 50))
    told = PatchFrame(0, 1, (50, 50), None, (10, 40, 0, 50))
    y, x = np.full(4, 25.0), np.array([0.0, 9.0, 10.0, 40.0])
    sky = Sky([bare, told])
    assert sky.owners(0, y, x).tolist() == [0, 0, 0, 0]
    assert sky.owners(1, y, x).tolist() == [-1, -1, 1, -1]


def test_behind_an_inner_border_without_a_neighbour_nobody_is_lost():
    alone = PatchFrame(0, 0, (50, 50), tan((25.5, 25.5)), (10, 40, 0, 50))
    assert Sky([alone]).owners(0, np.array([25.0]), np.array([3.0])).tolist() == [0]


def test_the_same_patch_twice_belongs_to_the_first():
    twins = [PatchFrame(tract, 5, (40, 40), tan((20.5, 20.5))) for tract in (1, 2)]
    y, x = np.mgrid[:40, :40].reshape(2, -1).astype(float)
    assert (Sky(twins).owners(1, y, x) == 0).all()
    assert (Sky(twins).owners(1, y, x, tract=2) == 1).all()


def test_tiles_cover_and_overlap():
    tiles = tile_grid((1000, 2300), 700, 100)
    covered = np.zeros((1000, 2300), dtype=int)
    for tile in tiles:
        assert max(tile.shape) <= 700
        x0, x1, y0, y1 = tile.inner
        covered[tile.y0 + y0 : tile.y0 + y1, tile.x0 + x0 : tile.x0 + x1] += 1
        for low, high, last, first, end in ((x0, x1, 2300, tile.x0, tile.x1), (y0, y1, 1000, tile.y0, tile.y1)):
            assert first == 0 or low >= 50
            assert end == last or end - first - high >= 50
    assert (covered == 1).all()
    assert tile_grid((300, 400), 400, 100)[0].inner == (0, 400, 0, 300)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((100, 100), 50, 25), "tiles of 50 pixels cannot overlap by 25: it must be 0 or more, and below half"),
        (((100, 100), 50, -1), "cannot overlap by -1"),
        (((10, 100000), 100, 0), "more than 100 along a side cannot be numbered; choose a larger --size"),
    ],
)
def test_tiles_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        tile_grid(*arguments)
