import sys

import pytest

from meas_deblend.exceptions import ConfigError
from meas_deblend.framework import Registry


@pytest.fixture
def registry():
    made = Registry("deblender", "toy.deblenders")

    made.register("single", lambda: 1)
    made.register("multi", len)
    return made


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Function that puts a distribution with entry points on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def _install(name, entries, source):
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[toy.deblenders]\n" + "".join(f"{entry}\n" for entry in entries))

    yield _install
    for name in [name for name in sys.modules if name.startswith("toy_plugin")]:
        del sys.modules[name]


def test_names_are_sorted_and_found(registry):
    assert registry.names() == ("multi", "single")
    assert list(registry) == ["multi", "single"]
    assert "single" in registry
    assert "other" not in registry
    assert registry.get("single")() == 1


def test_a_name_is_given_once(registry):
    with pytest.raises(ConfigError, match="there is a deblender 'multi' already, <built-in function len>: choose"):
        registry.register("multi", max)
    registry.register("multi", len)  # the same thing again, as when a module is reloaded


def test_unknown_names_are_told_what_there_is(registry):
    with pytest.raises(ConfigError, match=r"there is no deblender 'mutli'; did you mean 'multi'\? Known: multi, si"):
        registry.get("mutli")
    with pytest.raises(ConfigError, match=r"there is no thing 'x'\. Known: \(none\)"):
        Registry("thing").get("x")


def test_plugins_are_listed_without_being_imported(registry, install):
    install("toy_plugin_a", ["mine = toy_plugin_a:deblend"], "def deblend(): return 'mine'\n")
    assert registry.names() == ("mine", "multi", "single")
    assert "toy_plugin_a" not in sys.modules
    assert registry.get("mine")() == "mine"


def test_a_broken_plugin_is_an_error_when_it_is_asked_for(registry, install):
    install("toy_plugin_b", ["bad = toy_plugin_b:deblend", "gone = toy_plugin_b2:x"], "import no_such_library\n")
    assert registry.get("single")() == 1
    assert "bad" in registry
    with pytest.raises(ConfigError) as caught:
        registry.get("bad")
    assert str(caught.value) == (
        "the deblender 'bad' cannot be imported: plug-in toy_plugin_b:deblend (installed by toy_plugin_b 1.0): "
        "ModuleNotFoundError: No module named 'no_such_library'"
    )
    with pytest.raises(ConfigError, match="'gone' cannot be imported"):
        registry.get("gone")


def test_a_plugin_cannot_take_a_name(registry, install):
    install("toy_plugin_c", ["single = toy_plugin_c:deblend"], "def deblend(): return 2\n")
    with pytest.raises(ConfigError, match=r"'single' is claimed more than once: <function .*, plug-in toy_plugin_c:"):
        registry.get("single")


def test_two_plugins_cannot_share_a_name(registry, install):
    install("toy_plugin_d", ["mine = toy_plugin_d:deblend"], "def deblend(): return 2\n")
    install("toy_plugin_e", ["mine = toy_plugin_e:deblend"], "def deblend(): return 3\n")
    with pytest.raises(ConfigError, match="'mine' is claimed more than once: plug-in toy_plugin_"):
        registry.get("mine")


def test_plugins_are_checked_when_they_are_asked_for(install):
    def only_text(item, source):
        if not isinstance(item, str):
            raise ConfigError(f"{source} is no text")
        return item.upper()

    install("toy_plugin_f", ["good = toy_plugin_f:text", "wrong = toy_plugin_f:number"], "text, number = 'a', 1\n")
    made = Registry("text", "toy.deblenders", only_text)
    assert made.get("good") == "A"
    with pytest.raises(ConfigError, match=r"plug-in toy_plugin_f:number \(installed by toy_plugin_f 1.0\) is no text"):
        made.get("wrong")
