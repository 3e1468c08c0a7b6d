"""What became of a quantum of work."""

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """What became of a quantum: a task at a data ID. Each member's ``meaning`` says what else is set with it."""

    OK = "ok"
    NO_WORK = "no_work"
    DEGRADED = "degraded"
    PARTIAL = "partial"
    FAILED = "failed"

    @property
    def meaning(self) -> str:
        """What the outcome says, in one sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Outcome.OK: "The task ran as it was told; all outputs that are not optional are there.",
    Outcome.NO_WORK: (
        "There was nothing to do: no usable band, no detection, or an input that was not made for that reason; "
        "no outputs, the report's error says why, and the run goes on."
    ),
    Outcome.DEGRADED: (
        "All outputs are there, but some of the work was done in a simpler way than asked for; "
        "the outputs say where and why."
    ),
    Outcome.PARTIAL: "Outputs are there, but some of what came in could not be processed; the outputs flag what.",
    Outcome.FAILED: (
        "An error, or an input that was not made because of one; no outputs, and the report's error says which."
    ),
}
