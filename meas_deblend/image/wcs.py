"""World coordinates: the only place where FITS order (x, y) and (ra, dec) meet this package's (y, x)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["CelestialGrid", "grid_offset", "pixel_scale_of", "pixel_to_sky", "sky_to_pixel", "wcs_from_header"]


def wcs_from_header(header: Any, hdus: Any = None, label: str = "image") -> Any | None:
    """Celestial WCS of an image header; None if it has none.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of the image HDU.
    hdus : astropy.io.fits.HDUList, optional
        File that holds the header; needed for distortions that are kept as tables.
    label : str
        How messages name the image.

    Returns
    -------
    astropy.wcs.WCS or None

    Raises
    ------
    InputError
        If there is a WCS, but not one that can be used.
    """
    from astropy.wcs import WCS  # noqa: PLC0415 - slow to load, so only where it is used

    try:
        wcs = WCS(header, fobj=hdus)
        celestial = wcs.celestial if wcs.has_celestial else None
    except (ValueError, MemoryError) as error:  # wcslib reports an inconsistent header as either
        raise InputError(f"{label}: the WCS in the header cannot be used: {error}") from error
    return celestial


def pixel_to_sky(wcs: Any, y: ArrayLike, x: ArrayLike) -> Any:
    """Sky positions (astropy SkyCoord, in the WCS's own frame) of pixel positions, 0-based."""
    from astropy.wcs.utils import pixel_to_skycoord  # noqa: PLC0415 - slow to load, so only where it is used

    return pixel_to_skycoord(np.asarray(x, float), np.asarray(y, float), wcs, origin=0)


def sky_to_pixel(
    wcs: Any, ra: ArrayLike, dec: ArrayLike, frame: str = "icrs"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel positions ``(y, x)``, 0-based, of sky positions.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        World coordinates of the image.
    ra, dec : array (n,)
        Degrees (longitude and latitude if the frame is not equatorial).
    frame : str
        Name of an astropy frame: "icrs", "fk5", "galactic", …

    Raises
    ------
    InputError
        If there is no such frame.
    """
    from astropy.coordinates import SkyCoord  # noqa: PLC0415 - slow to load, so only where it is used
    from astropy.wcs.utils import skycoord_to_pixel  # noqa: PLC0415 - slow to load, so only where it is used

    try:
        sky = SkyCoord(np.asarray(ra, float), np.asarray(dec, float), unit="deg", frame=frame.lower())
    except ValueError as error:
        raise InputError(f"sky positions in frame {frame!r} cannot be used: {error}") from error
    x, y = skycoord_to_pixel(sky, wcs, origin=0)
    return np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)


@dataclass(frozen=True)
class CelestialGrid:
    """Pixel grid on the sky that is used many times: what `sky_to_pixel` derives from the WCS in each call is kept.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        World coordinates of the image.
    """

    wcs: Any

    @cached_property
    def celestial(self) -> Any:
        """WCS with longitude first and latitude second, and nothing else."""
        from astropy.wcs import WCSSUB_LATITUDE, WCSSUB_LONGITUDE  # noqa: PLC0415 - slow to load

        return self.wcs.sub([WCSSUB_LONGITUDE, WCSSUB_LATITUDE])

    @cached_property
    def frame(self) -> Any:
        """Frame of longitudes and latitudes (astropy)."""
        from astropy.wcs.utils import wcs_to_celestial_frame  # noqa: PLC0415 - slow to load

        return wcs_to_celestial_frame(self.celestial)

    def pixels_on(
        self, other: CelestialGrid, y: ArrayLike, x: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixel positions ``(y, x)``, 0-based, on another grid of pixel positions (n,) on this one."""
        there_x, there_y = other.celestial.all_world2pix(*self._angles(y, x, other.frame), 0)
        return there_y, there_x

    def directions(self, y: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
        """Return unit vectors (n, 3) in the ICRS of pixel positions (n,)."""
        from astropy.coordinates import ICRS  # noqa: PLC0415 - slow to load

        lon, lat = np.radians(self._angles(y, x, ICRS()))
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    def scale(self, shape: tuple[int, int]) -> float:
        """Arcseconds per pixel at the middle of an image, see `pixel_scale_of`."""
        y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        here, above, beside = self.directions([y, y + 1, y], [x, x, x + 1])
        area = np.linalg.norm(np.cross(above - here, beside - here))
        return float(np.degrees(np.sqrt(area)) * 3600)

    def _angles(self, y: ArrayLike, x: ArrayLike, frame: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes (n,) in degrees, in a frame."""
        lon, lat = self.celestial.all_pix2world(np.asarray(x, float), np.asarray(y, float), 0)
        if self.frame.is_equivalent_frame(frame):
            return lon, lat
        from astropy.coordinates import SkyCoord  # noqa: PLC0415 - slow to load

        sky = SkyCoord(lon, lat, unit="deg", frame=self.frame).transform_to(frame).spherical
        return sky.lon.deg, sky.lat.deg


def pixel_scale_of(wcs: Any, shape: tuple[int, int]) -> float:
    """Arcseconds per pixel at the middle of an image of ``shape`` (y, x): root of the pixel's area, with distortion.

    Measured between neighbouring pixels, because the reference pixel of a detector may lie thousands of pixels away.
    """
    return CelestialGrid(wcs).scale(shape)


def grid_offset(first: Any, second: Any, shape: tuple[int, int]) -> float:
    """Largest distance on the sky between equal pixels of two images, over the corners and the middle.

    Parameters
    ----------
    first, second : astropy.wcs.WCS
        World coordinates of the two images.
    shape : tuple of int
        Their common shape (y, x).

    Returns
    -------
    float
        In pixels of ``first``; infinite if a corner has no sky position.
    """
    h, w = shape
    y, x = [0, 0, h - 1, h - 1, (h - 1) / 2], [0, w - 1, 0, w - 1, (w - 1) / 2]
    distance = pixel_to_sky(first, y, x).separation(pixel_to_sky(second, y, x)).arcsec
    largest = float(np.max(distance)) / pixel_scale_of(first, shape)
    return largest if np.isfinite(largest) else float("inf")
