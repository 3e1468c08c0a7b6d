"""The conformance suite of deblenders."""

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass
from inspect import isclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ValidationError

from .._names import SNAKE_CASE
from .models import difference, fluxes, ledger_faults, model_faults, unshared_light
from .scenes import Case, blend_of_three, empty_cases, missing_psf_cases, reordered, unusable_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..deblenders import Deblender
    from ..models import ParentModel

__all__ = ["Finding", "check_deblender"]

_ORDER = 0.01
"""Largest change of a source's flux with the order of the peaks, as a fraction of the blend's: iterations end elsewhere
when sums are rounded in another order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Parameters
    ----------
    name : str
        The check.
    what : str
        What it asks for.
    faults : tuple of str
        What the deblender does otherwise, one sentence each; empty if it passed.
    """

    name: str
    what: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Subject:
    """A deblender and the options that it is tried with."""

    deblender: Deblender
    options: BaseModel

    def __call__(self, case: Case) -> ParentModel:
        return self.deblender(case.exposure, case.parent, self.options)


def check_deblender(deblender: Any, options: BaseModel | None = None) -> tuple[Finding, ...]:
    """Try a deblender on small skies, and print which promises it keeps.

    Parameters
    ----------
    deblender : class or Deblender
        What the entry point names: a class that can be made without arguments, or an instance.
    options : instance of its ``Options``, optional
        Default: ``Options()``.

    Returns
    -------
    tuple of Finding
        All checks, none with a fault.

    Raises
    ------
    AssertionError
        A promise is not kept; the message has a sentence for each fault.

    Examples
    --------
    >>> from meas_deblend.deblenders import NoDeblending
    >>> findings = check_deblender(NoDeblending)
    passed  protocol: name, options and call are declared
    passed  sources: every peak has its source, in order, with finite components of 0 and above
    passed  ledger: data = children + unassigned + masked
    passed  inputs: exposure and parent are only read
    passed  nan: unusable pixels, bands and PSFs raise no error, and nobody is lost
    passed  empty: no peaks, one pixel, no light, the border
    passed  order: no source's flux depends on the order of the peaks
    passed  determinism: the same answer again, bit by bit, whatever was deblended in between
    passed  pickling: deblender, options and models can be sent to worker processes
    none keeps all 9 promises
    """
    subject, faults = _declared(deblender, options)
    findings = [_told(Finding("protocol", "name, options and call are declared", tuple(faults)))]
    if subject is not None:
        findings += [_told(Finding(name, what, _faults(check, subject))) for name, what, check in _CHECKS]
    broken = [finding for finding in findings if finding.faults]
    name = getattr(deblender, "name", repr(deblender))
    if broken:
        lines = [f"{finding.name}: {fault}" for finding in broken for fault in finding.faults]
        raise AssertionError(f"{name} does not keep {len(broken)} of {len(findings)} promises:\n" + "\n".join(lines))
    sys.stdout.write(f"{name} keeps all {len(findings)} promises\n")
    return tuple(findings)


def _told(finding: Finding) -> Finding:
    sys.stdout.write(f"{'FAILED' if finding.faults else 'passed'}  {finding.name}: {finding.what}\n")
    for fault in finding.faults:
        sys.stdout.write(f"        {fault}\n")
    return finding


def _faults(check: Callable[[_Subject], Iterable[str]], subject: _Subject) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(check(subject)))
    except Exception as error:  # noqa: BLE001 - a deblender may raise anything; the sentence says what
        return (f"raised {type(error).__name__}: {error}",)


def _declared(deblender: Any, options: BaseModel | None) -> tuple[_Subject | None, list[str]]:
    """Return what can be tried, or None and why it cannot."""
    try:
        made: Any = deblender() if isclass(deblender) else deblender
    except TypeError as error:
        return None, [f"the class must be made without arguments: {error}"]
    missing = [part for part in ("name", "Options", "__call__") if not hasattr(made, part)]
    if missing:
        return None, [f"it has no {', '.join(missing)}"]
    kind = made.Options
    if not (isclass(kind) and issubclass(kind, BaseModel)):
        return None, [f"Options must be a pydantic model class, got {kind!r}"]
    faults = []
    if not isinstance(made.name, str) or not SNAKE_CASE.fullmatch(made.name):
        faults.append(f"its name, {made.name!r}, is not snake_case")
    if not kind.model_config.get("frozen") or kind.model_config.get("extra") != "forbid":
        faults.append('Options must have model_config = ConfigDict(frozen=True, extra="forbid")')
    faults += [f"the option {n} has no description" for n, f in kind.model_fields.items() if not f.description]
    try:
        chosen = kind() if options is None else options
    except ValidationError as error:
        return None, [*faults, f"Options() must give the defaults: {error}"]
    return _Subject(made, chosen), faults


