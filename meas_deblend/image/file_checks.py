"""Whether the files of coadds are there and are FITS, before anything takes long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .fits_io import open_fits, split_selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .planes import PlaneSpec

__all__ = ["check_files"]


def check_files(planes: Mapping[str, PlaneSpec]) -> None:
    """Open the files of images, noise and masks, and look at their headers; pixels are not read.

    PSFs are left to `read_coadds`: some are no files.

    Parameters
    ----------
    planes : mapping of str to PlaneSpec
        Files by band.

    Raises
    ------
    InputError
        If one is missing, is not FITS, or holds no image.
    """
    for spec in planes.values():
        for given in (spec.image, spec.variance, spec.sigma, spec.weight, spec.mask):
            if not isinstance(given, (str, Path)):
                continue
            path, selector = split_selector(given)
            with open_fits(path) as file:
                file.need_images()
                if selector is not None:
                    file.select(selector)
