"""Which files each patch is read from: a table of them, or a pattern of their names."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._names import listing, suggestion
from .._phrases import counted
from ..exceptions import InputError
from ..image.fits_io import split_selector
from ..image.psf_files import split_psf_spec
from ..products.ids import PATCH_BITS, TRACT_BITS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = ["PatchFiles", "check_options", "options_for", "patch_cell", "patch_number", "read_patches"]

_NEEDED = ("tract", "patch", "band", "image")
_PLANES = ("variance", "weight", "sigma", "mask", "psf")
_COLUMNS = (*_NEEDED, *_PLANES, "inner")
_PLACES = ("tract", "patch", "band")
_GRID = 100
"""Patches that are named by column and row, "X,Y", have the number X + 100 Y."""

Inner = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PatchFiles:
    """What one patch is read from.

    Parameters
    ----------
    tract : int
        0 … 131 071.
    patch : str
        Its name, as it was given.
    number : int
        What its identifiers are made from, see `patch_number`.
    bands : dict
        By band the files by plane, "image" among them; paths are absolute.
    inner : tuple of int, optional
        Inner region (X0, X1, Y0, Y1), pixels from 0, X1 and Y1 not included; None: what follows from the overlaps.
    """

    tract: int
    patch: str
    number: int
    bands: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inner: Inner | None = None

    @property
    def name(self) -> str:
        """What it is called in messages: "9813/4,4"."""
        return f"{self.tract}/{self.patch}"


@dataclass(frozen=True, slots=True)
class _Row:
    """One band of one patch, and where that was said."""

    where: str
    tract: int
    patch: str
    band: str
    planes: Mapping[str, str]
    inner: Inner | None


def read_patches(source: str | Path) -> tuple[PatchFiles, ...]:
    """Read which patches there are, from a table or by a pattern.

    Parameters
    ----------
    source : str or Path
        A CSV file with the columns tract, patch, band, image and optionally variance (or weight, sigma), mask, psf,
        inner, one row per patch and band; paths are relative to its folder. Or a pattern of file names such as
        ``coadds/{tract}/{patch}/{band}.fits``; without ``{tract}``, the tract is 0.

    Returns
    -------
    tuple of PatchFiles
        By tract and number.

    Raises
    ------
    InputError
        If the table or pattern cannot be used, there is no patch, a band of a patch is given twice, or two patches of a
        tract have one number; the message names the lines or files. Whether the files can be read is not looked at.
    """
    text = str(source)
    rows = list(_matching(text) if "{" in text else _from_table(Path(source)))
    if not rows:
        what = "no file has a name like" if "{" in text else "there is no row in"
        raise InputError(f"{what} {text}: there is nothing to deblend")
    return _patches(rows)


def options_for(bands: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of the reader for a patch: what is said of bands that it does not have is left out."""

    def of_bands(value: Any) -> Any:
        """Leave out other bands."""
        if not isinstance(value, dict):
            return value
        return {band: one for band, one in value.items() if band in bands} or None

    return {name: of_bands(value) for name, value in options.items()}


def check_options(bands: Collection[str], options: Mapping[str, Any]) -> None:
    """Refuse options for bands that no patch has: a misspelt band would else be without effect.

    Parameters
    ----------
    bands : collection of str
        Of all patches.
    options : mapping
        Keyword arguments of `image.read_coadds`.

    Raises
    ------
    InputError
        The message says which bands there are.
    """
    for option, value in options.items():
        unknown = [band for band in value if band not in bands] if isinstance(value, dict) else []
        if unknown:
            raise InputError(f"{option} is given for {', '.join(unknown)}, but the patches have {', '.join(bands)}")


def patch_number(patch: str) -> int:
    """Return the number of a patch from its name: "37" is 37, and "4,3", column and row, is 4 + 100 × 3.

    Raises
    ------
    InputError
        If the name is neither, or out of range.
    """
    match = re.fullmatch(r"(\d+)(?:,(\d+))?", patch.strip())
    if match is None:
        raise InputError(f"a patch is named by a number, or by column and row such as '4,3'; got {patch!r}")
    x, y = match.groups()
    if y is not None and int(x) >= _GRID:
        raise InputError(f"columns of patches go from 0 to {_GRID - 1}; got {patch!r}")
    number = int(x) + (_GRID * int(y) if y is not None else 0)
    if number >= 1 << PATCH_BITS:
        raise InputError(f"the number of a patch goes from 0 to {(1 << PATCH_BITS) - 1}; that of {patch!r} is {number}")
    return number


def patch_cell(patch: str) -> tuple[int, int] | None:
    """Return column and row of a patch that is named by them, "4,3"; None of another."""
    x, comma, y = patch.partition(",")
    return (int(x), int(y)) if comma else None


def _from_table(path: Path) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path} cannot be read as a table of patches: {reason}") from error
    numbered = [(k, line) for k, line in enumerate(lines, start=1) if any(cell.strip() for cell in line)]
    if not numbered:
        raise InputError(f"{path} is empty: a table of patches has the columns {listing(_NEEDED)}")
    header = [name.strip().lower() for name in numbered[0][1]]
    _check_header(path, header)
    for k, line in numbered[1:]:
        where = f"{path}, line {k}"
        if len(line) != len(header):
            raise InputError(f"{where}: {counted(len(line), 'value')} for {counted(len(header), 'column')}; names "
                             "with a comma, such as \"4,3\", stand in quotation marks")  # fmt: skip
        yield _row(where, {name: cell.strip() for name, cell in zip(header, line, strict=True)}, path.parent)


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in header]
    unknown = [name for name in header if name not in _COLUMNS]
    twice = sorted({name for name in header if header.count(name) > 1})
    if unknown:
        hint = suggestion(unknown[0], _COLUMNS)
        raise InputError(f"{path}: unknown column {unknown[0]!r}{hint} There are: {listing(_COLUMNS)}")
    if missing or twice:
        what = f"has no column {listing(missing)}" if missing else f"has the column {listing(twice)} twice"
        raise InputError(f"{path} {what}; a table of patches has the columns {listing(_NEEDED)}")


