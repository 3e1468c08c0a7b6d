"""Small skies with known noise, and the files that hold them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from meas_deblend.image import GaussianPsf, MaskPlanes, MultibandExposure

SIGMA = 0.05
PLANES = {"BAD": 0, "SAT": 1, "INTRP": 2, "NO_DATA": 8, "DETECTED_NEGATIVE": 6}


def make_sky(shape=(60, 50), sigma=SIGMA, level=0.0, seed=1):
    """White noise with one star of 200 sigma in a corner."""
    rng = np.random.default_rng(seed)
    image = rng.normal(level, sigma, shape)
    star = GaussianPsf(1.5).image(8, 9).stamp
    h, w = star.shape
    image[:h, :w] += 200 * sigma * star / star.max()
    return image.astype(np.float32)


def tan_wcs(scale=0.2, crpix=(25.0, 30.0), ra=150.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, 2.0]
    wcs.wcs.crpix = crpix
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    return wcs


@dataclass
class Coadd:
    """What is in a file; fields that are None are left out."""

    image: np.ndarray = field(default_factory=make_sky)
    noise: np.ndarray | None = None
    noise_name: str = "VARIANCE"
    mask: np.ndarray | None = None
    planes: dict | None = None
    psf: np.ndarray | None = field(default_factory=lambda: GaussianPsf(1.5).image(0, 0).stamp)
    wcs: WCS | None = None
    cards: dict = field(default_factory=dict)
    image_name: str | None = "IMAGE"

    def write(self, path: Path) -> Path:
        header = fits.Header() if self.wcs is None else self.wcs.to_header()
        header.update(self.cards)
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(self.image, header, name=self.image_name)]
        if self.noise_name:
            noise = np.full(self.image.shape, SIGMA**2, np.float32) if self.noise is None else self.noise
            hdus.append(fits.ImageHDU(noise, name=self.noise_name))
        if self.mask is not None:
            mask = fits.ImageHDU(self.mask, name="MASK")
            for name, bit in (self.planes or {}).items():
                mask.header[f"HIERARCH MP_{name}"] = bit
            hdus.append(mask)
        if self.psf is not None:
            hdus.append(fits.ImageHDU(self.psf, name="PSF"))
        fits.HDUList(hdus).writeto(path)
        return path


@pytest.fixture
def coadd():
    """Describes a good coadd; keywords change it."""
    return Coadd


@pytest.fixture
def write(tmp_path):
    """Writes a coadd that keywords describe and returns its path."""

    def _write(name="g.fits", **settings):
        return Coadd(**settings).write(tmp_path / name)

    return _write


@pytest.fixture
def sky():
    """Makes noise with a star: see make_sky."""
    return make_sky


@pytest.fixture
def wcs():
    """Makes a tangential WCS."""
    return tan_wcs


@pytest.fixture
def exposure():
    """Exposure in two bands that nothing is wrong with."""
    images = np.stack([make_sky(seed=k) for k in range(2)])
    rng = np.random.default_rng(7)
    mask = sum(rng.integers(0, 2, images.shape, dtype=np.int32) << bit for bit in PLANES.values())
    return MultibandExposure(
        bands=("g", "r"),
        images=images,
        variance=np.full(images.shape, SIGMA**2, np.float32),
        mask=mask,
        psfs=(GaussianPsf(1.5), GaussianPsf(1.7)),
        mask_planes=MaskPlanes(PLANES, ("NO_DATA",)),
        wcs=tan_wcs(),
        zeropoints=(27.0, None),
        units="nJy",
        pixel_scale=0.2,
    )
