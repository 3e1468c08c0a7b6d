"""Measurements by name, from this process and from plug-ins."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from meas_deblend.exceptions import ConfigError, InputError
from meas_deblend.geometry import Box
from meas_deblend.measure import (
    MeasuredColumn,
    ObjectMeasure,
    Window,
    get_measurement,
    measurement_names,
    plugins,
    register_measurement,
)


class Total:
    name = "total"
    columns = (MeasuredColumn("total", "image", "Sum of all pixels."),)

    def __call__(self, pixels, psfs, position):
        return {"total": pixels.flux.sum(axis=(1, 2))}


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Nothing registered, nothing installed."""
    installed = []
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in installed if p.group == group])
    monkeypatch.setattr(plugins._REGISTRY, "_registered", {})
    return installed


def window():
    ones = np.ones((2, 3, 3))
    return Window(Box((0, 0), (3, 3)), ones, ones, ones > 0, ones[0] > 0)


def test_a_measurement_is_registered_and_made():
    assert isinstance(Total(), ObjectMeasure)
    register_measurement(Total())
    assert measurement_names() == ("total",)
    found = get_measurement("total").checked(window(), None, (1.0, 1.0))
    np.testing.assert_array_equal(found["total"], [9, 9])


def test_what_is_not_as_declared_is_refused():
    class Wrong(Total):
        def __call__(self, pixels, psfs, position):
            return {"total": 3.0, "more": np.zeros(2)}

    register_measurement(Wrong())
    with pytest.raises(InputError, match=r"'total' declares total with 2 values each.* gave more \(2,\), total \(\)"):
        get_measurement("total").checked(window(), None, (1.0, 1.0))


def test_what_is_no_measurement_is_refused(clean):
    with pytest.raises(ConfigError, match="is no measurement: it has no name, columns"):
        register_measurement(lambda *_: None)

    class Plain(Total):
        columns = ("total",)

    with pytest.raises(ConfigError, match="columns must be MeasuredColumn values"):
        register_measurement(Plain())
    with pytest.raises(ConfigError, match="there is no measurement 'totl'"):
        get_measurement("totl")


def test_a_plug_in_that_cannot_be_imported(clean):
    clean.append(EntryPoint("lost", "no_such_package:Thing", plugins.MEASUREMENT_GROUP))
    with pytest.raises(ConfigError, match="'lost' cannot be imported"):
        get_measurement("lost")


def test_a_plug_in_goes_by_its_own_name(clean, monkeypatch):
    monkeypatch.setattr(plugins, "Total", Total, raising=False)
    clean.append(EntryPoint("sum", "meas_deblend.measure.plugins:Total", plugins.MEASUREMENT_GROUP))
    assert measurement_names() == ("sum",)
    with pytest.raises(ConfigError, match="is registered as 'sum' but calls itself 'total'"):
        get_measurement("sum")
