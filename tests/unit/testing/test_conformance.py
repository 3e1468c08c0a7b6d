"""Shipped deblenders keep every promise; deblenders that were broken on purpose are told what they broke."""

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from meas_deblend.deblenders import NoDeblending, NoneOptions, SepOptions, get_deblender, registry
from meas_deblend.geometry import Box
from meas_deblend.models import TemplateComponent
from meas_deblend.testing import check_deblender, models, scenes

PROMISES = ("protocol", "sources", "ledger", "inputs", "nan", "empty", "order", "determinism", "pickling")
SHIPPED = sorted(set(registry._REGISTRY._registered) - {"scarlet2"})  # which has a test that skips without its package


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_deblenders_keep_every_promise(name, capsys):
    findings = check_deblender(type(get_deblender(name)))
    assert tuple(finding.name for finding in findings) == PROMISES
    assert all(not finding.faults for finding in findings)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed[:-1]] == [f"passed  {promise}" for promise in PROMISES]
    assert printed[-1] == f"{name} keeps all 9 promises"


class Broken(NoDeblending):
    """Leaves every parent whole, but for what a subclass breaks."""

    name = "broken"

    def __call__(self, exposure, parent, options):
        return self.broken(super().__call__(exposure, parent, options), exposure, parent)

    def broken(self, model, exposure, parent):
        return model


def with_sources(model, sources):
    return replace(model, blends=(replace(model.blends[0], sources=tuple(sources)),))


def with_cube(model, change):
    """The model with another template of its first source that has one."""
    sources = []
    for source in model.blends[0].sources:
        components = tuple(TemplateComponent(c.box, change(c.cube)) for c in source.components)
        sources.append(replace(source, components=components))
    return with_sources(model, sources)


class LoosePairs(Broken):
    class Options(BaseModel):
        kind: Literal["a", "b"] = "a"


class NeedsOptions(Broken):
    class Options(NoneOptions):
        depth: int = Field(description="How deep.")


class NeedsArguments(Broken):
    def __init__(self, depth):
        self.depth = depth


class LosesFaintPeaks(Broken):
    def broken(self, model, exposure, parent):
        return with_sources(model, [s for s in model.blends[0].sources if s.components])


class TurnsSources(Broken):
    def broken(self, model, exposure, parent):
        return with_sources(model, model.blends[0].sources[::-1])


class Negative(Broken):
    def broken(self, model, exposure, parent):
        return with_cube(model, lambda cube: -cube)


class NotFinite(Broken):
    def broken(self, model, exposure, parent):
        return with_cube(model, lambda cube: np.full_like(cube, np.nan))


class DoublePrecision(Broken):
    def broken(self, model, exposure, parent):
        return with_cube(model, lambda cube: cube.astype(np.float64))


class OutsideTheImage(Broken):
    def broken(self, model, exposure, parent):
        sources = [
            replace(s, components=tuple(replace(c, box=Box((-9, 0), c.box.shape)) for c in s.components))
            for s in model.blends[0].sources
        ]
        return with_sources(model, sources)


class OwnFlags(Broken):
    def broken(self, model, exposure, parent):
        return with_sources(model, [replace(s, flags=s.flags | {"dubious"}) for s in model.blends[0].sources])


class SaysWhyNot(Broken):
    def broken(self, model, exposure, parent):
        return replace(model, outcome="degraded")


class OwnOutcome(Broken):
    def broken(self, model, exposure, parent):
        return replace(model, outcome="fine", reason="because")


class SharesNothing(Broken):
    def broken(self, model, exposure, parent):
        return with_cube(model, np.zeros_like)


class MendsInPlace(Broken):
    def __call__(self, exposure, parent, options):
        exposure.images[exposure.images < 0] = 0
        return super().__call__(exposure, parent, options)


class NeedsNumbers(Broken):
    def broken(self, model, exposure, parent):
        if not np.isfinite(exposure.images).all():
            raise ArithmeticError("there are NaN in the image")
        return model


class NeedsPeaks(Broken):
    def broken(self, model, exposure, parent):
        return replace(model, message=f"brightest at {parent.footprint.peaks[0].y}")


class FirstTakesAll(Broken):
    def broken(self, model, exposure, parent):
        (whole,) = [s.components for s in model.blends[0].sources if s.components] or [()]
        flags = [frozenset(), *[frozenset({"deblend_noModel"})] * len(model.blends[0].sources)]
        return with_sources(
            model,
            [replace(s, components=() if k else whole, flags=flags[k]) for k, s in enumerate(model.blends[0].sources)],
        )


