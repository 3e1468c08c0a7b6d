"""Boxes, arrays in metadata, components and sources of such files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...exceptions import ModelError
from ...geometry import Box, Peak
from ...models import FactorizedComponent, SourceModel
from .extras import extras_of, read_fits, read_labels
from .node import COORDINATE_LIMIT, IDENTIFIER_LIMIT, Node, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

__all__ = ["check_version", "metadata_array", "odd_stamp", "read_box", "read_components", "read_shape", "read_source"]

# No image is as large; a box beyond it would cost memory as soon as somebody draws on it.
_LONGEST_SIDE = 1 << 16
_COMPONENTS = ("factorized", "cube", "component")


def check_version(node: Node, known: tuple[str, ...]) -> str:
    """Version of an object; "" if it has none.

    Raises
    ------
    ModelError
        If it is not one of ``known``.
    """
    found = node.get("version")
    if found is None:
        return ""
    if found.text() not in known:
        raise ModelError(
            found.about(f"is {found.text()[:40]!r}; this release of meas_deblend reads {', '.join(known)}")
        )
    return found.text()


def read_box(node: Node, shape: tuple[int, int]) -> Box:
    """Box of a shape that is known, at the ``origin`` of an object."""
    y, x = node["origin"].integers(2, -COORDINATE_LIMIT + _LONGEST_SIDE, COORDINATE_LIMIT - _LONGEST_SIDE)
    return Box((y, x), shape)


def read_shape(node: Node, count: int) -> tuple[int, ...]:
    """Read a list of ``count`` sides."""
    return node.integers(count, 0, _LONGEST_SIDE)


def metadata_array(metadata: Node, key: str, dimensions: int, dtype: DTypeLike = np.float32) -> NDArray[Any] | None:
    """Array of the metadata, kept as a flat list beside its shape; None without."""
    values = metadata.get(key)
    if values is None:
        return None
    shape = metadata.get(f"{key}_shape", f"{key}Shape")
    if shape is None:
        raise values.error(f"has no shape: there is no {key}_shape")
    stored = metadata.get(f"{key}_dtype")
    if dtype is not bool and stored is not None:
        dtype = stored.text(("float32", "float64"))
    return values.array(read_shape(shape, dimensions), dtype)


def odd_stamp(psf: NDArray[Any]) -> NDArray[Any]:
    """PSF (…, y, x) with odd sides: the middle of n pixels is pixel n // 2, which a row of zeros behind it leaves."""
    pad = [(0, 0)] * (psf.ndim - 2) + [(0, 1 - side % 2) for side in psf.shape[-2:]]
    return np.pad(psf, pad)


def read_source(key: str, node: Node, order: NDArray[np.intp], box: Box) -> tuple[SourceModel, bool]:
    """One source of a blend.

    Parameters
    ----------
    key : str
        Its key in the blend: its identifier, or its number.
    node : Node
        The source.
    order : int array (band,)
        Where the bands of the store are among those of the file.
    box : Box
        Of the blend: in its middle is the peak of a source without components, until the parent's peaks are known.

    Returns
    -------
    SourceModel
        Its peak has the number that the file gives, or −1.
    bool
        Whether the file names its identifier; if not, the key stands in.
    """
    kind = node.get("source_type")
    if kind is not None:
        kind.text(("source",))
    check_version(node, ("1.0.0",))
    metadata = node.get("metadata")
    about: Mapping[str, Node | None] = {
        name: node.get(name) or (None if metadata is None else metadata.get(name)) for name in ("id", "peak_id")
    }
    named = about["id"]
    number = identifier(key, node) if named is None else named.integer(0, IDENTIFIER_LIMIT)
    # Up to 2025 all components stood in a list "factorized", beside an empty list of others.
    groups = [node.get("components"), node.get("factorized")]
    entries = [entry for group in groups if group is not None for entry in group.entries()]
    pixel = _read_pixel(entries[0]["peak"]) if entries else (round(box.center[0]), round(box.center[1]))
    extras = extras_of(node)
    empty = extras is not None and extras.get("empty") is not None
    components = () if empty else tuple(c for entry in entries for c in read_components(entry, order))
    peak_id = about["peak_id"]
    peak = Peak(-1 if peak_id is None else peak_id.integer(-IDENTIFIER_LIMIT, IDENTIFIER_LIMIT), *pixel)
    flags = None if extras is None else extras.get("flags")
    names = frozenset(() if flags is None else flags.texts())
    if not components and extras is None:
        names = frozenset({"deblend_noModel"})
    return SourceModel(number, peak, components, names, read_fits(extras), *read_labels(extras)), named is not None


def read_components(node: Node, order: NDArray[np.intp]) -> tuple[FactorizedComponent, ...]:
    """One component; a cube becomes one component for each band in which it is not 0, which is the same model."""
    check_version(node, ("1.0.0",))
    kind = node.get("component_type")
    if kind is None or kind.text(_COMPONENTS) == "factorized":
        shape = read_shape(node["shape"], 2)
        box = read_box(node, (shape[0], shape[1]))
        return (FactorizedComponent(box, node["spectrum"].array((len(order),))[order], node["morph"].array(shape)),)
    bands, h, w = read_shape(node["shape"], 3)
    if bands != len(order):
        raise node["shape"].error(f"is of {bands} bands; there are {len(order)}")
    box = read_box(node, (h, w))
    cube = node["model"].array((bands, h, w))[order]
    return tuple(
        FactorizedComponent(box, np.eye(bands, dtype=np.float32)[k], np.ascontiguousarray(plane))
        for k, plane in enumerate(cube)
        if plane.any() or (k == 0 and not cube.any())
    )


def _read_pixel(node: Node) -> tuple[int, int]:
    y, x = node.integers(2, -COORDINATE_LIMIT, COORDINATE_LIMIT)
    return y, x
