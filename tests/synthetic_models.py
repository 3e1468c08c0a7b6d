"""Models that several test modules use: made from a seed, not fitted to anything."""

from dataclasses import replace

import numpy as np

from meas_deblend.geometry import Box, Footprint, Peak
from meas_deblend.models import (
    BlendModel,
    FactorizedComponent,
    ParentModel,
    PointComponent,
    ProfileComponent,
    SourceModel,
    TemplateComponent,
)

BANDS = ("g", "r", "i")


def gaussian(shape, center, sigma):
    """Normalised circular Gaussian (y, x), float32."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * sigma**2))
    return (image / image.sum()).astype(np.float32)


def psf_cube(sigmas=(1.8, 1.6, 1.5), side=15):
    """Observed PSFs (band, y, x)."""
    middle = (side // 2, side // 2)
    return np.stack([gaussian((side, side), middle, sigma) for sigma in sigmas])


def make_parent(parent_id, positions, origin=(10, 20), shape=(30, 40), seed=0):
    """Parent with one factorized source per position ``(y, x)``, which lie in the box."""
    rng = np.random.default_rng([seed, parent_id])
    box = Box(origin, shape)
    peaks = tuple(
        Peak(k, y, x, value=10.0 - k, bands=("g", "r") if k else BANDS, name=f"s{k}")
        for k, (y, x) in enumerate(positions)
    )
    sources = []
    for k, peak in enumerate(peaks):
        own = Box((peak.y - 7, peak.x - 7), (15, 15)) & box
        morph = gaussian(own.shape, (peak.y - own.origin[0], peak.x - own.origin[1]), 1.5 + 0.5 * k)
        spectrum = rng.uniform(50, 500, len(BANDS)).astype(np.float32)
        identifier = parent_id if len(peaks) == 1 else parent_id * 100 + k
        sources.append(SourceModel(identifier, peak, (FactorizedComponent(own, spectrum, morph),)))
    blend = BlendModel(parent_id, box, tuple(sources), 12, -123.5, "converged")
    y, x = np.ogrid[: shape[0], : shape[1]]
    disc = ((y - shape[0] / 2) / (shape[0] / 2)) ** 2 + ((x - shape[1] / 2) / (shape[1] / 2)) ** 2 <= 1
    return ParentModel(
        parent_id,
        Footprint(box, disc, peaks),
        (blend,),
        psf_cube(),
        gaussian((15, 15), (7, 7), 0.8),
        deblender="multi_band",
    )


def make_template_parent(parent_id, position, box):
    """Isolated parent with one template per band."""
    peak = Peak(0, *position)
    shape = gaussian(box.shape, (position[0] - box.origin[0], position[1] - box.origin[1]), 2.0)
    cube = shape * np.array([100, 200, 300], dtype=np.float32)[:, None, None]
    source = SourceModel(parent_id, peak, (TemplateComponent(box, cube),), frozenset({"deblend_deblendedAsPsf"}))
    blend = BlendModel(parent_id, box, (source,))
    footprint = Footprint.from_box(box, (peak,))
    return ParentModel(
        parent_id, footprint, (blend,), psf_cube(), None, "single_band", "degraded", "fit_failed", "ValueError: no"
    )


def make_parametric_parent(parent_id, position, box):
    """Isolated parent of a point and a profile, whose fluxes have a covariance."""
    peak = Peak(0, round(position[0]), round(position[1]), position=position)
    spectrum = np.array([100, 200, 300], dtype=np.float32)
    components = (
        PointComponent(box, spectrum, position),
        ProfileComponent(box, spectrum[::-1].copy(), position, 2.5, (0.25, -0.125), 1.5),
    )
    source = SourceModel(parent_id, peak, components)
    covariance = np.array([4.0, 5.0, 6.0]).reshape(3, 1, 1)
    blend = BlendModel(parent_id, box, (source,), 7, -12.5, "converged", covariance)
    model_psf = gaussian((15, 15), (7, 7), 0.8)
    return ParentModel(parent_id, Footprint.from_box(box, (peak,)), (blend,), psf_cube(), model_psf, "multi_band")


def with_fits(parent, psf_fits):
    """Return the isolated parent with other point-source fits."""
    source = replace(parent.sources[0], psf_fits=psf_fits)
    return replace(parent, blends=(replace(parent.blends[0], sources=(source,)),))


def assert_same_array(a, b):
    """Same type, shape and bits, NaN included."""
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


def assert_same_parent(a, b):
    """Every value of two parents, bit by bit."""
    for name in ("id", "deblender", "outcome", "reason", "message", "warnings"):
        assert getattr(a, name) == getattr(b, name)
    assert a.footprint.box == b.footprint.box
    assert_same_array(a.footprint.mask, b.footprint.mask)
    assert list(map(repr, a.footprint.peaks)) == list(map(repr, b.footprint.peaks))
    assert_same_array(a.psfs, b.psfs)
    assert (a.model_psf is None) == (b.model_psf is None)
    if a.model_psf is not None:
        assert_same_array(a.model_psf, b.model_psf)
    assert len(a.blends) == len(b.blends)
    for one, other in zip(a.blends, b.blends, strict=True):
        _assert_same_blend(one, other)


def _assert_same_blend(a, b):
    values = ("id", "box", "iterations", "log_likelihood", "stop_reason")
    assert [repr(getattr(a, name)) for name in values] == [repr(getattr(b, name)) for name in values]
    assert (a.flux_covariance is None) == (b.flux_covariance is None)
    if a.flux_covariance is not None:
        assert_same_array(a.flux_covariance, b.flux_covariance)
    assert (a.psfs is None) == (b.psfs is None)
    if a.psfs is not None:
        assert_same_array(a.psfs, b.psfs)
    assert len(a.sources) == len(b.sources)
    for one, other in zip(a.sources, b.sources, strict=True):
        assert (one.id, one.flags, repr(one.peak)) == (other.id, other.flags, repr(other.peak))
        assert repr(one.psf_fits) == repr(other.psf_fits)
        assert (one.rung, one.reason) == (other.rung, other.reason)
        assert len(one.components) == len(other.components)
        for mine, theirs in zip(one.components, other.components, strict=True):
            assert type(mine) is type(theirs)
            assert mine.box == theirs.box
            for name in ("spectrum", "morph", "cube"):
                if hasattr(mine, name):
                    assert_same_array(getattr(mine, name), getattr(theirs, name))
            for name in ("center", "radius", "ellipticity", "index"):
                assert getattr(mine, name, None) == getattr(theirs, name, None)
