"""Small fields with truth, drawn here: Gaussian galaxies in three bands."""

import numpy as np

BANDS = ("g", "r", "i")
FWHM = (4.0, 3.8, 3.6)
SKY = (100.0, 400.0, 900.0)
SHAPE = (91, 91)


def gaussian(y, x, flux, fwhm, size=0.0, shape=SHAPE):
    """Round Gaussian of a flux; ``size`` is the half-light radius before the PSF."""
    yy, xx = np.indices(shape)
    sigma = np.hypot(fwhm / 2.3548, size / 1.1774)
    return flux * np.exp(-0.5 * ((yy - y) ** 2 + (xx - x) ** 2) / sigma**2) / (2 * np.pi * sigma**2)


def field_arrays(sources, seed=0, noise=1.0):
    """Content of a field's file; sources are (y, x, flux, half-light radius)."""
    colours = (0.6, 1.0, 1.4)
    truth = np.array(
        [
            [gaussian(y, x, flux * c, w, size) for c, w in zip(colours, FWHM, strict=True)]
            for y, x, flux, size in sources
        ]
    )
    rng = np.random.default_rng(seed)
    sky = np.array(SKY)[:, None, None]
    image = truth.sum(axis=0) + noise * rng.normal(size=truth.shape[1:]) * np.sqrt(sky)
    n = len(sources)
    size = np.array([s[3] for s in sources], dtype=float)
    return {
        "image": image.astype(np.float32),
        "truth": truth.astype(np.float32),
        "y": np.array([s[0] for s in sources], dtype=float),
        "x": np.array([s[1] for s in sources], dtype=float),
        "a": size,
        "b": size,
        "theta": np.zeros(n),
        "r_band_snr": np.array([s[2] for s in sources]) / 100.0,
        **{f"{band}_ab": np.full(n, 22.0) for band in BANDS},
    }


SOURCES = (
    [(40.0, 40.2, 40_000.0, 2.0), (42.3, 50.0, 20_000.0, 1.5), (70.1, 20.0, 15_000.0, 1.0), (20.0, 68.4, 9_000.0, 2.0)],
    [(45.0, 45.0, 50_000.0, 3.0), (50.0, 39.0, 10_000.0, 1.0), (25.0, 70.0, 12_000.0, 2.0)],
)


def write_fields(folder, fields):
    """Write fields to a new folder, and their PSF and noise beside it; return the folder."""
    folder.mkdir()
    psf = np.stack([gaussian(30, 30, 1.0, w, shape=(61, 61)) for w in FWHM])
    np.savez(folder.parent / "psf.npz", psf=psf, fwhm_pix=FWHM, sky=SKY, bands=BANDS, zeropoint=(28.0, 28.0, 28.0))
    for k, arrays in enumerate(fields):
        np.savez(folder / f"field_{k:03d}.npz", **arrays)
    return folder


def write_two(folder):
    """Write the fields of the sources above."""
    return write_fields(folder, [field_arrays(sources, seed=k) for k, sources in enumerate(SOURCES)])
