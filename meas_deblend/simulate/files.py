"""Simulated fields as files: FITS coadds, tables of the truth, and the compact format of deblending test sets.

A folder holds ::

    psf.npz                       PSFs, seeing and sky of all fields
    fields/field_000.npz          image and truth, per source and band
    coadds/field_000/<band>.fits  the same image as coadds, with variance, mask and PSF
    truth/field_000.ecsv          the truth as a table; its header holds options, noise correlation and defects
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from .._atomic import atomic_write
from ..image import write_coadd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from .catalog import SimulatedSource
    from .field import SimulatedField

__all__ = ["compact_arrays", "psf_arrays", "write_field", "write_psfs"]

# Largest array ``truth`` (n, B, y, x) that is written [bytes]; above, each source is cut to its box.
_LARGEST_TRUTH = 2**29
_DOUBLE = ("x", "y", "a", "b", "theta")
_OWN = ("ra", "dec", "axis_ratio", "position_angle")


def compact_arrays(field: SimulatedField) -> dict[str, NDArray[Any]]:
    """Arrays of the compact format.

    Parameters
    ----------
    field : SimulatedField
        With n sources in B bands.

    Returns
    -------
    dict of str to array
        ``image`` (B, y, x) [electrons] and ``truth`` (n, B, y, x), noiseless, convolved with the PSF; where that were
        larger than 512 MiB, ``boxes`` (n, 4) of ``y0, x0, height, width`` and ``cut_000`` … (B, h, w) in its place.
        ``x``, ``y``: 0-based centres. ``a``, ``b`` [px], ``theta`` [rad, from +x towards +y]: half-light ellipse.
        ``{band}_ab``, ``{band}_band_snr``, catalog columns, ``is_star``; ``noise_correlation``: ξ over pixel lags.
        Fields with defects also have ``variance`` and ``mask``; else the variance is ``sky`` of `psf_arrays` + model.
    """
    return dict(_compact_items(field))


def _compact_items(field: SimulatedField) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and arrays, one at a time: all sources of a patch together need more memory than its pixels."""
    exposure, n = field.exposure, len(field.sources)
    yield "image", exposure.images.astype(np.float32)
    if 4 * n * exposure.images.size <= _LARGEST_TRUTH:
        empty = np.zeros((0, *exposure.images.shape), dtype=np.float32)
        yield "truth", np.stack([field.source_image(k) for k in range(n)]) if n else empty
    else:
        yield from _cuts(field)
    for name, values in field.truth.items():
        if name not in _OWN and not name.endswith(("_flux", "_half_light_radius", "_bulge_fraction")):
            yield name, values.astype(np.float64 if name in _DOUBLE else _small(values.dtype))
    yield "noise_correlation", field.noise_correlation
    if field.defects:
        yield from (("variance", exposure.variance), ("mask", exposure.mask))


def psf_arrays(field: SimulatedField) -> dict[str, NDArray[Any]]:
    """PSFs of a field in the compact format.

    Returns
    -------
    dict of str to array
        ``psf`` (B, h, w): stamps of a PSF of unit flux, cut and not renormalised, at the middle of the image, NaN for a
        band without one;
        ``fwhm_pix`` (B,): FWHM of the seeing; ``sky`` (B,): variance of an empty pixel [electrons²]; ``bands`` (B,);
        ``zeropoint`` (B,): AB magnitude of one electron.
    """
    exposure, conditions = field.exposure, field.config.conditions
    y, x = (float(np.floor(c)) for c in exposure.box.center)
    drawn = [None if psf is None else psf.image(y, x).stamp for psf in exposure.psfs]
    shape = next((stamp.shape for stamp in drawn if stamp is not None), (1, 1))
    stamps = [np.full(shape, np.nan) if stamp is None else stamp for stamp in drawn]
    return {
        "psf": np.array(stamps, dtype=np.float32),
        "fwhm_pix": conditions.fwhm_pixels,
        "sky": conditions.sky,
        "bands": np.array(conditions.names),
        "zeropoint": np.array([band.image_zeropoint for band in conditions.bands]),
    }


def write_psfs(folder: str | Path, field: SimulatedField) -> Path:
    """Write ``psf.npz``, which holds for all fields of the same options; return its path."""
    path = Path(folder) / "psf.npz"
    _save(path, psf_arrays(field).items())
    return path


def write_field(folder: str | Path, field: SimulatedField, *, coadds: bool = True) -> list[Path]:
    """Write one field.

    Parameters
    ----------
    folder : path-like
        Where; sub-folders are made. Files of the same field are replaced.
    field : SimulatedField
        Its ``config.index`` gives the number in the names.
    coadds : bool
        Whether the FITS coadds are wanted.

    Returns
    -------
    list of Path
        What was written.
    """
    base, name = Path(folder), f"field_{field.config.index:03d}"
    files = [base / "fields" / f"{name}.npz"]
    _save(files[0], _compact_items(field))
    if coadds:
        for band in field.exposure.bands:
            path = base / "coadds" / name / f"{band}.fits"
            files.append(write_coadd(path, field.exposure, band, overwrite=True))
    files.append(base / "truth" / f"{name}.ecsv")
    _write_table(files[-1], field.truth, _meta(field))
    if field.undetected:
        files.append(base / "truth" / f"{name}_undetected.ecsv")
        _write_table(files[-1], _undetected_columns(field.undetected, field.exposure.bands), {})
    return files


def _cuts(field: SimulatedField) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each source on its own box, and the boxes."""
    frame, boxes = field.exposure.box, []
    for k, image in enumerate(field.images):
        box = image.box & frame
        boxes.append((*box.origin, *box.shape))
        yield f"cut_{k:03d}", image.project(box).array
    yield "boxes", np.array(boxes, dtype=np.int64).reshape(-1, 4)


def _small(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


def _save(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write what `numpy.savez_compressed` would, one array after the other."""
    with atomic_write(path) as stream, ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, values in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def _write_table(path: Path, columns: dict[str, NDArray[Any]], meta: dict[str, Any]) -> None:
    from astropy.table import Table  # noqa: PLC0415 - slow to load, so only where it is used

    with atomic_write(path, "w") as stream:
        Table(columns, meta=meta).write(stream, format="ascii.ecsv")


def _meta(field: SimulatedField) -> dict[str, Any]:
    defects = [{**asdict(d), "box": list(d.box)} for d in field.defects]
    return {
        "options": field.config.model_dump(mode="json"),
        "noise_correlation": field.noise_correlation.tolist(),
        "noise_correlation_sum": float(field.noise_correlation.sum()),
        "defects": defects,
    }


def _undetected_columns(sources: Sequence[SimulatedSource], bands: Sequence[str]) -> dict[str, NDArray[Any]]:
    flux = np.array([s.flux for s in sources])
    columns = {"id": np.array([s.id for s in sources]), "x": np.array([s.x for s in sources])}
    columns["y"] = np.array([s.y for s in sources])
    return columns | {f"{band}_flux": flux[:, k] for k, band in enumerate(bands)}
