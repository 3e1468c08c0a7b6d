"""Parents → models with any deblender of the registry, plug-ins included, chosen by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field

from meas_deblend.deblenders import deblend_if_selected, deblender_names, get_deblender, parent_without_models
from meas_deblend.framework import Config, Connection, Connections, PipelineTask, RegistryChoice

from .deblend import DeblendOutputs
from .loops import deblend_parents

if TYPE_CHECKING:
    from meas_deblend.deblenders import Deblender
    from meas_deblend.geometry import Parent
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = ["AnyDeblenderConfig", "AnyDeblenderTask", "DeblenderChoice"]


class DeblenderChoice(RegistryChoice):
    """A deblender by its name, and the options of each."""

    name: str = Field("sep", description="Deblender of the package, or of an installed plug-in, by its name.")

    @classmethod
    def choice_names(cls) -> tuple[str, ...]:
        """Return the names of the registry."""
        return deblender_names()

    @classmethod
    def options_class(cls, name: str) -> type[BaseModel] | None:
        """Return the class of a deblender's options; its plug-in is imported."""
        return get_deblender(name).Options


class AnyDeblenderConfig(Config):
    """Which deblender makes the models."""

    deblender: DeblenderChoice = Field(DeblenderChoice(name="sep"), description="Deblender, and its options.")


class AnyDeblenderTask(PipelineTask[AnyDeblenderConfig]):
    """Deblend every parent with the chosen deblender; a parent in which it raises an error has no models."""

    connections: ClassVar[Connections] = Connections(
        inputs=(
            Connection("coadds", "coadds", "MultibandExposure", ("tract", "patch"), doc="Images in all bands."),
            Connection(
                "split_parents", "split_parents", "tuple[Parent, ...]", ("tract", "patch"), doc="Parents with blends."
            ),
        ),
        outputs=(
            Connection(
                "parent_models",
                "parent_models",
                "tuple[ParentModel, ...]",
                ("tract", "patch"),
                doc="One model per parent.",
            ),
        ),
    )

    def run(self, coadds: MultibandExposure, split_parents: tuple[Parent, ...]) -> DeblendOutputs:
        """Deblend all parents."""
        deblender, options = get_deblender(self.config.deblender.name), self.config.deblender.chosen
        # Workers are forked, which a process that has such threads does not survive: they start in each worker.
        forkable = not getattr(deblender, "starts_threads", False)
        deblend = partial(_deblend, deblender, options)
        models = deblend_parents(deblend, coadds, split_parents, deblender.name, ahead=forkable)
        failed = sum(model.outcome == "failed" and model.reason != "not_selected" for model in models)
        if failed:
            self.log.warning("%s failed on %d of %d parents", deblender.name, failed, len(models))
        return DeblendOutputs(models)


def _deblend(deblender: Deblender, options: BaseModel | None, coadds: MultibandExposure, parent: Parent) -> ParentModel:
    try:
        return deblend_if_selected(deblender, coadds, parent, options)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; it is kept in the parent's message
        return parent_without_models(coadds, parent, deblender.name, f"{type(error).__name__}: {error}")
