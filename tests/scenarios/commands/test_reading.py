"""Coadds that are read while the command loads what works on them: the same exposure, errors and warnings."""

import os
import warnings
from dataclasses import fields

import numpy as np
import pytest
import small_sky
from astropy.io import fits

from meas_deblend.commands import _reading
from meas_deblend.commands._reading import reading
from meas_deblend.exceptions import InputError, InputWarning
from meas_deblend.framework.beside import can_call_beside
from meas_deblend.image import plane_spec, read_coadds

pytestmark = pytest.mark.skipif(not can_call_beside(), reason="needs memory files and forks")

OPTIONS = {"survey": "generic", "psf": None, "zeropoint": None, "background": "none", "on_missing_psf": "error"}


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    monkeypatch.setattr(_reading, "is_compiled", lambda: True)


def read_beside(files, options):
    with reading({band: plane_spec(path) for band, path in files.items()}, options, 2) as read:
        return read(iter(()))


@pytest.mark.parametrize("background", ["none", "subtract"])
def test_the_exposure_is_the_same(files, background):
    options = {**OPTIONS, "background": background}
    here, there = read_coadds(files, **options), read_beside(files, options)
    for name in ("images", "variance", "mask"):
        ours, theirs = getattr(here, name), getattr(there, name)
        assert theirs.dtype == ours.dtype
        assert theirs.flags.c_contiguous
        assert theirs.tobytes() == ours.tobytes()
    assert here.wcs.wcs.compare(there.wcs.wcs)
    assert np.array_equal(there.wcs.all_pix2world([[3.3, 7.7]], 0), here.wcs.all_pix2world([[3.3, 7.7]], 0))
    for mine, other in zip(here.psfs, there.psfs, strict=True):
        assert np.array_equal(mine.image(3, 3).stamp, other.image(3, 3).stamp)
    rest = {f.name for f in fields(here)} - {"images", "variance", "mask", "wcs", "psfs"}
    assert all(getattr(there, name) == getattr(here, name) for name in rest)


def test_what_was_repaired_is_told(tmp_path):
    files = small_sky.write_coadds(tmp_path, small_sky.noise_only())
    with fits.open(next(iter(files.values())), mode="update") as hdus:
        hdus["VARIANCE"].data[3, 4] = -1.0
    with pytest.warns(InputWarning, match="1 of .* pixels have a variance of zero or less") as told:
        found = read_beside(files, OPTIONS)
    assert len(told) == 1
    assert len(found.warnings) == 1


def test_an_error_is_that_of_the_reader(files):
    with pytest.raises(InputError, match=r"no file .*missing\.fits"):
        read_beside({**files, "q": "missing.fits"}, OPTIONS)


def test_nothing_is_read_before_where_loops_are_compiled_first(files, monkeypatch):
    monkeypatch.setattr(_reading, "is_compiled", lambda: False)
    monkeypatch.setattr(_reading, "CallBeside", None)
    assert read_beside(files, OPTIONS).bands == tuple(files)


def test_whoever_does_not_ask_leaves_no_process(files):
    with warnings.catch_warnings(), reading({b: plane_spec(p) for b, p in files.items()}, OPTIONS, 2):
        pass
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
