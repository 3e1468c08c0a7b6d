"""The parent: what detection hands to a deblender."""

from __future__ import annotations

from dataclasses import dataclass

from .footprint import Footprint
from .image import Image

__all__ = ["Parent"]


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """One detected footprint with its peaks, and what earlier steps found out about it.

    Parameters
    ----------
    id : int
        Unique over a survey (products.ids).
    footprint : Footprint
        Detected pixels; ``footprint.peaks`` in the order in which children are returned.
    blends : tuple of Footprint
        Its deconvolved sub-parents: what is fitted together. Each peak is in exactly one. Empty: not split.
    detect_image : Image, optional
        Deconvolved detection image (y, x) over ``footprint.box``, in the resolution of the model PSF.
    seeds : tuple of Image or None, optional
        Per peak the image (y, x) that its morphology may start from.
    detect_sigma : float, optional
        Standard deviation in pixels of the model PSF in whose resolution ``detect_image`` is.
    selected : bool
        Whether it is to be deblended; if not, it keeps its place, its peaks and its identifier.
    """

    id: int
    footprint: Footprint
    blends: tuple[Footprint, ...] = ()
    detect_image: Image | None = None
    seeds: tuple[Image | None, ...] | None = None
    detect_sigma: float | None = None
    selected: bool = True
