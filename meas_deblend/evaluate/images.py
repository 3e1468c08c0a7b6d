"""Images of all sources of a field: models, or children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from ..geometry import Box, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..geometry import FloatArray
    from .fields import Field

__all__ = ["SourceImages", "models_from_array"]


@dataclass(frozen=True, slots=True, eq=False)
class SourceImages:
    """One image per source, each on its own box.

    Parameters
    ----------
    images : tuple of Image
        Cubes (band, y, x) in the order of the field's sources; an empty box stands for a source without an image.
    frame : Box
        The field's pixels.
    bands : int
    """

    images: tuple[Image, ...]
    frame: Box
    bands: int

    @classmethod
    def nothing(cls, field: Field) -> SourceImages:
        """No image for any source."""
        return cls.of(field, [None] * len(field.x))

    @classmethod
    def of(cls, field: Field, images: Sequence[Image | None]) -> SourceImages:
        """Images of the sources of a field, None for those without one."""
        bands = len(field.setting.bands)
        empty = Image(np.zeros((bands, 0, 0)), Box(field.box.origin, (0, 0)))
        return cls(tuple(empty if image is None else image for image in images), field.box, bands)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> NDArray[np.float64]:
        """Image (band, y, x) of source ``k`` on the frame."""
        return np.asarray(self.images[k].project(self.frame).array, dtype=np.float64)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which sources have an image that is not 0 everywhere (source,)."""
        return np.array([bool(np.any(image.array)) for image in self.images], dtype=bool)

    def total(self) -> NDArray[np.float64]:
        """Sum over the sources (band, y, x) on the frame."""
        out = np.zeros((self.bands, *self.frame.shape))
        for image in self.images:
            here, there = image.box.overlap_slices(self.frame)
            out[(slice(None), *there)] += image.array[(slice(None), *here)]
        return out


def models_from_array(models: FloatArray, field: Field) -> SourceImages:
    """Take models that were made elsewhere.

    Parameters
    ----------
    models : float array (source, band, y, x)
        In the seeing of each band, in the field's pixels, units and order of sources; all 0 for a source that was not
        modelled.
    field : Field

    Returns
    -------
    SourceImages

    Raises
    ------
    InputError
        If the shape is another one (the message says which axes seem to be exchanged), a value is not finite, or
        the models seem to be in another order than the sources.
    """
    expected = field.truth.shape
    if models.shape != expected:
        hint = ""
        if sorted(models.shape) == sorted(expected):
            hint = "; the axes seem to be in another order"
        elif models.ndim == 4 and models.shape[1:] == expected[1:]:
            hint = f"; a source that was not modelled has a model that is 0: {expected[0]} are needed"
        raise InputError(
            f"{field.name}: models must have shape (source, band, y, x) = {expected}, got {models.shape}{hint}"
        )
    if not np.isfinite(models).all():
        wrong = np.flatnonzero(~np.isfinite(models).all(axis=(1, 2, 3)))
        raise InputError(f"{field.name}: models of sources {', '.join(map(str, wrong[:10]))} are not finite")
    _check_order(models, field)
    return SourceImages.of(field, [Image(model, field.box) for model in models])


def _check_order(models: FloatArray, field: Field) -> None:
    """Refuse models most of which look like another source's truth, each like one of its own."""
    flat = models.sum(axis=1, dtype=np.float64).reshape(len(models), -1)
    truth = field.truth.sum(axis=1, dtype=np.float64).reshape(len(models), -1)
    norm = np.sqrt((flat**2).sum(axis=1))[:, None] * np.sqrt((truth**2).sum(axis=1))[None, :]
    cosine = np.divide(flat @ truth.T, norm, out=np.zeros_like(norm), where=norm > 0)
    used = np.flatnonzero(cosine.max(axis=1, initial=0) > 0.5)
    nearest = cosine[used].argmax(axis=1)
    # A deblender may well give one source the light of another; that it exchanges most of them is not credible.
    moved = nearest != used
    if len(used) >= 3 and moved.mean() > 0.5 and len(np.unique(nearest)) > 0.8 * len(used):
        pairs = ", ".join(f"model {k} at source {j}" for k, j in zip(used[moved][:3], nearest[moved][:3], strict=True))
        raise InputError(
            f"{field.name}: the models seem to be in another order than the field's x and y ({pairs}, …); the order "
            "of x and y in the field's file is expected"
        )
