"""Deblenders by name, from this process and from plug-ins."""

from importlib.metadata import EntryPoint

import pytest
from pydantic import BaseModel

from meas_deblend.deblenders import Deblender, deblender_names, get_deblender, register_deblender, registry
from meas_deblend.exceptions import ConfigError
from meas_deblend.models import BlendModel, ParentModel, SourceModel


class Empty(BaseModel):
    pass


class Nothing:
    """The shortest deblender."""

    name = "nothing"
    Options = Empty

    def __call__(self, exposure, parent, options):
        sources = tuple(SourceModel(p.id, p, ()) for p in parent.footprint.peaks)
        blend = BlendModel(0, parent.footprint.box, sources)
        return ParentModel(parent.id, parent.footprint, (blend,), None, deblender=self.name)


class Broken(Nothing):
    Options = dict


@pytest.fixture
def plugins(monkeypatch):
    """Pretend that plug-ins are installed: name → "module:attribute"."""
    installed = []

    def install(name, value):
        installed.append(EntryPoint(name, value, registry.ENTRY_POINT_GROUP))

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in installed if p.group == group])
    monkeypatch.setattr(registry._REGISTRY, "_registered", dict(registry._REGISTRY._registered))
    return install


def test_the_packages_own_are_there(plugins, monkeypatch):
    assert deblender_names() == ("hybrid", "joint_profiles", "multi_band", "none", "scarlet2", "sep", "single_band")
    monkeypatch.setattr(registry, "find_spec", lambda name: name)  # whether or not it is installed
    for name in deblender_names():
        deblender = get_deblender(name)
        assert isinstance(deblender, Deblender)
        assert deblender.name == name
        assert deblender.Options() == deblender.Options()
        assert all(field.description for field in deblender.Options.model_fields.values())


def test_unknown_names_are_answered_with_the_known_ones(plugins):
    with pytest.raises(
        ConfigError, match=r"no deblender 'multiband'.* Known: hybrid, joint_profiles, multi_band, none, scarlet2, sep"
    ):
        get_deblender("multiband")
    with pytest.raises(ConfigError, match="did you mean 'multi_band'"):
        get_deblender("multiband")


def test_registering(plugins):
    mine = register_deblender(Nothing())
    assert get_deblender("nothing") is mine
    assert "nothing" in deblender_names()
    assert register_deblender(mine) is mine
    with pytest.raises(ConfigError, match="there is a deblender 'nothing' already"):
        register_deblender(Nothing())
    taken = Nothing()
    taken.name = "none"
    with pytest.raises(ConfigError, match="there is a deblender 'none' already"):
        register_deblender(taken)


def test_what_is_no_deblender_is_refused(plugins):
    with pytest.raises(ConfigError, match="is no deblender: it has no name, Options"):
        register_deblender(lambda exposure, parent, options: None)
    with pytest.raises(ConfigError, match="Options must be a pydantic model class, got <class 'dict'>"):
        register_deblender(Broken())


def test_plugins_are_found_and_made(plugins, monkeypatch):
    monkeypatch.setattr(registry, "Nothing", Nothing, raising=False)
    plugins("nothing", "meas_deblend.deblenders.registry:Nothing")
    assert "nothing" in deblender_names()
    assert isinstance(get_deblender("nothing"), Nothing)


def test_plugins_that_cannot_be_used_are_named(plugins, monkeypatch):
    plugins("lost", "no_such_package:Thing")
    plugins("wrong", "math:pi")
    plugins("none", "no_such_package:Thing")
    monkeypatch.setattr(registry, "Nothing", Nothing, raising=False)
    plugins("something", "meas_deblend.deblenders.registry:Nothing")
    assert get_deblender("single_band").name == "single_band"  # the others do not suffer
    with pytest.raises(ConfigError, match=r"'lost' cannot be imported: plug-in no_such_package:Thing .*: Module"):
        get_deblender("lost")
    with pytest.raises(ConfigError, match=r"math:pi .* is no deblender"):
        get_deblender("wrong")
    with pytest.raises(ConfigError, match=r"'none' is claimed more than once: .*, plug-in no_such_package:Thing"):
        get_deblender("none")
    with pytest.raises(ConfigError, match="is registered as 'something' but calls itself 'nothing'"):
        get_deblender("something")
