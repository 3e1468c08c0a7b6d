"""Small skies with known noise, and the files that hold them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.special import erf

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


SIGMAS = (1.5, 2.1)
"""Widths in pixels of the two Gaussians of which made PSFEx models consist."""


def gaussian_samples(sigma, places):
    """Profile (n,) of a Gaussian averaged over a pixel around each place."""
    edges = np.array([-0.5, 0.5])[:, None] + places
    upper, lower = erf(edges[1] / (np.sqrt(2) * sigma)), erf(edges[0] / (np.sqrt(2) * sigma))
    return 0.5 * (upper - lower)


@dataclass
class MadePsfex:
    """A PSF (1 − f) G₁ + f G₂, where f is a polynomial of degree 2 in the position, and its files."""

    sampling: float = 1.0
    zero: tuple = (512.5, 300.0)
    scale: tuple = (1000.0, 600.0)
    coefficients: tuple = (0.4, 0.2, -0.1, 0.15, 0.1, 0.05)
    size: int = 41

    @property
    def mask(self):
        places = (np.arange(self.size) - self.size // 2) * self.sampling
        lines = [gaussian_samples(sigma, places) for sigma in SIGMAS]
        narrow, wide = (np.outer(line, line) * self.sampling**2 for line in lines)
        mask = np.array(self.coefficients)[:, None, None] * (wide - narrow)
        mask[0] += narrow
        return mask

    def fraction(self, y, x):
        t, u = ((v + 1 - z) / s for v, z, s in zip((x, y), self.zero, self.scale, strict=True))
        return np.dot(self.coefficients, [1, t, t * t, u, u * t, u * u])

    def truth(self, y, x, size):
        """What it is on the pixels around the one nearest to (y, x)."""
        lines = [[gaussian_samples(s, np.arange(size) - size // 2 - (v - np.floor(v + 0.5))) for v in (y, x)]
                 for s in SIGMAS]  # fmt: skip
        narrow, wide = (np.outer(*pair) for pair in lines)
        f = self.fraction(y, x)
        return (1 - f) * narrow + f * wide

    def keywords(self):
        return {
            "POLNAXIS": 2, "POLNGRP": 1, "POLGRP1": 1, "POLGRP2": 1, "POLDEG1": 2,
            "POLNAME1": "X_IMAGE", "POLNAME2": "Y_IMAGE",
            "POLZERO1": self.zero[0], "POLZERO2": self.zero[1],
            "POLSCAL1": self.scale[0], "POLSCAL2": self.scale[1],
            "PSF_SAMP": self.sampling, "PSF_FWHM": 4.0, "ACCEPTED": 100, "PSFNAXIS": 3,
            "PSFAXIS1": self.size, "PSFAXIS2": self.size, "PSFAXIS3": 6,
        }  # fmt: skip

    def table(self, flux=1.03, **changes):
        """HDU as PSFEx writes it; None leaves a keyword out."""
        mask = changes.pop("mask", self.mask * flux)
        column = fits.Column("PSF_MASK", f"{mask.size}E", dim=str(mask.shape[::-1]), array=mask[None])
        hdu = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
        hdu.header.update({k: v for k, v in (self.keywords() | changes).items() if v is not None})
        return hdu

    def rows(self, *names):
        """HDU with a column for each keyword and a row for each of several detectors."""
        n, mask = len(names), self.mask
        columns = [
            fits.Column(key.lower(), {str: "8A", int: "K", float: "D"}[type(value)], array=[value] * n)
            for key, value in self.keywords().items()
        ]
        scaled = np.stack([mask * (1 + k) for k in range(n)])
        columns.append(fits.Column("psf_mask", f"{mask.size}E", dim=str(mask.shape[::-1]), array=scaled))
        columns.append(fits.Column("ccdname", "4A", array=list(names)))
        return fits.BinTableHDU.from_columns(columns)


@pytest.fixture(scope="session")
def made_psfex():
    """Describes a PSFEx model of which the truth is known; keywords change it."""
    return MadePsfex