def _row(where: str, values: Mapping[str, str], folder: Path) -> _Row:
    empty = [name for name in _NEEDED if not values[name]]
    if empty:
        raise InputError(f"{where}: no value for {listing(empty)}")
    given = {name: values[name] for name in ("image", *_PLANES) if values.get(name)}
    planes = {name: _absolute(name, text, folder) for name, text in given.items()}
    inner = _inner(where, values["inner"]) if values.get("inner") else None
    return _Row(where, _tract(where, values["tract"]), values["patch"], values["band"], planes, inner)


def _tract(where: str, text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << TRACT_BITS:
        raise InputError(f"{where}: a tract is a number from 0 to {(1 << TRACT_BITS) - 1}; got {text!r}")
    return int(text)


def _inner(where: str, text: str) -> Inner:
    match = re.fullmatch(r"(\d+):(\d+),(\d+):(\d+)", text.replace(" ", ""))
    x0, x1, y0, y1 = (int(part) for part in match.groups()) if match else (0, 0, 0, 0)
    if not (x0 < x1 and y0 < y1):
        raise InputError(f"{where}: an inner region is X0:X1,Y0:Y1, pixels from 0, X1 and Y1 not included; got {text}")
    return x0, x1, y0, y1


def _absolute(plane: str, text: str, folder: Path) -> str:
    """Make a path absolute, also one with an HDU behind it or, for a PSF, with a word in front."""
    if plane == "psf":
        spec = split_psf_spec(text)
        if not (folder / split_selector(spec.file)[0]).exists():
            return text
        return str(spec._replace(file=_with_folder(spec.file, folder)))
    try:
        float(text)
    except ValueError:
        return _with_folder(text, folder)
    return text


def _with_folder(text: str, folder: Path) -> str:
    path, selector = split_selector(text)
    absolute = (folder.absolute() / path.expanduser()).as_posix()
    return absolute if selector is None else f"{absolute}[{selector}]"


def _matching(pattern: str) -> Iterator[_Row]:
    """Files whose names are as the pattern says."""
    names = re.findall(r"\{(.*?)\}", pattern)
    wrong = [name for name in names if name not in _PLACES]
    lacking = [name for name in ("patch", "band") if name not in names]
    if wrong or lacking:
        what = f"{{{wrong[0]}}} is unknown" if wrong else f"{{{lacking[0]}}} is missing"
        raise InputError(f"pattern {pattern}: {what}; it has the places {{tract}}, {{patch}} and {{band}}")
    absolute = Path(pattern).expanduser().absolute()
    root = Path(*absolute.parts[: next(k for k, part in enumerate(absolute.parts) if "{" in part)])
    glob = "/".join(re.sub(r"\{.*?\}", "*", part) for part in absolute.parts[len(root.parts) :])
    shape = _as_expression(str(absolute))
    for path in sorted(root.glob(glob)):
        match = shape.fullmatch(str(path))
        if match is not None:
            found = match.groupdict()
            tract = _tract(str(path), found.get("tract") or "0")
            yield _Row(str(path), tract, found["patch"], found["band"], {"image": str(path)}, None)


def _as_expression(pattern: str) -> re.Pattern[str]:
    """Regular expression of a pattern; a place that occurs again has the same text there."""
    parts, seen = [], set()
    for k, part in enumerate(re.split(r"\{(.*?)\}", pattern)):
        if k % 2 == 0:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>[^/]+?)")
            seen.add(part)
    return re.compile("".join(parts))


def _patches(rows: Iterable[_Row]) -> tuple[PatchFiles, ...]:
    bands: dict[tuple[int, str], dict[str, _Row]] = {}
    for row in rows:
        of_patch = bands.setdefault((row.tract, row.patch), {})
        if row.band in of_patch:
            raise InputError(
                f"band {row.band} of patch {row.tract}/{row.patch} is given twice: {of_patch[row.band].where}, and "
                f"{row.where}"
            )
        of_patch[row.band] = row
    patches = [_patch(tract, patch, of_patch) for (tract, patch), of_patch in bands.items()]
    patches.sort(key=lambda one: (one.tract, one.number))
    for first, second in pairwise(patches):
        if (first.tract, first.number) == (second.tract, second.number):
            raise InputError(
                f"patches {first.name} and {second.name} have one number, {first.number}, so their objects would have "
                "the same identifiers: name the patches of a tract by numbers, or all by column and row"
            )
    return tuple(patches)


def _patch(tract: int, patch: str, rows: Mapping[str, _Row]) -> PatchFiles:
    first = next(iter(rows.values()))
    try:
        number = patch_number(patch)
    except InputError as error:
        raise InputError(f"{first.where}: {error}") from error
    given = {row.inner: row for row in rows.values() if row.inner is not None}
    if len(given) > 1:
        raise InputError(
            f"patch {tract}/{patch} has two inner regions: {' and '.join(r.where for r in given.values())}"
        )
    files = {band: row.planes for band, row in rows.items()}
    return PatchFiles(tract, patch, number, files, next(iter(given), None))
