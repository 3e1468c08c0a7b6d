"""From an identifier to models and pixels, from memory and from a file."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_models import BANDS, gaussian, make_parametric_parent, make_parent, make_template_parent

from meas_deblend.access import Models, load_models
from meas_deblend.apportion import ApportionConfig, reapportion_parent
from meas_deblend.exceptions import ModelError
from meas_deblend.geometry import Box, Image
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.models import SourceModel
from meas_deblend.products import StoreMetadata

SHAPE = (60, 80)
TEMPLATE_BOX = Box((45, 2), (11, 13))


def make_exposure(bands=BANDS, seed=5):
    rng = np.random.default_rng(seed)
    cube = rng.normal(5, 1, (len(bands), *SHAPE)).astype(np.float32)
    mask = np.zeros(cube.shape, np.int32)
    mask[0, 25, 30] = 1
    planes = MaskPlanes({"BAD": 0}, ("BAD",))
    return MultibandExposure(bands, cube, np.ones_like(cube), mask, (None,) * len(bands), planes)


def make_parents():
    bare = make_parent(4, [(25, 35), (20, 45)])
    empty = replace(bare.sources[1], components=(), flags=frozenset({"deblend_noModel"}))
    blend = replace(bare.blends[0], sources=(bare.sources[0], empty))
    return [
        make_parent(1, [(25, 35), (20, 45)]),
        make_parent(2, [(22, 30)]),
        make_template_parent(3, (50, 8), TEMPLATE_BOX),
        replace(bare, blends=(blend,)),
    ]


@pytest.fixture(params=["memory", "file"])
def models(request, tmp_path):
    """The same models, before and after they were written."""
    made = Models.from_parents(make_parents(), StoreMetadata.from_exposure(make_exposure()))
    if request.param == "memory":
        return made
    made.write(tmp_path / "models.parquet")
    return load_models(str(tmp_path / "models.parquet"))


def test_what_there_is(models, tmp_path):
    assert models.ids == (100, 101, 2, 3, 400, 401)
    assert models.parent_ids == (1, 2, 3, 4)
    assert models.bands == BANDS
    assert len(models) == 6
    assert repr(models) == "<Models: 6 objects of 4 parents, bands g, r, i>"
    assert [blend.id for blend in models.blends()] == [1, 2, 3, 4]
    models.write(tmp_path / "again.parquet")
    assert load_models(tmp_path / "again.parquet").ids == models.ids


def test_sources_of_a_blend_and_isolated_ones(models):
    child, alone = models.source(101), models.source(np.int64(2))
    assert (child.id, child.parent_id, child.bands) == (101, 1, BANDS)
    assert (alone.id, alone.parent_id) == (2, 0)
    assert child.center == (20.0, 45.0)
    assert child.box == child.components[0].box
    assert models.source(3).flags == {"deblend_deblendedAsPsf"}
    assert repr(child) == "<Source 101, of parent 1, at (y, x) = (20.00, 45.00), bands g, r, i>"
    assert repr(alone).startswith("<Source 2, isolated, at")


def test_model_without_seeing_is_spectrum_times_morphology(models):
    source = models.source(100)
    (component,) = source.components
    cube = source.model(convolved=False)
    assert cube.box == component.box
    np.testing.assert_array_equal(cube.array, component.spectrum[:, None, None] * component.morph)
    np.testing.assert_array_equal(source.model("r", convolved=False).array, cube.array[1])


def test_model_as_seen_has_the_flux_and_the_width_of_the_psf(models):
    source = models.source(100)
    # Morphology and model PSF are Gaussians of σ 1.5 and 0.8, the PSFs of 1.8, 1.6 and 1.5: variances add and subtract.
    for band, sigma in zip(BANDS, (1.8, 1.6, 1.5), strict=True):
        image = source.model(band)
        spectrum = source.components[0].spectrum[BANDS.index(band)]
        y, x = (grid + origin for grid, origin in zip(np.indices(image.array.shape), image.box.origin, strict=True))
        flux = image.array.sum()
        # The stamps are cut at 7 pixels.
        assert flux == pytest.approx(spectrum, rel=3e-3)
        variance = (((y - 25) ** 2 + (x - 35) ** 2) * image.array).sum() / flux / 2
        assert variance == pytest.approx(1.5**2 + sigma**2 - 0.8**2, rel=0.05)


def test_bands_come_in_the_order_that_is_asked_for(models):
    source = models.source(100)
    cube = source.model(["i", "g"])
    assert cube.array.shape[0] == 2
    np.testing.assert_array_equal(cube.array[0], source.model("i").array)
    np.testing.assert_array_equal(models.blend(1).model(("i", "g")), models.blend(1).model()[[2, 0]])


def test_blend_is_the_sum_of_its_sources(models):
    blend = models.blend(1)
    assert (blend.id, blend.bands, blend.box) == (1, BANDS, Box((10, 20), (30, 40)))
    assert blend.footprint.area < blend.box.area
    assert [source.id for source in blend.sources] == [100, 101]
    for convolved in (True, False):
        total = sum(source.model(convolved=convolved).project(blend.box).array for source in blend.sources)
        # float32, and Fourier transforms of other lengths
        np.testing.assert_allclose(blend.model(convolved=convolved), total, atol=1e-5 * total.max())
    assert repr(blend).startswith("<Blend 1: 2 objects, ok, made by 'multi_band'")
    assert repr(models.blend(2)).startswith("<Blend 2: 1 object,")


def test_templates_are_as_seen_and_nothing_else(models):
    source = models.source(3)
    np.testing.assert_array_equal(source.model().project(TEMPLATE_BOX).array, source.components[0].cube)
    for ask in (source, models.blend(3)):
        with pytest.raises(
            ModelError, match=r"object 3 was modelled by templates as seen .*'single_band'.*convolved=True"
        ):
            ask.model(convolved=False)


def test_a_source_without_a_model_is_empty(models):
    source = models.source(401)
    assert source.box.is_empty
    assert source.components == ()
    for convolved in (True, False):
        assert source.model(convolved=convolved).array.size == 0
    heavy = source.reapportioned(make_exposure(), "g")
    # A pixel to measure on, at the peak, though nothing was received.
    assert heavy.area == 1
    assert heavy.pixels.tolist() == [0]


def test_reapportioned_pixels_are_those_of_a_run_bit_by_bit(models):
    exposure = make_exposure()
    # These stores do not say how pixels were shared out.
    sharing = ApportionConfig.recorded({})
    for parent in make_parents():
        children = reapportion_parent(exposure, parent, sharing).children
        for source, child in zip(parent.sources, children, strict=True):
            for k, band in enumerate(BANDS):
                heavy = models.source(source.id).reapportioned(exposure, band=band)
                expected = child.heavy(k, source.peak)
                assert heavy.box == expected.box
                np.testing.assert_array_equal(heavy.mask, expected.mask)
                np.testing.assert_array_equal(heavy.pixels, expected.pixels)


def test_reapportioned_pixels_add_up_to_the_data(models):
    exposure = make_exposure()
    blend = models.blend(1)
    total = sum(source.reapportioned(exposure, "r").to_image(blend.box).array for source in blend.sources)
    model = blend.model("r") > 1e-3
    inside = blend.footprint.mask & model
    data = exposure.images[1][blend.box.slices_in(exposure.box)]
    np.testing.assert_allclose(total[inside], data[inside], rtol=1e-5)


def test_coadds_may_have_more_bands_in_another_order(models):
    exposure = make_exposure()
    wider = make_exposure(("z", "i", "r", "g"))
    cubes = {
        name: np.concatenate([getattr(wider, name)[:1], getattr(exposure, name)[::-1]]) for name in ("images", "mask")
    }
    wider = replace(wider, **cubes)
    heavy, same = (models.source(100).reapportioned(given, "g") for given in (wider, exposure))
    np.testing.assert_array_equal(heavy.pixels, same.pixels)


def test_options_of_the_run_are_kept_in_the_store(tmp_path):
    exposure = make_exposure()
    metadata = StoreMetadata.from_exposure(exposure, apportion={"single_takes_all": False})
    Models.from_parents(make_parents(), metadata).write(tmp_path / "m")
    default = Models.from_parents(make_parents(), StoreMetadata.from_exposure(exposure))
    strict = load_models(tmp_path / "m")
    assert strict.source(2).reapportioned(exposure, "r").area < default.source(2).reapportioned(exposure, "r").area
    unknown = Models.from_parents(make_parents(), StoreMetadata.from_exposure(exposure, apportion={"rule": "new"}))
    with pytest.raises(ModelError, match=r"this release cannot share out pixels as the models ask for"):
        unknown.source(2).reapportioned(exposure, "r")


def test_mistakes_are_told(models):
    exposure = make_exposure()
    with pytest.raises(ModelError, match="no object 7; there are 6 objects, with identifiers from 2 to 401"):
        models.source(7)
    with pytest.raises(ModelError, match=r"1 is a parent, not an object: it has 2 children \(100, 101\)"):
        models.source(1)
    with pytest.raises(ModelError, match="no parent 100; there are 4 parents"):
        models.blend(100)
    for ask in (lambda: models.source(100).model("y"), lambda: models.source(100).reapportioned(exposure, "y")):
        with pytest.raises(ModelError, match="no band 'y' in these models; there are g, r, i"):
            ask()
    with pytest.raises(ModelError, match="the models have bands g, r, i; the coadds lack i"):
        models.source(100).reapportioned(exposure.select(("g", "r")), "g")
    small = replace(exposure, **{name: getattr(exposure, name)[:, :50] for name in ("images", "variance", "mask")})
    with pytest.raises(ModelError, match=r"coadds of shape \(60, 80\) \(y, x\); these have \(50, 80\)"):
        models.source(100).reapportioned(small, "g")


def test_heavy_footprint_gives_an_image(models):
    heavy = models.source(2).reapportioned(make_exposure(), "r")
    image = heavy.to_image(Box((0, 0), SHAPE))
    assert isinstance(image, Image)
    assert image.array.sum(dtype=float) == pytest.approx(heavy.pixels.sum(dtype=float), rel=1e-6)


def test_values_are_those_that_were_stored(models):
    assert isinstance(models.source(100).values, SourceModel)
    np.testing.assert_array_equal(models.blend(1).parent.model_psf, gaussian((15, 15), (7, 7), 0.8))


def test_points_and_profiles_are_drawn_from_their_parameters():
    parent = make_parametric_parent(4, (23.25, 34.75), Box((10, 20), (30, 31)))
    models = Models.from_parents([parent], StoreMetadata(BANDS))
    sharp, seen = (models.source(4).model(convolved=convolved) for convolved in (False, True))
    # Fluxes 100 + 300, 200 + 200 and 300 + 100: nearly all of it lies in the box.
    np.testing.assert_allclose(sharp.array.sum(axis=(1, 2)), 400, rtol=0.01)
    np.testing.assert_allclose(seen.array.sum(axis=(1, 2)), 400, rtol=0.03)
    assert sharp.array.max() > seen.array.max()
    np.testing.assert_allclose(models.blend(4).model("r", convolved=False), sharp.array[1], rtol=1e-6)
