"""The same tasks inside Rubin's middleware: real `lsst.pipe.base.PipelineTask`s. Needs the extra ``lsst``.

Their configs are made of ours by `bridge`, their connections of ours by `task`; every dataset is kept in a storage
class that all repositories have. The pipelines are in ``tasks/pipelines/lsst``.
"""

from meas_deblend_tasks import any_deblender, apportion, deblend, deconvolve, detect, measure, persist, profile, seeds

from .codecs import read_catalog, read_models, write_model_file
from .task import RubinTask

__all__ = [
    "AnyDeblenderTask",
    "ApportionTask",
    "DeconvolveTask",
    "DetectAndMergeTask",
    "HybridTask",
    "JointProfilesTask",
    "MeasureTask",
    "MultiBandTask",
    "NoDeblendingTask",
    "PersistTask",
    "RubinTask",
    "SingleBandSeedsTask",
    "SingleBandTask",
    "read_catalog",
    "read_models",
    "write_model_file",
]


class DetectAndMergeTask(RubinTask, light=detect.DetectAndMergeTask):
    """Coadds → parents: footprints with the peaks in them."""


class DeconvolveTask(RubinTask, light=deconvolve.DeconvolveTask):
    """Parents → blends: what is separate in the deconvolved image is fitted apart."""


class SingleBandTask(RubinTask, light=deblend.SingleBandTask):
    """Parents → models: symmetric and PSF templates of every peak, band by band."""


class SingleBandSeedsTask(RubinTask, light=seeds.SingleBandSeedsTask):
    """Templates of single bands for the joint fit, made when it asks for them."""


class MultiBandTask(RubinTask, light=deblend.MultiBandTask):
    """Parents → models: all bands of every blend fitted jointly."""


class NoDeblendingTask(RubinTask, light=deblend.NoDeblendingTask):
    """Parents kept whole: what others are compared with."""


class JointProfilesTask(RubinTask, light=profile.JointProfilesTask):
    """Parents → models: one joint fit of profiles over the patch."""


class HybridTask(RubinTask, light=profile.HybridTask):
    """Parents → models: profiles, and the structure on top of them."""


class AnyDeblenderTask(RubinTask, light=any_deblender.AnyDeblenderTask):
    """Parents → models with any deblender of the registry, plug-ins included."""


class ApportionTask(RubinTask, light=apportion.ApportionTask):
    """Models → children: who gets which pixels, made when somebody asks for them."""


class PersistTask(RubinTask, light=persist.PersistTask):
    """Models → the model store."""


class MeasureTask(RubinTask, light=measure.MeasureTask):
    """Children → catalogs."""
