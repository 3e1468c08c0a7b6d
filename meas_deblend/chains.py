"""Chains of steps by the name of their deblender, for whoever compares deblenders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .deblenders import deblender_names, get_deblender
from .evaluate import ChainResult
from .framework import Layer, Pipeline, layer_from_dict, load_pipeline, run_pipeline
from .framework.layers import check_labels
from .framework.marks import Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .image import MultibandExposure

__all__ = ["DeblenderChain", "load_chain", "load_chains", "load_pipeline_chain"]

_OWN_PIPELINES = {
    "none": "none",
    "single_band": "single_band",
    "multi_band": "multiband",
    "joint_profiles": "profile",
    "hybrid": "hybrid",
}
_ANY_PIPELINE, _ANY_LABEL = "any_deblender", "deblend"
_NOT_FOR_MODELS = ("persist", "measure")


@dataclass(frozen=True, slots=True)
class DeblenderChain:
    """The steps of a shipped pipeline from coadds to re-apportioned children, with one deblender.

    Parameters
    ----------
    deblender : str
        Name of the deblender.
    pipeline : Pipeline
        Its steps; those that neither make models nor children are left out.
    """

    deblender: str
    pipeline: Pipeline

    def __call__(self, exposure: MultibandExposure, sources: Mapping[str, Any] | None) -> ChainResult:
        """Deblend; see `evaluate.Chain`."""
        inputs: dict[str, object] = {"coadds": exposure}
        if sources is not None:
            from .image import read_sources  # noqa: PLC0415 - reads tables with astropy

            inputs["source_list"] = read_sources(sources, exposure.wcs, shape=exposure.box.shape)
        result = run_pipeline(self.pipeline, inputs)
        result.raise_failures()
        models: Any = result.datasets.get("parent_models", ())
        children: Any = result.datasets.get("children", ())
        return ChainResult(
            tuple(models),
            tuple(children),
            {r.label: r.seconds for r in result.reports},
            {r.label: r.cpu_seconds for r in result.reports},
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Resolved settings by label."""
        return {task.label: task.resolved.config.model_dump(mode="json") for task in self.pipeline.tasks}


def load_chain(deblender: str, layers: Sequence[Layer] = (), survey: str | Path = "generic") -> DeblenderChain:
    """Load the pipeline that ends in a deblender.

    Parameters
    ----------
    deblender : str
        A name of the registry. ``none``, ``single_band``, ``multi_band``, ``joint_profiles`` and ``hybrid`` have
        pipelines of their own; all others run in the pipeline ``any_deblender``.
    layers : sequence of Layer
        Settings by label; those of a deblender without a pipeline of its own may also stand under its name.  Labels
        that the pipeline does not have are passed over.
    survey : str or path
        Whose settings lie below.

    Returns
    -------
    DeblenderChain

    Raises
    ------
    ConfigError
        If there is no such deblender, or a setting does not fit.
    """
    get_deblender(deblender)
    own = deblender in _OWN_PIPELINES
    bare = load_pipeline(_OWN_PIPELINES[deblender] if own else _ANY_PIPELINE, survey=survey)
    labels = tuple(label for label in bare.labels if label not in _NOT_FOR_MODELS)
    wanted = list(layers) if own else [_choice(deblender), *(_moved(layer, deblender) for layer in layers)]
    kept = [Layer(layer.name, {k: v for k, v in layer.labels.items() if k in bare.labels}) for layer in wanted]
    return DeblenderChain(deblender, load_pipeline(bare.name, survey=survey, layers=kept).only(labels))


def load_chains(
    deblenders: Sequence[str], layers: Sequence[Layer] = (), survey: str | Path = "generic"
) -> tuple[DeblenderChain, ...]:
    """Load the chains of several deblenders, with settings of which each must belong to one of them.

    Raises
    ------
    ConfigError
        See `load_chain`; also if no chain has a task of a label for which there are settings.
    """
    chains = tuple(load_chain(name, layers, survey) for name in deblenders)
    # A file of settings for whole runs may be used: what it says of measurement has no effect here.
    known = {label for chain in chains for label in chain.pipeline.labels} | set(_NOT_FOR_MODELS)
    known |= {name for name in deblenders if name in deblender_names() and name not in _OWN_PIPELINES}
    for layer in layers:
        check_labels(layer, sorted(known))
    return chains


def load_pipeline_chain(
    name: str | Path, layers: Sequence[Layer] = (), survey: str | Path = "generic"
) -> DeblenderChain:
    """Load a pipeline of the user's own, from coadds to re-apportioned children.

    Parameters
    ----------
    name : str or path
        Pipeline definition, by name or as a file; the chain is called by the name of the definition.
    layers : sequence of Layer
        Settings by label.
    survey : str or path
        Whose settings lie below.

    Raises
    ------
    ConfigError
        If a setting does not fit.
    PipelineError
        If there is no such pipeline, or it makes no models and children.
    """
    pipeline = load_pipeline(name, survey=survey, layers=layers)
    kept = pipeline.only(tuple(label for label in pipeline.labels if label not in _NOT_FOR_MODELS))
    return DeblenderChain(pipeline.name, kept)


def _choice(deblender: str) -> Layer:
    return replace(layer_from_dict({_ANY_LABEL: {"deblender": {"name": deblender}}}), name="--deblender")


def _moved(layer: Layer, deblender: str) -> Layer:
    """Layer with the settings under the deblender's own name put where its task has them."""
    own = layer.labels.get(deblender)
    if own is None:
        return layer
    below = Section({deblender: own}, own.origin)
    section = Section({"deblender": below}, own.origin)
    return Layer(layer.name, {**{k: v for k, v in layer.labels.items() if k != deblender}, _ANY_LABEL: section})
