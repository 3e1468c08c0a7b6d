"""Models → children: every photon of a parent goes to one child, to nobody, or is masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from meas_deblend.apportion import ApportionConfig, Apportioned, account_imbalance, reapportion_parent
from meas_deblend.exceptions import MeasDeblendError
from meas_deblend.framework import Config, Connections, PipelineTask, progress

from .datasets import CHILDREN, COADDS, PARENT_MODELS, SHARING

if TYPE_CHECKING:
    from meas_deblend.geometry import FloatArray
    from meas_deblend.image import MultibandExposure
    from meas_deblend.models import ParentModel

__all__ = ["ApportionOutputs", "ApportionTask", "ApportionTaskConfig"]


class ApportionTaskConfig(Config):
    """How pixels are shared out, and how exactly the account must close."""

    sharing: ApportionConfig = Field(ApportionConfig(), description="Who gets which pixels.")
    tolerance: float = Field(
        1e-6, gt=0, le=1e-3, description="Largest imbalance of a parent's ledger, as a fraction of Σ|data|."
    )


@dataclass(frozen=True)
class ApportionOutputs:
    """What `ApportionTask` returns."""

    children: tuple[Apportioned, ...]
    sharing: ApportionConfig


class ApportionTask(PipelineTask[ApportionTaskConfig]):
    """Render every model in the observed seeing, and share each parent's pixels in proportion.

    A run whose ledger does not close fails.
    """

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, PARENT_MODELS), outputs=(CHILDREN, SHARING))

    def run(self, coadds: MultibandExposure, parent_models: tuple[ParentModel, ...]) -> ApportionOutputs:
        """Apportion all parents."""
        children = []
        for model in progress(parent_models, description="parents"):
            shared = reapportion_parent(coadds, model, self.config.sharing)
            self._check(model, account_imbalance(coadds, model, shared), coadds.bands)
            children.append(shared)
        return ApportionOutputs(tuple(children), self.config.sharing)

    def _check(self, model: ParentModel, imbalance: FloatArray, bands: tuple[str, ...]) -> None:
        worst = int(np.argmax(imbalance))
        # Written so that NaN is refused too.
        if not imbalance[worst] <= self.config.tolerance:
            raise MeasDeblendError(
                f"the ledger of parent {model.id} does not close in band {bands[worst]}: children, unassigned and "
                f"masked pixels differ from the data by {imbalance[worst]:.3g} of Σ|data|, more than the tolerance of "
                f"{self.config.tolerance:g}"
            )
