"""Models → the model store, in memory; whoever runs the pipeline writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from meas_deblend.framework import Config, Connections, PipelineTask, versions
from meas_deblend.products import MemoryStore, StoreMetadata

from .datasets import COADDS, MODELS, PARENT_MODELS, SHARING

if TYPE_CHECKING:
    from meas_deblend.apportion import ApportionConfig
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = ["PersistConfig", "PersistOutputs", "PersistTask"]


class PersistConfig(Config):
    """The store's layout is fixed by its version: there is nothing to choose."""


@dataclass(frozen=True)
class PersistOutputs:
    """What `PersistTask` returns."""

    models: MemoryStore


class PersistTask(PipelineTask[PersistConfig]):
    """Join models, bands, coordinates, zero points and provenance into a store that rebuilds all pixels."""

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, PARENT_MODELS, SHARING), outputs=(MODELS,))

    def run(
        self, coadds: MultibandExposure, parent_models: tuple[ParentModel, ...], sharing: ApportionConfig
    ) -> PersistOutputs:
        """Check that the models fit together, and join them."""
        about = StoreMetadata.from_exposure(coadds, versions(), apportion=sharing.model_dump())
        return PersistOutputs(MemoryStore(parent_models, about))