def _sources(subject: _Subject) -> Iterator[str]:
    case = blend_of_three()
    yield from model_faults(subject(case), case, subject.deblender.name)


def _ledger(subject: _Subject) -> Iterator[str]:
    case = blend_of_three()
    model = subject(case)
    yield from ledger_faults(model, case)
    yield from unshared_light(model, case)


def _inputs(subject: _Subject) -> Iterator[str]:
    case, untouched = blend_of_three(), blend_of_three()
    subject(case)
    for name in ("images", "variance", "mask"):
        if not np.array_equal(getattr(case.exposure, name), getattr(untouched.exposure, name)):
            yield f"it changed the exposure's {name}: work on a copy"
    if where := difference(case.parent, untouched.parent):
        yield f"it changed the parent's {where}: work on a copy"


def _survives(subject: _Subject, cases: Iterable[Case]) -> Iterator[str]:
    for case in cases:
        try:
            model = subject(case)
        except Exception as error:  # noqa: BLE001 - a deblender may raise anything; the sentence says what
            yield f"with {case.what} it raised {type(error).__name__}: {error}"
            continue
        found = list(model_faults(model, case, subject.deblender.name))
        yield from (f"with {case.what} {fault}" for fault in found or ledger_faults(model, case))


def _nan(subject: _Subject) -> Iterator[str]:
    case = blend_of_three()
    return _survives(subject, (*unusable_cases(case), *missing_psf_cases(case)))


def _empty(subject: _Subject) -> Iterator[str]:
    return _survives(subject, empty_cases(blend_of_three()))


def _order(subject: _Subject) -> Iterator[str]:
    case = blend_of_three()
    turned = reordered(case, (2, 0, 1))
    first, second = (fluxes(subject(one), one) for one in (case, turned))
    scale = _ORDER * np.nansum([*first.values()], axis=0)
    for peak, flux in first.items():
        for band, one, other, limit in zip(case.exposure.bands, flux, second[peak], scale, strict=True):
            if not abs(one - other) <= limit:
                yield (
                    f"the flux of peak {peak} in band {band} is {one:.6g}, but {other:.6g} when the peaks come in "
                    "another order"
                )


def _determinism(subject: _Subject) -> Iterator[str]:
    case = blend_of_three()
    first = subject(case)
    subject(blend_of_three(seed=2))
    if where := difference(first, subject(case)):
        yield f"a second call on the same parent gave another {where}: seed what is drawn by the parent's id"


def _pickling(subject: _Subject) -> Iterator[str]:
    case = blend_of_three()
    model = subject(case)
    for what, thing in (("the deblender", subject.deblender), ("its options", subject.options), ("its model", model)):
        try:
            pickle.dumps(thing)
        except Exception as error:  # noqa: BLE001 - pickle raises what the object's methods raise
            yield f"{what} cannot be pickled ({type(error).__name__}: {error}); define classes at the top of a module"
            return
    copy = _Subject(*(_sent(thing) for thing in (subject.deblender, subject.options)))
    if where := difference(_sent(model), model):
        yield f"the model's {where} is another after it was sent"
    if where := difference(copy(case), model):
        yield f"a deblender that was sent gives another {where}"


def _sent(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - what was pickled a moment ago


_CHECKS: tuple[tuple[str, str, Callable[[_Subject], Iterable[str]]], ...] = (
    ("sources", "every peak has its source, in order, with finite components of 0 and above", _sources),
    ("ledger", "data = children + unassigned + masked", _ledger),
    ("inputs", "exposure and parent are only read", _inputs),
    ("nan", "unusable pixels, bands and PSFs raise no error, and nobody is lost", _nan),
    ("empty", "no peaks, one pixel, no light, the border", _empty),
    ("order", "no source's flux depends on the order of the peaks", _order),
    ("determinism", "the same answer again, bit by bit, whatever was deblended in between", _determinism),
    ("pickling", "deblender, options and models can be sent to worker processes", _pickling),
)
