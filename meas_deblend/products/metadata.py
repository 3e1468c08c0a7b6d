"""What a model store says about itself: bands, coordinates, units, provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from astropy.io.fits import Header
from astropy.wcs import WCS

from ..exceptions import CorruptModelError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..image import MultibandExposure

__all__ = ["StoreMetadata"]


@dataclass(frozen=True, slots=True)
class StoreMetadata:
    """What is true of all models of a store.

    Parameters
    ----------
    bands : tuple of str
        Names of the first axis of every cube and spectrum.
    shape : tuple of int
        Height and width of the coadds ``(y, x)``; (0, 0) where it is not known.
    wcs : str
        World coordinates of the pixel grid as a FITS header (80-character cards); "" without.
    zeropoints : tuple of float or None
        AB magnitude of one image unit per band; None where it is not known.
    units : str
        Unit of spectra and templates: that of the pixels.
    provenance : mapping of str to str
        Versions and whatever else identifies the run.
    apportion : mapping of str to bool, int, float or str
        Options (of `apportion.ApportionConfig`) by which the catalog's pixels were shared out, so that they can be
        rebuilt; those that are not given have their defaults.
    pixel_error : float
        Largest relative error of a component's pixel against what was fitted: 0 if every bit was kept, above 0 once
        the models were written in the compact mode.

    Raises
    ------
    InputError
        If no band is named, the number of zero points is not that of the bands, or the error is not 0 … 1.
    """

    bands: tuple[str, ...]
    shape: tuple[int, int] = (0, 0)
    wcs: str = ""
    zeropoints: tuple[float | None, ...] = ()
    units: str = "count"
    provenance: Mapping[str, str] = field(default_factory=dict)
    apportion: Mapping[str, bool | float | str] = field(default_factory=dict)
    pixel_error: float = 0.0

    def __post_init__(self) -> None:
        if not self.bands or len(set(self.bands)) != len(self.bands):
            raise InputError(f"bands must be named once each, and at least one; got {self.bands}")
        if not self.zeropoints:
            object.__setattr__(self, "zeropoints", (None,) * len(self.bands))
        if len(self.zeropoints) != len(self.bands):
            raise InputError(f"{len(self.zeropoints)} zero points for {len(self.bands)} bands")
        if not 0 <= self.pixel_error < 1:
            raise InputError(f"the relative error of pixels must be 0 … 1, got {self.pixel_error}")
        for name in ("provenance", "apportion"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @classmethod
    def from_exposure(
        cls,
        exposure: MultibandExposure,
        provenance: Mapping[str, str] | None = None,
        apportion: Mapping[str, bool | float | str] | None = None,
    ) -> StoreMetadata:
        """Metadata of the models that were made from ``exposure``."""
        return cls(
            bands=exposure.bands,
            shape=exposure.box.shape,
            wcs="" if exposure.wcs is None else exposure.wcs.to_header(relax=True).tostring(),
            zeropoints=exposure.zeropoints,
            units=exposure.units,
            provenance=provenance or {},
            apportion=apportion or {},
        )

    def world_coordinates(self) -> WCS | None:
        """World coordinates as an astropy WCS; None without.

        Raises
        ------
        CorruptModelError
            If the stored header is none.
        """
        if not self.wcs:
            return None
        try:
            # The header comes from a WCS that astropy had already mended.
            return WCS(Header.fromstring(self.wcs), fix=False)
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise CorruptModelError(f"the store's world coordinates are damaged: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Values as JSON knows them."""
        return {
            "bands": list(self.bands),
            "shape": list(self.shape),
            "wcs": self.wcs,
            "zeropoints": list(self.zeropoints),
            "units": self.units,
            "provenance": dict(self.provenance),
            "apportion": dict(self.apportion),
            "pixel_error": self.pixel_error,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], where: str) -> StoreMetadata:
        """Read what `to_dict` gave; other keys are ignored.

        Raises
        ------
        CorruptModelError
            If a key is missing or has a value that makes no sense; ``where`` names the file.
        """
        try:
            return cls(
                bands=_names(stored["bands"]),
                shape=(int(stored["shape"][0]), int(stored["shape"][1])),
                wcs=_text(stored["wcs"]),
                zeropoints=tuple(None if value is None else float(value) for value in stored["zeropoints"]),
                units=_text(stored["units"]),
                provenance=stored["provenance"],
                apportion=stored["apportion"],
                pixel_error=float(stored.get("pixel_error", 0.0)),  # stores before 1.2.0 keep every bit
            )
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise CorruptModelError(f"{where} is damaged: its header lacks or garbles {error}") from error


def _names(stored: Any) -> tuple[str, ...]:
    if not isinstance(stored, list) or not all(isinstance(name, str) for name in stored):
        raise TypeError(f"bands {stored!r}")
    return tuple(stored)


def _text(stored: Any) -> str:
    if not isinstance(stored, str):
        raise TypeError(f"{stored!r} where there must be text")
    return stored
