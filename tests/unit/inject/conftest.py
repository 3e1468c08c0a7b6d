"""Small skies to inject into, and chains whose answers are known."""

import numpy as np
import pytest

from meas_deblend.apportion import Apportioned, Child
from meas_deblend.evaluate import ChainResult
from meas_deblend.geometry import Box, Footprint, Image, Peak
from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure
from meas_deblend.inject import InjectionCatalog
from meas_deblend.models import BlendModel, ParentModel, SourceModel, TemplateComponent

BANDS = ("g", "r")
SIGMA = (0.05, 0.08)


def blank_exposure(shape=(90, 100), *, seed=1, noise=True, **changes):
    """White noise in g and r, no source."""
    sigma = np.array(SIGMA)[:, None, None]
    images = sigma * np.random.default_rng(seed).standard_normal((2, *shape)) * noise
    planes = {
        "bands": BANDS,
        "images": images.astype(np.float32),
        "variance": np.broadcast_to(sigma**2, images.shape).astype(np.float32),
        "mask": np.zeros(images.shape, dtype=np.int32),
        "psfs": (GaussianPsf(1.9), GaussianPsf(1.6)),
        "mask_planes": MaskPlanes({"BAD": 0}, ("BAD",)),
        "zeropoints": (27.0, 26.5),
        "pixel_scale": 0.2,
    }
    return MultibandExposure(**(planes | changes))


def catalog_of(positions, magnitude=22.0, **columns):
    """Stars at ``(y, x)``, one magnitude brighter in r than in g, unless ``columns`` say otherwise."""
    where = np.array(positions, dtype=float).reshape(-1, 2)
    n = len(where)
    shapes = {
        "half_light_radius": np.zeros(n),
        "axis_ratio": np.ones(n),
        "position_angle": np.zeros(n),
        "sersic_index": np.ones(n),
        "is_star": np.ones(n, dtype=bool),
    }
    magnitudes = np.stack([np.full(n, magnitude + 1.0), np.full(n, magnitude)], axis=1)
    return InjectionCatalog(BANDS, where[:, 0], where[:, 1], magnitudes, **(shapes | columns))


class OracleChain:
    """Gives every named position ``factor`` times the flux of its own pixels' box, and keeps what it was asked."""

    deblender = "oracle"

    def __init__(self, radius=8, factor=1.0, deblender="oracle"):
        self.radius, self.factor, self.deblender = radius, factor, deblender
        self.calls = []

    def __call__(self, exposure, sources):
        self.calls.append(sources)
        if sources is None:
            return ChainResult((), (), {})
        models, children = [], []
        for k, (name, y, x) in enumerate(zip(sources["id"], sources["y"], sources["x"], strict=True)):
            box = Box((round(y), round(x)), (1, 1)).grow(self.radius) & exposure.box
            cut = (slice(None), *box.slices_in(exposure.box))
            pixels = (self.factor * exposure.images[cut]).astype(np.float32)
            peak = Peak(0, round(y), round(x), position=(y, x), name=name)
            footprint = Footprint(box, np.ones(box.shape, dtype=bool), (peak,))
            source = SourceModel(k + 1, peak, (TemplateComponent(box, np.maximum(pixels, 0)),))
            blend = BlendModel(0, box, (source,))
            models.append(ParentModel(k + 1, footprint, (blend,), np.zeros((2, 3, 3))))
            nothing = Image(np.zeros_like(pixels), box)
            child = Child(box, pixels, np.ones_like(pixels), np.zeros(pixels.shape, dtype=bool))
            children.append(Apportioned((child,), nothing, nothing, ()))
        return ChainResult(tuple(models), tuple(children), {"oracle": 0.1})


@pytest.fixture
def blank():
    return blank_exposure


@pytest.fixture
def stars():
    return catalog_of


@pytest.fixture
def oracle():
    return OracleChain
