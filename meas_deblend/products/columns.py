"""What a column is, and how the declared columns of a table unfold over bands and apertures.

The columns themselves stand in ``declarations``: each once, as data. Schemas, units, descriptions, checks and the
reference page are all made from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from ..exceptions import InputError
from .versions import version_numbers

__all__ = ["TABLE_VERSION", "CatalogLayout", "Column", "TableDeclaration", "aperture_name", "flux_factor", "flux_unit"]

TABLE_VERSION = "1.3.0"
"""Version of the tables that are written; each column knows since which version there is it."""

Dtype = Literal["int32", "int64", "float32", "float64", "bool", "string"]

_FLUX, _IMAGE = "flux", "image"
_NANOJANSKY_ZEROPOINT = 31.4


def flux_unit(zeropoint: float | None, image_unit: str = "count") -> str:
    """Name the unit of a band's catalog fluxes: "nJy" where the AB zero point is known, else the unit of the image."""
    return image_unit if zeropoint is None else "nJy"


def flux_factor(zeropoint: float | None) -> float:
    """Catalog flux per image flux: 10^((31.4 − zeropoint) / 2.5), 1 where the zero point is not known.

    An AB magnitude of 31.4 is a flux of 1 nJy (Oke & Gunn 1983: 0 mag is 3631 Jy).
    """
    return 1.0 if zeropoint is None else 10.0 ** ((_NANOJANSKY_ZEROPOINT - zeropoint) / 2.5)


def aperture_name(radius: float) -> str:
    """Name of a circular aperture of ``radius`` pixels: "ap06" for 6, "ap04_5" for 4.5.

    Raises
    ------
    InputError
        If the radius is not above 0 or has more than one decimal.
    """
    tenths = round(radius * 10)
    if tenths <= 0 or abs(tenths - radius * 10) > 1e-6:
        raise InputError(f"an aperture radius must be above 0 pixels with at most one decimal, got {radius}")
    whole, rest = divmod(tenths, 10)
    return f"ap{whole:02d}" + (f"_{rest}" if rest else "")


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or one family of columns when its name holds ``{band}`` or ``{aperture}``.

    Parameters
    ----------
    name : str
        As it stands in files.
    dtype : str
        One of ``Dtype``.
    unit : str
        An astropy unit, "" for none; "flux" stands for the band's flux unit and "image" for that of the pixels.
    meaning : str
        What it holds. For a flag: what it says when it is true.
    set_by : str
        Label of the step that sets it.
    nullable : bool
        Whether a row may have no value (NaN). Only floats: integers, flags and strings always have one.
    since : str
        Version of the tables that had it first.
    reference : str
        Where the definition comes from; "" where the meaning says it all.
    """

    name: str
    dtype: Dtype
    unit: str
    meaning: str
    set_by: str
    nullable: bool = False
    since: str = "1.0.0"
    reference: str = ""

    def __post_init__(self) -> None:
        if self.nullable and not self.dtype.startswith("float"):
            raise ValueError(f"{self.name}: only float columns can be without a value")

    @property
    def per_band(self) -> bool:
        """Whether there is one such column per band."""
        return "{band}" in self.name

    @property
    def per_aperture(self) -> bool:
        """Whether there is one such column per aperture radius."""
        return "{aperture}" in self.name

    @property
    def is_flag(self) -> bool:
        """Whether it is a flag, whose meaning states what true says."""
        return self.dtype == "bool"


@dataclass(frozen=True, slots=True)
class TableDeclaration:
    """A table: its columns in order, and what identifies a row.

    Parameters
    ----------
    name : str
    meaning : str
        What a row is.
    key : tuple of str
        Columns whose values together occur once.
    columns : tuple of Column
    has_plugins : bool
        Whether plug-ins may add columns (`CatalogLayout.extra`).
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    has_plugins: bool = False

    def unfold(self, layout: CatalogLayout, version: str = TABLE_VERSION) -> tuple[Column, ...]:
        """Columns of the table for one data set: families unfolded, units filled in; those that ``version`` had."""
        return _unfolded(self, layout, version)

    def __hash__(self) -> int:
        # Hundreds of columns need not be looked at to tell tables apart.
        return hash((self.name, self.key))


# The rows of every parent are packed by these columns.
@lru_cache(maxsize=64)
def _unfolded(declared: TableDeclaration, layout: CatalogLayout, version: str) -> tuple[Column, ...]:
    newest = version_numbers(version)
    families = (*declared.columns, *layout.extra) if declared.has_plugins else declared.columns
    known = (column for column in families if version_numbers(column.since) <= newest)
    return tuple(column for family in known for column in layout.unfold(family))


@dataclass(frozen=True, slots=True)
class CatalogLayout:
    """What the columns of a catalog depend on.

    Parameters
    ----------
    bands : tuple of str
        In the order of the exposure.
    flux_units : tuple of str
        Unit of the fluxes per band (`flux_unit`); default: all in the unit of the image.
    aperture_radii : tuple of float
        Radii of circular apertures, pixels.
    image_unit : str
        Unit of the pixels.
    extra : tuple of Column
        Columns of plug-ins, which come after those that are declared.

    Raises
    ------
    InputError
        If bands or apertures repeat, or the number of units is not that of the bands.
    """

    bands: tuple[str, ...]
    flux_units: tuple[str, ...] = ()
    aperture_radii: tuple[float, ...] = ()
    image_unit: str = "count"
    extra: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        if not self.flux_units:
            object.__setattr__(self, "flux_units", (self.image_unit,) * len(self.bands))
        if len(self.flux_units) != len(self.bands):
            raise InputError(f"{len(self.flux_units)} flux units for {len(self.bands)} bands {self.bands}")
        names = [aperture_name(radius) for radius in self.aperture_radii]
        for kind, values in (("bands", self.bands), ("apertures", names)):
            if len(set(values)) != len(values):
                raise InputError(f"{kind} must differ from each other, got {', '.join(values)}")

    @classmethod
    def of_bands(
        cls,
        bands: tuple[str, ...],
        zeropoints: tuple[float | None, ...],
        aperture_radii: tuple[float, ...] = (),
        image_unit: str = "count",
        extra: tuple[Column, ...] = (),
    ) -> CatalogLayout:
        """Layout whose flux units follow from the zero points, one per band."""
        units = tuple(flux_unit(zeropoint, image_unit) for zeropoint in zeropoints)
        return cls(bands, units, aperture_radii, image_unit, extra)

    def unfold(self, column: Column) -> tuple[Column, ...]:
        """Return the columns that a declared one stands for: bands outside, apertures inside."""
        apertures = self.aperture_radii if column.per_aperture else (None,)
        if not column.per_band:
            return (self._resolve(column, "", self.image_unit),)
        pairs = zip(self.bands, self.flux_units, strict=True)
        return tuple(self._resolve(column, band, unit, radius) for band, unit in pairs for radius in apertures)

    def _resolve(self, column: Column, band: str, flux: str, radius: float | None = None) -> Column:
        aperture = "" if radius is None else aperture_name(radius)
        unit = {_FLUX: flux, _IMAGE: self.image_unit}.get(column.unit, column.unit)
        # str.format would choke on braces in a band's name, and reads attributes; plain replacement does not.
        name, meaning = (
            text.replace("{band}", band).replace("{aperture}", aperture).replace("{radius}", f"{radius or 0:g}")
            for text in (column.name, column.meaning)
        )
        return replace(column, name=name, meaning=meaning, unit=unit)
