"""What a run leaves behind besides its datasets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..exceptions import InputError, PipelineError
from .outcome import Outcome

__all__ = ["DataId", "QuantumReport", "RunResult"]

DataId = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class QuantumReport:
    """What became of one quantum, a task at a data ID.

    Parameters
    ----------
    label : str
        The task.
    data_id : mapping
        For example ``{"tract": 9813, "patch": "4,4"}``.
    outcome : Outcome
        What became of it.
    seconds, cpu_seconds : float
        Wall time and processor time; 0 when it did not run.
    peak_memory_mb : float
        Highest resident memory of the process so far, MiB; 0 when it did not run.
    counts : mapping of str to int
        What the outputs count.
    error : str, optional
        Why there are no outputs; None when there are.
    passed_over : bool
        Whether it was not even started, because another task made none of what it needs.
    """

    label: str
    data_id: DataId
    outcome: Outcome
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    passed_over: bool = False

    def summary(self) -> str:
        """Return the report on one line."""
        error = f": {self.error}" if self.error else ""
        return f"{self.ending()}{error}"

    def ending(self) -> str:
        """Return the report on one line, but for the error."""
        counts = "".join(f", {number} {name}" for name, number in self.counts.items())
        return f"{self.label}: {self.outcome.value} in {self.seconds:.2f} s{counts}"


@dataclass(frozen=True, slots=True)
class RunResult:
    """Datasets and reports of a run.

    Parameters
    ----------
    datasets : mapping of str to object
        What was given and what was made, by dataset name.
    reports : tuple of QuantumReport
        One per task, in the order of the pipeline, whatever became of it.
    errors : mapping of str to Exception
        What was raised, by label.
    """

    datasets: Mapping[str, object]
    reports: tuple[QuantumReport, ...]
    errors: Mapping[str, Exception]

    def report(self, label: str) -> QuantumReport:
        """Return the report of a task.

        Raises
        ------
        PipelineError
            No such label.
        """
        for report in self.reports:
            if report.label == label:
                return report
        raise PipelineError(f"no report on '{label}'; reports: {', '.join(report.label for report in self.reports)}")

    def raise_failures(self) -> None:
        """Raise the first error of the run, if there was one.

        Raises
        ------
        InputError
            As a task raised it: what was given is at fault, and the message says so.
        PipelineError
            With the label in the message, from the task's own error.
        """
        for label, error in self.errors.items():
            if isinstance(error, InputError):
                raise error
            raise failure(label, error) from error


def failure(label: str, error: Exception) -> PipelineError:
    """Return a task's error as that of the pipeline."""
    return PipelineError(f"task '{label}' failed: {type(error).__name__}: {error}")