class Draws(Broken):
    noise = np.random.default_rng(3)

    def broken(self, model, exposure, parent):
        return with_cube(model, lambda cube: cube * np.float32(1 + 0.001 * self.noise.random()))


class Remembers(Broken):
    def __init__(self):
        self.last = lambda: None


class NoModel(Broken):
    def broken(self, model, exposure, parent):
        return None


BROKEN = [
    (LoosePairs, "protocol", 'Options must have model_config = ConfigDict(frozen=True, extra="forbid")'),
    (LoosePairs, "protocol", "the option kind has no description"),
    (NeedsOptions, "protocol", "Options() must give the defaults"),
    (NeedsArguments, "protocol", "the class must be made without arguments"),
    (object, "protocol", "it has no name, Options"),
    (NoModel, "sources", "a ParentModel is expected, got NoneType"),
    (LosesFaintPeaks, "sources", "one source per peak is expected: peaks [0, 1, 2], sources for [0]"),
    (TurnsSources, "sources", "the sources must be in the order of the peaks, [0, 1, 2], not [2, 1, 0]"),
    (Negative, "sources", "the source of peak 0 has a component whose cube is below 0"),
    (NotFinite, "sources", "the source of peak 0 has a component whose cube is not finite"),
    (DoublePrecision, "sources", "the source of peak 0 has a component whose cube is float64, not float32"),
    (OutsideTheImage, "sources", "which is not inside the image"),
    (OwnFlags, "sources", "the source of peak 0 has flags that no table has: dubious"),
    (SaysWhyNot, "sources", "the outcome is 'degraded', but no reason says why"),
    (OwnOutcome, "sources", "the outcome 'fine' is none of ok, degraded, failed"),
    (OwnOutcome, "sources", "the reason 'because' is none of split,"),
    (SharesNothing, "ledger", "the outcome is 'ok', but the children share only 0 % of the light of band g"),
    (MendsInPlace, "inputs", "it changed the exposure's images: work on a copy"),
    (NeedsNumbers, "nan", "with a band of NaN it raised ArithmeticError: there are NaN in the image"),
    (NeedsPeaks, "empty", "with a parent without peaks it raised IndexError"),
    (FirstTakesAll, "order", "the flux of peak 0 in band g is "),
    (Draws, "determinism", "a second call on the same parent gave another blends[0].sources[0].components[0].cube"),
    (Remembers, "pickling", "the deblender cannot be pickled"),
]


@pytest.mark.parametrize(("deblender", "promise", "sentence"), BROKEN)
def test_what_is_broken_is_told(deblender, promise, sentence, capsys):
    with pytest.raises(AssertionError, match=re.escape(f"{promise}: ")) as caught:
        check_deblender(deblender)
    assert any(line.startswith(promise) and sentence in line for line in str(caught.value).splitlines()), caught.value
    printed = capsys.readouterr().out
    assert f"FAILED  {promise}" in printed
    assert sentence in printed


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_has_someone_who_breaks_it(promise):
    assert promise in {name for _, name, _ in BROKEN}


def test_a_ledger_that_does_not_close_is_told(monkeypatch):
    # However templates are made, the package's own sharing closes: one that loses light is put in its place.
    case = scenes.blend_of_three()
    model = NoDeblending()(case.exposure, case.parent, NoneOptions())
    assert not list(models.ledger_faults(model, case))
    share = models.reapportion_parent

    def lossy(exposure, parent):
        found = share(exposure, parent)
        return replace(found, ledger=tuple(replace(row, children=row.children / 2) for row in found.ledger))

    monkeypatch.setattr(models, "reapportion_parent", lossy)
    faults = list(models.ledger_faults(model, case))
    assert len(faults) == 3
    assert re.fullmatch(r"the ledger of band g does not close: data \S+ is not the sum of children .*", faults[0])


def test_one_fault_does_not_hide_what_is_kept(capsys):
    with pytest.raises(AssertionError, match="broken does not keep 1 of 9 promises"):
        check_deblender(MendsInPlace)
    assert capsys.readouterr().out.count("passed") == 8


def test_options_may_be_given():
    check_deblender(get_deblender("sep"), SepOptions(thresh=3))


def test_an_option_that_is_frozen_and_strict_is_taken():
    class Fine(Broken):
        class Options(BaseModel):
            model_config = ConfigDict(frozen=True, extra="forbid")

            depth: int = Field(3, description="How deep.")

    with pytest.raises(AssertionError, match="1 of 9 promises:\npickling: the deblender cannot be pickled"):
        check_deblender(Fine)
