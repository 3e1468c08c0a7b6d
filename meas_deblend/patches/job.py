"""One patch of a run of many, as a value that can be sent to another process, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..framework import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..framework import Layer
    from ..products import PatchEntry, QuantumManifest

__all__ = ["LOG", "MANIFESTS", "PatchJob", "PatchResult", "RunSettings", "worst"]

MANIFESTS = "manifest"
"""Folder of a patch's manifests, beneath that of its products."""
LOG = "log.txt"

_WORST_FIRST = (Outcome.FAILED, Outcome.NO_WORK, Outcome.PARTIAL, Outcome.DEGRADED, Outcome.OK)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What is the same for all patches of a run.

    Parameters
    ----------
    pipeline : str
        Definition, by name or as a file.
    layers : tuple of Layer
        Settings, low to high.
    read_options : mapping
        Keyword arguments of `image.read_coadds`; ``survey`` is the survey.
    command : tuple of str
        The command line.
    figures : bool
        Whether figures are drawn.
    """

    pipeline: str = "multiband"
    layers: tuple[Layer, ...] = ()
    read_options: Mapping[str, Any] = field(default_factory=lambda: {"survey": "generic"})
    command: tuple[str, ...] = ()
    figures: bool = False


@dataclass(frozen=True, slots=True)
class PatchJob:
    """What a worker needs to know.

    Parameters
    ----------
    root : str
        Folder of the run, the same for all workers.
    entry : PatchEntry
        Data ID, files, folder.
    settings : RunSettings
    attempt : int
        How many times the patch was started, this one included.
    """

    root: str
    entry: PatchEntry
    settings: RunSettings
    attempt: int = 1

    @property
    def folder(self) -> Path:
        """Where the products are once they are complete."""
        return Path(self.root) / self.entry.folder


@dataclass(frozen=True, slots=True)
class PatchResult:
    """What became of a patch.

    Parameters
    ----------
    entry : PatchEntry
    manifests : tuple of QuantumManifest
        In the order of the labels.
    """

    entry: PatchEntry
    manifests: tuple[QuantumManifest, ...]

    @property
    def decisive(self) -> QuantumManifest:
        """The quantum that decides the patch's outcome: the first of the worst."""
        outcome = worst(manifest.outcome for manifest in self.manifests)
        return next(manifest for manifest in self.manifests if manifest.outcome == outcome)

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of a quantum."""
        return Outcome(self.decisive.outcome)

    @property
    def failed(self) -> bool:
        """Whether it has no products, and should have."""
        return self.outcome is Outcome.FAILED

    @property
    def seconds(self) -> float:
        """Elapsed time of all quanta."""
        return sum(manifest.seconds for manifest in self.manifests)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many parents, objects and so on, where products were written."""
        return self.manifests[-1].counts if self.manifests[-1].label == "write" else {}


def worst(outcomes: Any) -> Outcome:
    """Return the worst of some outcomes; ok for none."""
    found = set(outcomes)
    return next((outcome for outcome in _WORST_FIRST if outcome in found), Outcome.OK)
