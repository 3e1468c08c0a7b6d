"""What a store says about itself."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.wcs import WCS

from meas_deblend.exceptions import CorruptModelError, InputError
from meas_deblend.image import MultibandExposure
from meas_deblend.products import StoreMetadata


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.123456789, 2.2]
    wcs.wcs.crpix = [50.5, 30.25]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    return wcs


def test_metadata_of_an_exposure_keep_its_coordinates():
    cube = np.zeros((2, 60, 100), np.float32)
    wcs = make_wcs()
    exposure = MultibandExposure(
        ("g", "r"), cube, cube + 1, np.zeros(cube.shape, np.int32), (None, None), wcs=wcs, zeropoints=(27.0, None)
    )
    metadata = StoreMetadata.from_exposure(exposure, {"a": "b"})
    assert (metadata.bands, metadata.shape, metadata.zeropoints) == (("g", "r"), (60, 100), (27.0, None))
    again = StoreMetadata.from_dict(metadata.to_dict(), "here")
    assert again == metadata
    pixels = np.array([[0.0, 0.0], [99.0, 59.0]])
    # Headers hold twelve digits or more: a micro-arcsecond.
    np.testing.assert_allclose(
        again.world_coordinates().all_pix2world(pixels, 0), wcs.all_pix2world(pixels, 0), atol=3e-10
    )


def test_no_coordinates():
    assert StoreMetadata(("g",)).world_coordinates() is None
    assert StoreMetadata(("g",)).zeropoints == (None,)


def test_metadata_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="at least one; got"):
        StoreMetadata(())
    with pytest.raises(InputError, match="1 zero points for 2 bands"):
        StoreMetadata(("g", "r"), zeropoints=(27.0,))


def test_provenance_cannot_be_changed():
    given = {"a": "b"}
    metadata = StoreMetadata(("g",), provenance=given)
    given["a"] = "c"
    assert metadata.provenance["a"] == "b"
    with pytest.raises(TypeError):
        metadata.provenance["a"] = "c"


@pytest.mark.parametrize("package", ["products", "access"])
def test_heavy_libraries_wait_until_they_are_needed(package):
    code = (
        f"import sys, meas_deblend.{package}\n"
        "heavy = {'pyarrow', 'astropy.table', 'astropy', 'numba', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  (the code stands above)


def test_world_coordinates_that_make_no_sense_are_told():
    damaged = StoreMetadata(("g",), wcs="CTYPE1  = 'RA---XXX'".ljust(80) + "CTYPE2  = 'DEC--TAN'".ljust(80))
    with pytest.raises(CorruptModelError, match="world coordinates are damaged"):
        damaged.world_coordinates()
