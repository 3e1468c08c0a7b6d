"""Cuts images that are larger than the memory into patches, with everything that the patches need to be deblended."""

from __future__ import annotations

import csv
import re
import shutil
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._atomic import atomic_write
from .._phrases import counted
from ..exceptions import InputError
from ..image.band_reader import image_hdu
from ..image.fits_io import FitsFile, missing_file, open_fits, split_selector
from ..image.planes import NOISE_PLANES
from ..image.psf_files import split_psf_spec
from ..image.psf_grid_file import holds_psf_grid
from ..image.psfex_file import psfex_tables
from .tiling import Tile, tile_grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..image import PlaneSpec, Survey

__all__ = ["TABLE", "Cut", "cut_tiles"]

TABLE = "patches.csv"

_PLANES = ("image", *NOISE_PLANES, "mask", "psf")
_GZIP = b"\x1f\x8b"
# What describes how pixels are stored, or sums over them: astropy writes what is true of the part.
_STORED = re.compile(r"BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|EXTEND")
_TABULATED = re.compile(r"(CPDIS|CQDIS|D2IMDIS)\d")


_OVERLAP = 400
"""Few parents of deep ground-based images reach farther than half of it past a border."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How an image is cut.

    Parameters
    ----------
    size : int
        Largest side of a tile, pixels.
    overlap : int or None
        Pixels that neighbours share; None: 400, or a quarter of a smaller tile. Parents are whole that reach no farther
        than half of it past the border of what a patch owns: 200 pixels, about 50 FWHM of the seeing on ground-based
        coadds.
    tract : int
        Of all tiles.
    """

    size: int = 4000
    overlap: int | None = None
    tract: int = 0

    @property
    def shared(self) -> int:
        """Pixels that neighbours share, given or not."""
        return min(_OVERLAP, self.size // 4) if self.overlap is None else self.overlap


def cut_tiles(bands: Mapping[str, PlaneSpec], survey: Survey, folder: Path, cut: Cut) -> tuple[tuple[Tile, ...], Path]:
    """Cut the coadds of all bands into tiles, and write the table of them.

    Files are read in parts, one after the other: what is held is one tile of one file. Each file of a band, the image
    and those of its planes, is cut with all its HDUs of the image's shape; others, such as a PSF, are kept as they are.
    Reference pixels move with the tiles, as do positions in PSF models that vary over the image.

    Parameters
    ----------
    bands : mapping of str to PlaneSpec
        Files by band.
    survey : Survey
        Names of HDUs.
    folder : Path
        Exists. A file is ``TRACT/COLUMN,ROW/BAND.fits``, and ``BAND_PLANE.fits`` of a plane in a file of its own.
    cut : Cut

    Returns
    -------
    tuple of Tile
    Path
        The table, ``patches.csv``, for ``meas-deblend run --inputs``.

    Raises
    ------
    InputError
        If a file is missing, compressed with gzip, or has no image of two dimensions; shapes differ; distortions are
        tabulated; or there is no room on the disk.
    """
    shapes = {band: _shape(spec, survey) for band, spec in bands.items()}
    shape = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1:
        listing = ", ".join(f"{band} {x} × {y}" for band, (y, x) in shapes.items())
        raise InputError(f"the images must have one shape, but they have {listing} pixels")
    tiles = tile_grid(shape, cut.size, cut.shared)
    _check_room(folder, [path for spec in bands.values() for path in _files(spec)], tiles, shape)
    rows = []
    for tile in tiles:
        place = folder / str(cut.tract) / tile.patch
        place.mkdir(parents=True, exist_ok=True)
        for band, spec in bands.items():
            planes = _cut_band(band, spec, survey, tile, place)
            inner = "{}:{},{}:{}".format(*tile.inner)
            paths = {name: value.replace(f"{folder}/", "") for name, value in planes.items()}
            rows.append({"tract": str(cut.tract), "patch": tile.patch, "band": band, "inner": inner, **paths})
    return tiles, _write_table(folder / TABLE, rows)


def _write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    used = [plane for plane in _PLANES if any(plane in row for row in rows)]
    with atomic_write(path, "w") as stream:
        table = csv.DictWriter(stream, ["tract", "patch", "band", *used, "inner"], restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return path


def _given(spec: PlaneSpec) -> dict[str, Any]:
    """Planes that are given, by name."""
    return {f.name: getattr(spec, f.name) for f in fields(spec) if getattr(spec, f.name) is not None}


def _is_file(value: object) -> bool:
    return isinstance(value, (str, Path)) and split_selector(value)[0].is_file()


def _files(spec: PlaneSpec) -> list[Path]:
    return [split_selector(v)[0] for name, v in _given(spec).items() if name != "psf" and _is_file(v)]


def _shape(spec: PlaneSpec, survey: Survey) -> tuple[int, int]:
    with _opened(spec.image) as (file, selector):
        hdu = image_hdu(file, selector, survey)
        if hdu.header["NAXIS"] != 2:
            raise InputError(f"{file.path}: the image must be 2-D (y, x), got {hdu.header['NAXIS']} axes")
        return int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[FitsFile, str | None]]:
    """Open a file so that only those parts are read that are asked for."""
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    plain, selector = split_selector(path)
    absolute = plain.expanduser().absolute()
    if not absolute.is_file():
        raise InputError(missing_file(absolute))
    with absolute.open("rb") as stream:
        if stream.read(2) == _GZIP:
            raise InputError(f"{absolute} is compressed with gzip, and cannot be read in parts: unpack it first")
    with warnings.catch_warnings():
        # Of headers: whoever reads the tiles is told.
        warnings.simplefilter("ignore")
        try:
            # Sections are read where they lie in the file; mapped, scaled integers could not be.
            hdus = fits.open(absolute, memmap=False)
        except (OSError, TypeError, ValueError) as error:
            raise InputError(f"{absolute} is not a FITS file that can be read: {error}") from error
        with hdus:
            yield FitsFile(absolute, hdus), selector


def _cut_band(band: str, spec: PlaneSpec, survey: Survey, tile: Tile, place: Path) -> dict[str, str]:
    """Write a tile of a band; return its planes as `inputs.read_patches` takes them."""
    planes: dict[str, str] = {}
    for name, value in _given(spec).items():
        if name == "psf":
            planes[name] = _cut_psf(value, tile, place / f"{band}_psf")
        elif not _is_file(value) and name != "image":
            planes[name] = str(value)
        else:
            target = place / (f"{band}.fits" if name == "image" else f"{band}_{name}.fits")
            selector = split_selector(value)[1]
            _cut_file(value, name, survey, tile, target)
            planes[name] = str(target) if selector is None else f"{target}[{selector}]"
    return planes


def _cut_file(path: str | Path, role: str, survey: Survey, tile: Tile, target: Path) -> None:
    from astropy.io import fits  # noqa: PLC0415 - slow to load, so only where it is used

    with _opened(path) as (file, selector):
        chosen = image_hdu(file, selector, survey) if role == "image" else _any_image(file)
        size = chosen.header["NAXIS2"], chosen.header["NAXIS1"]
        out = []
        for k, hdu in enumerate(file.hdus):
            same = hdu.is_image and (hdu.header.get("NAXIS2"), hdu.header.get("NAXIS1")) == size
            if not (same and hdu.header["NAXIS"] == 2):
                out.append(hdu)
                continue
            pixels = np.ascontiguousarray(hdu.section[tile.y0 : tile.y1, tile.x0 : tile.x1])
            header = _moved(hdu.header, tile, file.path)
            out.append(fits.PrimaryHDU(pixels, header) if k == 0 else fits.ImageHDU(pixels, header, name=hdu.name))
        with atomic_write(target) as stream:
            fits.HDUList(out).writeto(stream, output_verify="silentfix")


def _any_image(file: FitsFile) -> Any:
    """Return the HDU of a file that holds one plane."""
    images = file.images()
    if not images:
        raise InputError(f"{file.path} holds no image")
    return images[0]


def _moved(header: Any, tile: Tile, path: Path) -> Any:
    """Header of a part: its reference pixels are counted from the part's first."""
    moved = header.copy(strip=True)
    for keyword in list(moved):
        if _STORED.fullmatch(keyword):
            del moved[keyword]
        elif _TABULATED.match(keyword):
            raise InputError(f"{path}: distortions in tables ({keyword}) cannot be cut; write them as SIP or TPV")
    for axis, start in ((1, tile.x0), (2, tile.y0)):
        for keyword in list(moved):
            if re.fullmatch(rf"CRPIX{axis}[A-Z]?", keyword):
                moved[keyword] = float(moved[keyword]) - start
        moved[f"LTV{axis}"] = (float(moved.get(f"LTV{axis}", 0.0)) - start, "pixel here - pixel of the mosaic")
    return moved


def _cut_psf(value: Any, tile: Tile, target: Path) -> str:
    """Return the specification of a tile's PSF; a model that varies over the image is written anew."""
    spec = split_psf_spec(value) if isinstance(value, (str, Path)) else None
    if spec is None:
        raise InputError("PSFs of tiles are given as files or words, such as psf=psf.fits or psf=fwhm=0.7")
    if not _is_file(spec.file) or not _varies(split_selector(spec.file)[0]):
        path, selector = split_selector(spec.file)
        absolute = str(path.absolute()) if path.is_file() else spec.file
        return str(spec._replace(file=absolute if selector is None else f"{absolute}[{selector}]"))
    path = split_selector(spec.file)[0]
    moved = target.with_suffix(path.suffix)
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        arrays |= {"x": np.asarray(arrays["x"]) - tile.x0, "y": np.asarray(arrays["y"]) - tile.y0}
        with atomic_write(moved) as stream:
            np.savez(stream, **arrays)
    else:
        _move_psf_tables(path, tile, moved)
    return str(spec._replace(file=str(moved)))


def _varies(path: Path) -> bool:
    """Whether a file has a PSF model with positions on the image.

    Raises
    ------
    InputError
        If these are where they cannot be moved.
    """
    if path.suffix.lower() == ".npz":
        return True
    with open_fits(path) as file:
        tables = psfex_tables(file)
        if any("polzero1" in (name.lower() for name in hdu.columns.names) for hdu in tables):
            raise InputError(
                f"{path}: a PSFEx model with POLZERO in a column cannot be moved to tiles; it must stand in the header"
            )
        return bool(tables) or holds_psf_grid(file)


def _move_psf_tables(path: Path, tile: Tile, target: Path) -> None:
    """Write a FITS file with a PSFEx model or a grid of stamps whose positions are counted from the tile's first."""
    starts = {"x": tile.x0, "y": tile.y0}
    with open_fits(path) as file:
        hdus = file.hdus
        for hdu in hdus:
            for number in (1, 2, 3):
                # A polynomial of position, in units of POLSCAL, about POLZERO.
                axis = str(hdu.header.get(f"POLNAME{number}", "")).strip().lower()[:1]
                if axis in starts and f"POLZERO{number}" in hdu.header:
                    hdu.header[f"POLZERO{number}"] = float(hdu.header[f"POLZERO{number}"]) - starts[axis]
            names = getattr(getattr(hdu, "columns", None), "names", ())
            for name in (name for name in names if name.lower() in starts):
                hdu.data[name] = hdu.data[name] - starts[name.lower()]
        with atomic_write(target) as stream:
            hdus.writeto(stream, output_verify="silentfix")


def _check_room(folder: Path, files: Sequence[Path], tiles: Sequence[Tile], shape: tuple[int, int]) -> None:
    """Refuse to begin what cannot end."""
    pixels = sum(tile.shape[0] * tile.shape[1] for tile in tiles)
    needed = sum(path.stat().st_size for path in files) * pixels / (shape[0] * shape[1])
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder}: {counted(len(tiles), 'tile')} need about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB "
            "are free"
        )
