"""When cycles are looked for, and when not."""

import gc
import subprocess
import sys

import pytest

from meas_deblend._collector import collector_at_rest, spare_what_is_there
from meas_deblend.framework import Loop, Workplace, map_units, working


def test_collector_rests_inside_the_block_alone():
    assert gc.isenabled()
    with collector_at_rest():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collector_goes_on_after_an_error():
    with pytest.raises(KeyError), collector_at_rest():
        raise KeyError
    assert gc.isenabled()


def test_collector_that_is_off_stays_off():
    gc.disable()
    try:
        with collector_at_rest():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.fixture
def nothing_frozen():
    """The tests have everything frozen that was loaded before them."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("nothing_frozen")
def test_what_is_there_is_spared_until_the_end():
    end = spare_what_is_there()
    within = gc.get_freeze_count()
    inner = spare_what_is_there()
    inner()
    assert gc.get_freeze_count() == within > 0  # whoever asked first says when it ends
    end()
    assert gc.get_freeze_count() == 0


def frozen(_, number):
    if number == 3:
        raise ValueError("three")
    return gc.get_freeze_count()


@pytest.mark.usefixtures("nothing_frozen")
def test_processes_leave_what_they_were_given_alone():
    with working(Workplace(2)):
        assert min(map_units(frozen, range(3), None, loop=Loop(ahead=False))) > 0
        assert gc.get_freeze_count() == 0
        with pytest.raises(ValueError, match="three"):
            map_units(frozen, range(5), None)
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(("program", "collected"), [(True, False), (False, True)])
def test_only_a_program_of_ours_leaves_without_collecting(program, collected):
    """A cycle that is there at the end is found by the interpreter's last search, or is not."""
    code = (
        "import sys, meas_deblend.cli as cli\n"
        "class Told:\n"
        "    def __del__(self): sys.__stderr__.write('collected')\n"
        "sys.argv[1:] = ['show', 'nothing']\n"
        f"try: cli.main({'' if program else 'sys.argv[1:]'})\n"
        "except SystemExit: sys.__stderr__.write('|')\n"
        "told = Told(); told.itself = told; del told\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own command
    assert (done.stderr.rpartition("|")[2] == "collected") == collected
