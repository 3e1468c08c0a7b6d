"""Runs on the small sky in which something is different each time, made once for all tests.

Between them every flag is true and false, every column has two values, and every setting is read.
"""

import sys
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import small_sky
from pydantic import BaseModel

from meas_deblend.apportion import ApportionConfig
from meas_deblend.deblenders import BlendLimits, profile
from meas_deblend.deblenders.blend_fit import BlendFitter
from meas_deblend.detect import DeconvolveConfig, DetectConfig, HierarchyConfig, SkyObjectsConfig, StructureConfig
from meas_deblend.framework import load_pipeline, shipped_pipelines
from meas_deblend.image import SourceList
from meas_deblend.measure import MeasureConfig
from meas_deblend.profiles import ProfileFitConfig
from meas_deblend.scarlet import FitConfig
from meas_deblend_tasks.any_deblender import AnyDeblenderTask
from meas_deblend_tasks.apportion import ApportionTask, ApportionTaskConfig
from meas_deblend_tasks.deblend import (
    MultiBandConfig,
    MultiBandTask,
    NoDeblendingTask,
    SingleBandConfig,
    SingleBandTask,
)
from meas_deblend_tasks.deconvolve import DeconvolveTask, DeconvolveTaskConfig
from meas_deblend_tasks.detect import DetectTask, DetectTaskConfig
from meas_deblend_tasks.measure import MeasureTask, MeasureTaskConfig
from meas_deblend_tasks.persist import PersistTask
from meas_deblend_tasks.profile import HybridConfig, HybridTask, JointProfilesConfig, JointProfilesTask

TABLES = ("objects", "parents", "ledger", "patch_ledger", "flux_covariance", "noise_correlation", "merged_peaks")


@dataclass(frozen=True)
class MadeRun:
    """Coadds, detections, models, children and catalogs."""

    coadds: Any
    detections: Any
    parent_models: Any
    children: Any
    catalogs: Any


@dataclass(frozen=True)
class MadeRuns:
    """Runs by name, and the settings (class, field) that they read."""

    runs: dict[str, MadeRun]
    settings_read: frozenset[tuple[type, str]]


def finish(coadds, detections, parent_models, config=None, sharing=None):
    """Apportion and measure what some deblender made."""
    shared = ApportionTask(ApportionTaskConfig(sharing=sharing or ApportionConfig())).run(coadds, parent_models)
    PersistTask().run(coadds, parent_models, shared.sharing)
    task = MeasureTask() if config is None else MeasureTask(config)
    catalogs = task.run(coadds, detections, parent_models, shared.children)
    return MadeRun(coadds, detections, parent_models, shared.children, catalogs)


def made_runs(names=None) -> MadeRuns:
    """Those of some names, or all of them."""
    with recorded_settings() as read:
        # Each is made where it is named: there, what shall fail does.
        runs = {name: make() for name, make in _made() if names is None or name in names}
    return MadeRuns(runs, frozenset(read))


@dataclass(frozen=True)
class _Sky:
    """The small sky, whole and with damage, and what is found on both."""

    coadds: Any
    detections: Any
    split: Any
    damaged: Any
    found_damaged: Any

    def made(self, task, what, exposure=None, found=None, **options):
        """Deblend parents or detections, and finish; default: on the whole sky."""
        exposure = self.coadds if exposure is None else exposure
        found = self.detections if found is None else found
        return finish(exposure, found, task.run(exposure, what).parent_models, **options)

    def blinded(self, *bands):
        """Its mask, with nothing to see in some bands (default: in all) where the four were detected."""
        mask = self.coadds.mask.copy()
        where = (self.detections.parents[2].footprint.box.grow(3) & self.coadds.box).slices_in(self.coadds.box)
        mask[(list(bands) if bands else slice(None), *where)] = 1
        return mask


def _made():
    """Yield names, and functions that make their runs."""
    coadds = small_sky.exposure()
    detections = DetectTask().run(coadds).detections
    split = DeconvolveTask().run(coadds, detections).split_parents
    damaged = damaged_coadds(coadds, detections.parents[2])
    sky = _Sky(coadds, detections, split, damaged, DetectTask().run(damaged).detections)
    for some in (_joint_fits, _templates, _found_otherwise, _structure, _unseen, _profiles):
        yield from some(sky)


