"""What is measured on an image of a source: aperture flux, likeness to the truth, ellipticity."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from .fields import Field

__all__ = [
    "STAMP",
    "Apertures",
    "background_rms",
    "cosine",
    "ellipticity",
    "metric_versions",
    "missing_metrics",
    "ssim",
    "stamp",
]

# Module and distribution that a metric needs; both belong to the extra "sim".
_NEEDS = {"ssim": ("skimage", "scikit-image"), "shapes": ("galsim", "GalSim")}

STAMP = 45
"""Side of the stamps on which the structural similarity is measured [px]."""


@dataclass(frozen=True, slots=True, eq=False)
class Apertures:
    """Elliptical apertures, one per source, for one band.

    Semi-axes are 2 √(a² + (FWHM/2)²), with the half-light semi-axis a: 2 × the half-light ellipse widened by the PSF
    (Biswas et al. 2025, section 4.1).

    Parameters
    ----------
    x, y : float64 array (source,)
        Centres [px].
    a, b : float64 array (source,)
        Half of the semi-axes [px].
    theta : float64 array (source,)
        Angle of the major axis from +x to +y [rad].
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    theta: NDArray[np.float64]

    @classmethod
    def of(cls, field: Field, band: int) -> Apertures:
        """Apertures of all sources of a field in the band of that index."""
        half = field.setting.fwhm[band] / 2
        return cls(field.x, field.y, np.hypot(field.a, half), np.hypot(field.b, half), field.theta)

    def __getitem__(self, k: int) -> Apertures:
        """Return the aperture of source ``k`` alone."""
        one = slice(k, k + 1)
        return Apertures(self.x[one], self.y[one], self.a[one], self.b[one], self.theta[one])

    def sums(self, image: FloatArray) -> NDArray[np.float64]:
        """Flux (source,) of an image (y, x) within the apertures, in image units."""
        return self._sum(image)[0]

    def errors(self, sigma: FloatArray) -> NDArray[np.float64]:
        """Return the standard deviation (source,) of the flux, for pixels with ``sigma`` (y, x)."""
        return self._sum(np.zeros(sigma.shape), sigma)[1]

    def _sum(
        self, image: FloatArray, sigma: FloatArray | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        import sep  # noqa: PLC0415 - keeps the library out of the import of the package

        pixels = np.ascontiguousarray(image, dtype=np.float64)
        err = None if sigma is None else np.ascontiguousarray(sigma, dtype=np.float64)
        flux, error, _ = sep.sum_ellipse(pixels, self.x, self.y, self.a, self.b, self.theta, r=2, err=err)
        return flux, error


def background_rms(image: FloatArray) -> float:
    """Noise of an image (y, x) with sources: the global RMS of sep's background mesh."""
    import sep  # noqa: PLC0415 - keeps the library out of the import of the package

    return float(sep.Background(np.ascontiguousarray(image, dtype=np.float64)).globalrms)


def cosine(model: FloatArray, truth: FloatArray) -> float:
    """Cosine of the angle between two images taken as vectors, −1 … 1; 0 if one of them is 0 everywhere."""
    norm = np.sqrt(np.vdot(model, model) * np.vdot(truth, truth))
    return float(np.vdot(model, truth) / norm) if norm > 0 else 0.0


def ssim(model: FloatArray, truth: FloatArray) -> float:
    """Structural similarity (Wang et al. 2004, IEEE Trans. Image Process. 13, 600), −1 … 1.

    Each image (y, x) is divided by its own maximum; Gaussian weights of σ = 1.5 px, population covariance, data range
    1.  0 for a model without a positive pixel; NaN without scikit-image.
    """
    if importlib.util.find_spec("skimage") is None:
        return float("nan")
    from skimage.metrics import structural_similarity  # noqa: PLC0415 - an extra

    if not (model.max() > 0 and truth.max() > 0):
        return 0.0
    pair = (np.float32(model / model.max()), np.float32(truth / truth.max()))
    return float(structural_similarity(*pair, data_range=1.0, gaussian_weights=True, use_sample_covariance=False))


def stamp(image: FloatArray, y: float, x: float) -> FloatArray:
    """`STAMP`² pixels of an image (y, x) around the pixel of a position; 0 outside the image."""
    row, column = int(np.floor(y + 0.5)) - STAMP // 2, int(np.floor(x + 0.5)) - STAMP // 2
    out = np.zeros((STAMP, STAMP), dtype=image.dtype)
    y0, x0 = max(row, 0), max(column, 0)
    part = image[y0 : max(row + STAMP, 0), x0 : max(column + STAMP, 0)]
    out[y0 - row : y0 - row + part.shape[0], x0 - column : x0 - column + part.shape[1]] = part
    return out


def ellipticity(image: FloatArray, y: float, x: float) -> tuple[float, float]:
    """Distortion (e1, e2) from adaptive moments (Hirata & Seljak 2003, MNRAS 343, 459), as GalSim measures them.

    Parameters
    ----------
    image : float array (y, x)
    y, x : float
        First guess of the centre.

    Returns
    -------
    tuple of float
        NaN where the measurement fails, the image is 0 everywhere, or GalSim is not installed.
    """
    failed = float("nan"), float("nan")
    if not np.any(image) or importlib.util.find_spec("galsim") is None:
        return failed
    import galsim  # noqa: PLC0415 - an extra

    # GalSim counts pixels from 1.
    guess = galsim.PositionD(x + 1, y + 1)
    pixels = galsim.Image(np.ascontiguousarray(image, dtype=np.float64))
    found = galsim.hsm.FindAdaptiveMom(pixels, guess_centroid=guess, strict=False)
    if found.moments_status != 0:
        return failed
    return float(found.observed_shape.e1), float(found.observed_shape.e2)


def missing_metrics() -> dict[str, str]:
    """Say what cannot be measured here, and why."""
    return {
        metric: f"{name} is not installed (pip install 'meas_deblend[sim]')"
        for metric, (module, name) in _NEEDS.items()
        if importlib.util.find_spec(module) is None
    }


def metric_versions() -> dict[str, str]:
    """Return the versions of the optional libraries that are used, by the name of their distribution."""
    return {
        name.lower(): importlib.metadata.version(name.lower())
        for module, name in _NEEDS.values()
        if importlib.util.find_spec(module) is not None
    }
