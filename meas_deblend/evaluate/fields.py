"""Fields with truth: an image, and what each of its galaxies looks like alone and without noise."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from ..geometry import Box
from ..image import ImagePsf, MultibandExposure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from ..geometry import FloatArray

__all__ = ["Field", "FieldFolder", "FieldSetting", "open_fields"]

# LSST, 10 years: AB magnitude of one electron per second, and seconds of exposure, as the fields are simulated
# (Biswas et al. 2025, A&A, the MADNESS paper, table 1; there the rows of z and y are swapped).
_LSST_ZEROPOINT = {"u": 26.40, "g": 28.26, "r": 28.10, "i": 27.78, "z": 27.39, "y": 26.56}
_LSST_EXPOSURE = {"u": 1680.0, "g": 2400.0, "r": 5520.0, "i": 5520.0, "z": 4800.0, "y": 4800.0}

_SETTING_KEYS = ("psf", "fwhm_pix", "sky", "bands")
_FIELD_KEYS = ("image", "truth", "x", "y", "a", "b", "theta")


@dataclass(frozen=True, slots=True, eq=False)
class FieldSetting:
    """What all fields of a folder have in common.

    Parameters
    ----------
    bands : tuple of str
    psf : float64 array (band, h, w)
        Stamps of a unit-flux PSF; they are cut off, so their sums may be below 1, and are not normalised.
    fwhm : float64 array (band,)
        FWHM of the PSF in pixels: it sets the apertures.
    sky : float64 array (band,)
        Variance of a pixel without sources, in squared image units.
    zeropoints : tuple of float or None
        AB magnitude of one image unit; None where it is not known.
    """

    bands: tuple[str, ...]
    psf: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    sky: NDArray[np.float64]
    zeropoints: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One simulated field.

    Parameters
    ----------
    name : str
        Name of its file without the ending.
    image : float array (band, y, x)
        With noise.
    truth : float array (source, band, y, x)
        Each source alone, without noise, in the seeing of each band.
    x, y : float64 array (source,)
        True centres in pixels, 0-based.
    a, b, theta : float64 array (source,)
        Half-light ellipse of the larger of bulge and disc: semi-axes in pixels before the PSF, and the angle of the
        major axis from +x to +y in radians, in [−π/2, π/2].
    snr : float64 array (source,)
        Signal-to-noise ratio in r as the catalog gives it; NaN where it does not.
    magnitudes : float64 array (source, band)
        Catalog AB magnitudes; NaN where there are none.
    setting : FieldSetting
    """

    name: str
    image: FloatArray
    truth: FloatArray
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    theta: NDArray[np.float64]
    snr: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    setting: FieldSetting

    @property
    def box(self) -> Box:
        """All pixels."""
        return Box((0, 0), (self.image.shape[1], self.image.shape[2]))

    @property
    def sources(self) -> dict[str, list[Any]]:
        """Table of the true centres, as a user gives positions: x, y, and the index of the source as its id."""
        return {"id": [str(k) for k in range(len(self.x))], "x": self.x.tolist(), "y": self.y.tolist()}

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of every pixel (band, y, x): that of the sky plus the noiseless sources (photon counts)."""
        noiseless: NDArray[np.float64] = self.truth.sum(axis=0, dtype=np.float64)
        return self.setting.sky[:, None, None] + np.maximum(noiseless, 0)

    def exposure(self) -> MultibandExposure:
        """Return what a deblender is given.

        The variance is the true one. A coadd's variance plane is as good: it comes from hundreds of exposures, not
        from the pixel itself, whose noise would otherwise enter its own weight.
        """
        return MultibandExposure(
            self.setting.bands,
            self.image,
            self.variance.astype(np.float32),
            np.zeros(self.image.shape, dtype=np.int32),
            tuple(ImagePsf(stamp) for stamp in self.setting.psf),
            zeropoints=self.setting.zeropoints,
        )


@dataclass(frozen=True, slots=True)
class FieldFolder:
    """A folder of fields; each is read when it is asked for.

    Parameters
    ----------
    path : Path
    setting : FieldSetting
    files : tuple of Path
        Sorted by name.
    """

    path: Path
    setting: FieldSetting
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Field]:
        return (self.read(k) for k in range(len(self.files)))

    def read(self, index: int) -> Field:
        """Read one field.

        Raises
        ------
        InputError
            If keys are missing or arrays do not fit each other; the message says what was expected.
        """
        path = self.files[index]
        data = _load(path)
        missing = [key for key in _FIELD_KEYS if key not in data]
        if missing:
            truth = " (a field without truth cannot be scored)" if "truth" in missing else ""
            raise InputError(
                f"{path}: no {', '.join(missing)}{truth}; a field has image (band, y, x), truth (source, band, y, x), "
                "and x, y, a, b, theta per source"
            )
        return _field(path, data, self.setting)


def open_fields(folder: Path | str) -> FieldFolder:
    """Open a folder with ``field_*.npz``, and ``psf.npz`` in it or beside it.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    FieldFolder

    Raises
    ------
    InputError
        If there is no such folder, no field in it, or no ``psf.npz`` with psf, fwhm_pix, sky and bands.
    """
    # The folder's own name is the set's: "." or a trailing "test/.." would hide it.
    path = Path(folder).resolve()
    if not path.is_dir():
        raise InputError(f"{folder}: no such folder; a folder with field_*.npz is needed")
    files = tuple(sorted(path.glob("field_*.npz"), key=lambda file: (_number(file.stem), file.name)))
    if not files:
        raise InputError(f"{folder}: no field_*.npz in it")
    places = [path / "psf.npz", path.parent / "psf.npz"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError(f"{folder}: no psf.npz, neither in it nor beside it; it holds {', '.join(_SETTING_KEYS)}")
    return FieldFolder(path, _setting(found, _load(found)), files)


def _number(stem: str) -> int:
    digits = re.sub(r"\D", "", stem)
    return int(digits) if digits else -1


def _load(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path} cannot be read as an npz file of plain arrays: {error}") from error


def _setting(path: Path, data: Mapping[str, NDArray[Any]]) -> FieldSetting:
    missing = [key for key in _SETTING_KEYS if key not in data]
    if missing:
        raise InputError(f"{path}: no {', '.join(missing)}; it holds {', '.join(_SETTING_KEYS)}")
    bands = tuple(str(band) for band in data["bands"])
    n = len(bands)
    psf, fwhm, sky = (np.asarray(data[key], dtype=np.float64) for key in ("psf", "fwhm_pix", "sky"))
    if psf.ndim != 3 or len(psf) != n or fwhm.shape != (n,) or sky.shape != (n,):
        raise InputError(
            f"{path}: for {n} bands psf must be ({n}, h, w), fwhm_pix and sky ({n},); got {psf.shape}, {fwhm.shape} "
            f"and {sky.shape}"
        )
    if "zeropoint" in data:
        zeropoints = tuple(float(value) for value in np.broadcast_to(data["zeropoint"], (n,)))
        return FieldSetting(bands, psf, fwhm, sky, zeropoints)
    return FieldSetting(bands, psf, fwhm, sky, tuple(_lsst_zeropoint(band) for band in bands))


def _lsst_zeropoint(band: str) -> float | None:
    """AB magnitude of one electron of the whole exposure."""
    if band not in _LSST_ZEROPOINT:
        return None
    return _LSST_ZEROPOINT[band] + 2.5 * float(np.log10(_LSST_EXPOSURE[band]))


def _field(path: Path, data: Mapping[str, NDArray[Any]], setting: FieldSetting) -> Field:
    image, truth = data["image"], data["truth"]
    n, bands = len(truth), len(setting.bands)
    if image.ndim != 3 or len(image) != bands or truth.shape != (n, *image.shape):
        raise InputError(
            f"{path}: image must be (band, y, x) = ({bands}, …) and truth (source, band, y, x); got {image.shape} and "
            f"{truth.shape}"
        )
    columns = {key: np.asarray(data[key], dtype=np.float64) for key in ("x", "y", "a", "b", "theta")}
    for key, values in columns.items():
        if values.shape != (n,) or not np.isfinite(values).all():
            raise InputError(f"{path}: {key} must be {n} finite numbers, one per source of truth; got {values.shape}")
    if not ((columns["a"] >= columns["b"]) & (columns["b"] >= 0)).all():
        raise InputError(f"{path}: the half-light semi-axes must satisfy a >= b >= 0")
    # The apertures want the angle in this range; an ellipse turned by π is itself.
    outside = np.abs(columns["theta"]) > np.pi / 2
    wrapped = np.remainder(columns["theta"] + np.pi / 2, np.pi) - np.pi / 2
    columns["theta"] = np.where(outside, wrapped, columns["theta"])
    unknown = np.full(n, np.nan)
    magnitudes = np.stack([data.get(f"{band}_ab", unknown) for band in setting.bands], axis=1)
    snr = data.get("r_band_snr", unknown)
    return Field(
        path.stem,
        image,
        truth,
        **columns,
        snr=np.asarray(snr, dtype=np.float64),
        magnitudes=magnitudes.astype(np.float64),
        setting=setting,
    )
