"""Folders of fields with truth, in the compact format of the published test sets."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from ..simulate import LSST_10Y
from .fields import Field, FieldSetting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["FieldFolder", "open_fields"]

_SETTING_KEYS = ("psf", "fwhm_pix", "sky", "bands")
_FIELD_KEYS = ("image", "truth", "x", "y", "a", "b", "theta")
_LARGEST_TRUTH = 2**31


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
        data = _with_truth(path, _load(path))
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
    if not any(path.glob("field_*.npz")) and (path / "fields").is_dir():
        path = path / "fields"  # the folder that `simulate` was given
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
    """AB magnitude of one electron of the whole exposure of LSST's ten years."""
    return LSST_10Y.band(band).image_zeropoint if band in LSST_10Y.names else None


def _with_truth(path: Path, data: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """Return the file's content with ``truth`` put together from cut-outs on boxes, where it is kept like that."""
    if "truth" in data or not {"boxes", "image"} <= data.keys():
        return data
    boxes, shape = data["boxes"], data["image"].shape
    if 4 * len(boxes) * data["image"].size > _LARGEST_TRUTH:
        raise InputError(
            f"{path}: {len(boxes)} sources on {shape[1]} × {shape[2]} px are too many: the true images of all of them "
            f"would take {4 * len(boxes) * data['image'].size / 2**30:.0f} GiB; cut the field into smaller ones"
        )
    truth = np.zeros((len(boxes), *shape), dtype=np.float32)
    for k, (y0, x0, h, w) in enumerate(boxes):
        truth[k, :, y0 : y0 + h, x0 : x0 + w] = data[f"cut_{k:03d}"]
    return {**data, "truth": truth}


def _field(path: Path, data: Mapping[str, NDArray[Any]], setting: FieldSetting) -> Field:
    image, truth = data["image"], data["truth"]
    n, bands = len(truth), len(setting.bands)
    if image.ndim != 3 or len(image) != bands or truth.shape != (n, *image.shape):
        raise InputError(
            f"{path}: image must be (band, y, x) = ({bands}, …) and truth (source, band, y, x); got {image.shape} and "
            f"{truth.shape}"
        )
    columns = _geometry(path, data, n)
    unknown = np.full(n, np.nan)
    magnitudes = np.stack([data.get(f"{band}_ab", unknown) for band in setting.bands], axis=1)
    return Field(
        path.stem,
        image,
        truth,
        **columns,
        snr=np.asarray(data.get("r_band_snr", unknown), dtype=np.float64),
        magnitudes=magnitudes.astype(np.float64),
        setting=setting,
        stated_variance=_plane(path, data, "variance"),
        bad=None if "mask" not in data else np.asarray(_plane(path, data, "mask") != 0),
    )


def _geometry(path: Path, data: Mapping[str, NDArray[Any]], n: int) -> dict[str, NDArray[np.float64]]:
    """Return centres and half-light ellipses of the n sources."""
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
    return columns


def _plane(path: Path, data: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any] | None:
    """Return an optional plane of the shape of the image."""
    plane = data.get(name)
    if plane is not None and plane.shape != data["image"].shape:
        raise InputError(f"{path}: {name} must have the shape of image, {data['image'].shape}, got {plane.shape}")
    return plane
