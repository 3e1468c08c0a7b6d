"""The chain's tasks, run one after the other on the small sky; each test module reads what it needs."""

from dataclasses import dataclass
from typing import Any

import pytest
import small_sky

from meas_deblend_tasks.apportion import ApportionTask
from meas_deblend_tasks.deblend import MultiBandTask
from meas_deblend_tasks.deconvolve import DeconvolveTask
from meas_deblend_tasks.detect import DetectTask
from meas_deblend_tasks.measure import MeasureTask
from meas_deblend_tasks.persist import PersistTask


@dataclass(frozen=True)
class Chain:
    """What each task made of the sky."""

    coadds: Any
    detections: Any
    split_parents: Any
    deblended: Any
    apportioned: Any
    models: Any
    catalogs: Any


def measure(coadds, detections, parent_models):
    """Apportion and measure what some deblender made."""
    children = ApportionTask().run(coadds, parent_models).children
    return MeasureTask().run(coadds, detections, parent_models, children)


@pytest.fixture(scope="session")
def chain():
    """All tasks with their default settings."""
    coadds = small_sky.exposure()
    detections = DetectTask().run(coadds).detections
    split = DeconvolveTask().run(coadds, detections).split_parents
    deblended = MultiBandTask().run(coadds, split)
    apportioned = ApportionTask().run(coadds, deblended.parent_models)
    models = PersistTask().run(coadds, deblended.parent_models, apportioned.sharing).models
    catalogs = MeasureTask().run(coadds, detections, deblended.parent_models, apportioned.children)
    return Chain(coadds, detections, split, deblended, apportioned, models, catalogs)


@pytest.fixture(scope="session")
def catalogs_of():
    """Function that apportions and measures models."""
    return measure
