"""No column says the same of everything, and no setting is without effect, in runs that differ in many ways."""

import numpy as np
import pytest
from made_runs import config_classes

from meas_deblend.products import TABLES

#: Columns that hold one value in all these runs, and why that is no fault.
CONSTANT = {}
#: Written by whoever runs a pipeline, not by a task; they differ from run to run by nature.
NOT_BY_TASKS = {"timings", "ownership", "quanta"}
#: Settings that these runs do not read, and why.
UNREAD = {}


def distinct(runs, table, column):
    """Some of the values that a family of columns holds in all runs; NaN counts as one."""
    found = set()
    for run in runs.values():
        made = getattr(run.catalogs, table, None)
        if made is None:
            continue
        for name in (c.name for c in TABLES[table].unfold(made.meta["layout"]) if matches(c.name, column.name)):
            array = np.asarray(made[name])
            found |= set(np.where(array != array, "NaN", array.astype(str)).tolist())
            if len(found) > 1:
                return found
    return found


def matches(name, family):
    """Whether a column belongs to a family, whose name has placeholders."""
    start, _, rest = family.partition("{")
    if not rest:
        return name == family
    return (
        name.startswith(start)
        and name.endswith(family.rpartition("}")[2])
        and any(
            family.replace("{band}", band).replace("{aperture}", f"ap{radius:02d}") == name
            for band in "ri"
            for radius in (3, 6, 9, 12, 17)
        )
    )


COLUMNS = [(table, column.name) for table, d in TABLES.items() if table not in NOT_BY_TASKS for column in d.columns]


@pytest.mark.parametrize(("table", "name"), COLUMNS)
def test_no_column_is_constant_by_construction(varied, table, name):
    (column,) = (c for c in TABLES[table].columns if c.name == name)
    values = distinct(varied.runs, table, column)
    if (table, name) in CONSTANT:
        assert len(values) == 1, f"{name} differs: take it off the list"
    else:
        assert len(values) > 1, f"{name} of {table} holds {values} in all runs"


SETTINGS = [(model, name) for model in config_classes() for name in model.model_fields]


@pytest.mark.parametrize(("model", "name"), SETTINGS, ids=lambda part: getattr(part, "__qualname__", part))
def test_every_setting_is_read_when_something_depends_on_it(varied, model, name):
    """A run reads it, by itself or by a class that has it from the same declaration."""
    readers = [c for c, field in varied.settings_read if field == name]
    read = any(issubclass(c, model) or issubclass(model, c) for c in readers)
    assert read == ((model.__qualname__, name) not in UNREAD), f"{model.__qualname__}.{name}: read is {read}"
