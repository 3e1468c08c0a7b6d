"""Models → children: every photon of a parent goes to one child, to nobody, or is masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from meas_deblend.apportion import ApportionConfig, Apportioned, account_imbalance, reapportion_parent
from meas_deblend.exceptions import MeasDeblendError
from meas_deblend.framework import Config, Connections, OnDemand, PipelineTask, TaskOutputs

from .datasets import CHILDREN, COADDS, PARENT_MODELS, SHARING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
class ApportionOutputs(TaskOutputs):
    """What `ApportionTask` returns."""

    children: Sequence[Apportioned]
    sharing: ApportionConfig

    @property
    def counts(self) -> Mapping[str, int]:
        """Parents whose pixels are shared out when another step asks for them."""
        return {"parents on demand": len(self.children)}


class ApportionTask(PipelineTask[ApportionTaskConfig]):
    """Render every model in the observed seeing, and share each parent's pixels in proportion.

    That is done when another step asks for a parent's children, and nothing is kept: the pixels of all children of a
    patch would take more memory than its images. A run whose ledger does not close fails.
    """

    connections: ClassVar[Connections] = Connections(inputs=(COADDS, PARENT_MODELS), outputs=(CHILDREN, SHARING))

    def run(self, coadds: MultibandExposure, parent_models: Sequence[ParentModel]) -> ApportionOutputs:
        """Return the children of all parents, each to be apportioned when it is asked for."""
        return ApportionOutputs(OnDemand(_shared_out, parent_models, (coadds, self.config)), self.config.sharing)


def _shared_out(work: tuple[MultibandExposure, ApportionTaskConfig], model: ParentModel) -> Apportioned:
    coadds, config = work
    shared = reapportion_parent(coadds, model, config.sharing)
    imbalance = account_imbalance(coadds, model, shared)
    worst = int(np.argmax(imbalance))
    # Written so that NaN is refused too.
    if not imbalance[worst] <= config.tolerance:
        raise MeasDeblendError(
            f"the ledger of parent {model.id} does not close in band {coadds.bands[worst]}: children, unassigned and "
            f"masked pixels differ from the data by {imbalance[worst]:.3g} of Σ|data|, more than the tolerance of "
            f"{config.tolerance:g}"
        )
    return shared