def _joint_fits(sky):
    """Fits of all bands, and what is not fitted."""
    made, split = sky.made, sky.split
    yield "default", partial(made, MultiBandTask(), split)
    limits = MultiBandConfig(limits=BlendLimits(max_number_of_peaks=3))
    yield "limits", partial(made, MultiBandTask(limits), sky.detections.parents)
    yield "short", partial(made, MultiBandTask(MultiBandConfig(fit=FitConfig(max_iter=1))), split)
    seeded = MultiBandConfig(init="single_band", fit=FitConfig(max_iter=1))
    yield "seeded", partial(made, MultiBandTask(seeded), split)
    points = FitConfig(max_components=0, fit_positions=True)
    yield "points", partial(made, MultiBandTask(MultiBandConfig(fit=points)), split)
    # Only the brightest pixels hold together, so parents fall apart into blends; updates end when little changes.
    sharp = DeconvolveTaskConfig(
        deconvolution=DeconvolveConfig(e_rel=1e-3),
        hierarchy=HierarchyConfig(footprint_snr_thresh=60, grow_size=0, min_deconvolved_area=3),
    )
    apart = DeconvolveTask(sharp).run(sky.coadds, sky.detections).split_parents
    yield "split", partial(made, MultiBandTask(), apart, sharing=ApportionConfig(keep_outside=True))
    yield "any", partial(made, AnyDeblenderTask(), split)
    yield "poor", partial(made, MultiBandTask(MultiBandConfig(cost_budget=1e-9, memory_budget=1e-9)), split)
    yield "none", partial(made, NoDeblendingTask(), sky.detections)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlendFitter, "fit", lambda *_, **__: 1 / 0)
        yield "failing", partial(made, MultiBandTask(), split)
    parents = DeconvolveTask().run(sky.damaged, sky.found_damaged).split_parents
    yield "one band", partial(made, MultiBandTask(), parents, sky.damaged, sky.found_damaged)


def _templates(sky):
    """Templates from each band on its own."""
    made, detections = sky.made, sky.detections
    yield "single_band", partial(made, SingleBandTask(), detections)
    chosen = {
        "alike": SingleBandConfig(remove_degenerate_templates=True, max_temp_dot_prod=0.1),
        "stray": SingleBandConfig(stray_flux_rule="r-to-peak"),
        "big": SingleBandConfig(max_footprint_area=1500),
        "few": SingleBandConfig(max_number_of_peaks=3),
        "chosen": SingleBandConfig(use_ci_limits=True, ci_num_parents_to_deblend=1),
    }
    for name, config in chosen.items():
        yield name, partial(made, SingleBandTask(config), detections)
    masked = SingleBandTask(SingleBandConfig(mask_limits={"BAD": 0.01}))
    yield "masked", partial(made, masked, sky.found_damaged, sky.damaged, sky.found_damaged)


def _found_otherwise(sky):
    """Other footprints, and peaks from elsewhere."""
    made, coadds = sky.made, sky.coadds
    # Footprints that end where sources are still bright.
    tight = DetectTask(DetectTaskConfig(detection=DetectConfig(threshold=25, grow=0))).run(coadds).detections
    yield "tight", partial(made, SingleBandTask(), tight, found=tight)
    # The image ends in the middle of what is left on it.
    edge = cropped(coadds, slice(0, 60), slice(24, 90))
    found = DetectTask().run(edge).detections
    yield "edge", partial(made, SingleBandTask(SingleBandConfig(edge_handling="noclip")), found, edge, found)
    given = SourceList(*(np.asarray(small_sky.positions()[a]) for a in "yx"), tuple(f"mine {k}" for k in range(7)))
    found = DetectTask().run(coadds, given).detections
    config = MeasureTaskConfig(measurement=MeasureConfig(position="given"))
    yield "given", partial(made, SingleBandTask(), found, found=found, config=config)
    # One parent after the other, in an image of which little is known.
    task = AnyDeblenderTask(AnyDeblenderTask.ConfigClass(deblender={"name": "joint_profiles"}))
    bare = replace(coadds, zeropoints=(None,) * len(coadds.bands), pixel_scale=None)
    yield "profiles, given", partial(made, task, found.parents, bare, found)
    empty = DetectTask(DetectTaskConfig(sky_objects=SkyObjectsConfig(n_sources=2, source_radius=4)))
    found = empty.run(coadds).detections
    yield "sky", partial(made, SingleBandTask(), found, found=found)


def _structure(sky):
    """Whatever lies near something brighter is taken for a part of it."""
    whole = StructureConfig(
        min_radius=0.1, min_significance=5, max_contrast=1e9, max_color_chi2=1e9, max_distance=1e3, color_scatter=0.5
    )
    unseen = replace(sky.coadds, mask=sky.blinded(0))
    for name, exposure in (("merged", sky.coadds), ("merged in i", unseen)):
        found = DetectTask(DetectTaskConfig(structure=whole)).run(exposure).detections
        yield name, partial(sky.made, NoDeblendingTask(), found, exposure, found)


