"""Patches of the small sky on disk, and a run on them, written once for all processes."""

from dataclasses import replace

import numpy as np
import pytest
import small_sky
from sharing import made_once

from meas_deblend.image import write_coadd
from meas_deblend.patches import RunSettings, read_patches, run_patches

#: Everything but what says when, where and how long.
NOT_COMPARED = {"run.json", "timings.parquet", "quanta.parquet", "patches.json", "run.lock", "log.txt"}

QUICK = RunSettings(pipeline="none")


def products(folder):
    """Content of all products by name."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.name not in NOT_COMPARED and path.parent.name != "manifest"
    }


@pytest.fixture(scope="session")
def mosaic():
    """Two patches that overlap: columns 0 to 59 and 25 to 89 of the small sky."""
    full = small_sky.exposure()
    return {"0": part(full, slice(0, 60)), "1": part(full, slice(25, 90))}


def part(exposure, columns):
    """Columns of an exposure."""
    wcs = exposure.wcs.deepcopy()
    wcs.wcs.crpix = wcs.wcs.crpix - np.array([columns.start, 0])
    cubes = {name: getattr(exposure, name)[:, :, columns] for name in ("images", "variance", "mask")}
    return replace(exposure, wcs=wcs, **cubes)


@pytest.fixture(scope="session")
def coadds(tmp_path_factory, mosaic):
    """Folder with ``7/PATCH/BAND.fits``: those of the mosaic, and the whole sky as patch 2 of tract 8."""

    def make():
        folder = tmp_path_factory.mktemp("coadds")
        for name, exposure in (*((f"7/{patch}", one) for patch, one in mosaic.items()), ("8/2", small_sky.exposure())):
            (folder / name).mkdir(parents=True)
            for band in exposure.bands:
                write_coadd(folder / name / f"{band}.fits", exposure, band)
        return folder

    return made_once(tmp_path_factory, "patches", make)


def patches_of(folder):
    """Patches of a folder as that of the coadds."""
    return read_patches(f"{folder}/{{tract}}/{{patch}}/{{band}}.fits")


@pytest.fixture(scope="session")
def finished(coadds, tmp_path_factory):
    """Folder of a run on all patches in one process; nobody writes to it."""

    def make():
        folder = tmp_path_factory.mktemp("run") / "out"
        run_patches(patches_of(coadds), folder, QUICK)
        return folder

    return made_once(tmp_path_factory, "patches_run", make)