def _unseen(sky):
    """Damaged pixels, nothing to see where something was detected, and positions of another catalog there."""
    blind = replace(sky.coadds, mask=sky.blinded())
    yield "damaged", partial(sky.made, NoDeblendingTask(), sky.found_damaged, sky.damaged, sky.found_damaged)
    yield "blind", partial(sky.made, NoDeblendingTask(), sky.detections, blind)
    # On an object, and far from all.
    places = SourceList(np.array([57.3, 70.0]), np.array([37.6, 80.0]), ("near", "far"))

    def forced(exposure):
        whole = sky.made(MultiBandTask(), sky.split, exposure)
        tables = MeasureTask().measure_at(exposure, whole.parent_models, whole.children, places)
        return replace(whole, catalogs=SimpleNamespace(**tables))

    for name, exposure in (("forced", sky.coadds), ("forced, damaged", sky.damaged), ("forced, blind", blind)):
        yield name, partial(forced, exposure)


def _profiles(sky):
    """Smooth profiles, and those with free light on them."""
    made, detections = sky.made, sky.detections
    yield "profiles", partial(made, JointProfilesTask(), detections)
    # More sources than are fitted at once.
    cut = JointProfilesConfig(fit=ProfileFitConfig(group_size=2, turns=1))
    yield "profiles, cut", partial(made, JointProfilesTask(cut), detections)
    # The star twice, and of the pair only the first.
    y, x = (np.asarray(small_sky.positions()[axis]) for axis in "yx")
    order = np.array([0, 0, 1, 3, 4, 5, 6])
    twice = SourceList(y[order] + 0.4 * (np.arange(7) == 1), x[order] - 0.5 * (np.arange(7) == 1), ("",) * 7)
    found = DetectTask().run(sky.coadds, twice).detections
    yield "profiles, listed", partial(made, JointProfilesTask(), found, found=found)
    belongs = HybridConfig(structure=0.0)
    yield "hybrid, listed", partial(made, HybridTask(belongs), found, found=found)
    # Where the noise is enough to add sources.
    eager = HybridConfig(fit=ProfileFitConfig(add_min_snr=1.0, add_model_error=0.1))
    yield "hybrid", partial(made, HybridTask(eager), detections)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "_fit", lambda *_: 1 / 0)
        yield "profiles, failing", partial(made, JointProfilesTask(), detections)
        yield "hybrid, failing", partial(made, HybridTask(), detections)


def damaged_coadds(coadds, four):
    """No PSF in the first band and no data around the four; in the second band holes at their peaks."""
    mask, images = coadds.mask.copy(), coadds.images.copy()
    box = four.footprint.box.grow(3) & coadds.box
    mask[(0, *box.slices_in(coadds.box))] = 1
    for peak in four.footprint.peaks:
        mask[1, peak.y - 1 : peak.y + 2, peak.x - 1 : peak.x + 2] = 1
    images[1, 40, :5] = np.nan
    images[1, four.footprint.peaks[0].y, four.footprint.peaks[0].x] = np.nan
    return replace(coadds, images=images, mask=mask, psfs=(None, coadds.psfs[1]), wcs=None)


def cropped(coadds, rows, columns):
    """Part of the exposure, without the coordinates that would be wrong on it."""
    parts = {name: getattr(coadds, name)[:, rows, columns] for name in ("images", "variance", "mask")}
    return replace(coadds, wcs=None, **parts)


def config_classes():
    """Every class of settings of the shipped pipelines' tasks, nested ones included."""
    tasks = {task.task_class for name in shipped_pipelines() for task in load_pipeline(name).tasks}
    found, ahead = set(), [task.ConfigClass for task in tasks]
    while ahead:
        model = ahead.pop()
        if model not in found:
            found.add(model)
            below = (field.annotation for field in model.model_fields.values())
            ahead += [b for b in below if isinstance(b, type) and issubclass(b, BaseModel)]
    return sorted(found, key=lambda model: model.__qualname__)


class recorded_settings:  # noqa: N801 - reads as what it does in a with statement
    """Note each field of a Config that code outside the framework reads, by the class that declares it."""

    def __enter__(self):
        self._read, self._patch = set(), pytest.MonkeyPatch()
        for model in config_classes():
            self._patch.setattr(model, "__getattribute__", _noting(model, self._read), raising=False)
        return self._read

    def __exit__(self, *_):
        self._patch.undo()


def _noting(model, read):
    fields = frozenset(model.model_fields)
    plain = model.__getattribute__

    def look_up(self, name):
        # Where a setting has been noted, nobody looks again: they are read in loops.
        if name in fields and (model, name) not in read:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.startswith("meas_deblend") and not caller.startswith("meas_deblend.framework"):
                read.add((model, name))
        return plain(self, name)

    return look_up
