"""One blend or one isolated source of such a file → a parent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...geometry import Box, Footprint, Peak
from ...models import BlendModel, ParentModel, SourceModel
from .extras import extras_of, read_blend_extras, read_parent_extras, read_peaks
from .node import Node, identifier
from .parts import check_version, metadata_array, read_box, read_shape, read_source
from .shared import band_order, metadata_of, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .shared import Shared

__all__ = ["MOST_PIXELS", "read_parent"]

MOST_PIXELS = 1 << 28
"""Pixels of all footprints of a file that no list of spans limits: some ten times those of a patch."""

_DEBLENDER = "scarlet"
_NO_SPANS = "the file holds no spans of the footprint: it is taken to be the whole box"


def read_parent(number: int, node: Node, shared: Shared) -> tuple[ParentModel, int]:
    """One parent, and the number of its pixels that no list of spans limits.

    Raises
    ------
    ModelError
        If it makes no parent.
    """
    if node.get("source_type") is not None:
        node["source_type"].text(("isolated",))
        return _read_isolated(number, node, shared), 0
    kind = node.get("blend_type")
    hierarchical = kind is not None and kind.text(("blend", "hierarchical")) == "hierarchical"
    check_version(node, ("1.0.0",))
    children = [(identifier(k, c), c) for k, c in node["children"].items()] if hierarchical else [(number, node)]
    view = view_of((node, *(child for _, child in children)), shared)
    blends = [_read_blend(key, child, (child, node), shared, view.psfs) for key, child in children]
    extras = extras_of(node)
    peaks, placed = _with_peaks(blends, read_peaks(extras), node)
    footprint, boxed = _footprint(node, blends, peaks)
    parent = ParentModel(number, footprint, placed, view.psfs, shared.model_psf, _DEBLENDER, message=view.message)
    about = {"warnings": (_NO_SPANS,) if boxed else (), **read_parent_extras(extras)}
    return replace(parent, **about), boxed


def _footprint(node: Node, blends: Sequence[BlendModel], peaks: tuple[Peak, ...]) -> tuple[Footprint, int]:
    """Footprint of a blend, and its pixels if it is only a box."""
    spans = metadata_array(metadata_of(node), "spans", 2, bool)
    if spans is not None:
        return Footprint(read_box(metadata_of(node), (spans.shape[0], spans.shape[1])), spans, peaks), 0
    box = Box((0, 0), (0, 0))
    for blend in blends:
        box |= blend.box
    if box.area > MOST_PIXELS:
        raise node.error(f"has no spans, and its box of {box.area} pixels is larger than any image")
    return Footprint.from_box(box, peaks), box.area


def _read_isolated(number: int, node: Node, shared: Shared) -> ParentModel:
    check_version(node, ("1.0.0",))
    shape = read_shape(node["shape"], 2)
    box = read_box(node, (shape[0], shape[1]))
    mask = node["span_array"].array((shape[0], shape[1])) != 0
    y, x = node["peak"].position()
    extras = extras_of(node)
    pixel = round(y), round(x)
    peak = Peak(0, *pixel, position=None if (y, x) == pixel else (y, x))
    psfs = view_of((node,), shared).psfs
    blend = BlendModel(number, box, (SourceModel(number, peak, ()),))
    peaks: tuple[Peak, ...] = (peak,)
    kept = None if extras is None else extras.get("blend")
    if kept is not None:
        found = _read_blend(number, kept, (node,), shared, psfs)
        peaks, (blend,) = _with_peaks([found], read_peaks(extras), node)
    parent = ParentModel(number, Footprint(box, mask, peaks), (blend,), psfs, shared.model_psf, _DEBLENDER)
    return replace(parent, **read_parent_extras(extras))


def _read_blend(number: int, node: Node, around: tuple[Node, ...], shared: Shared, psfs: NDArray[Any]) -> BlendModel:
    """Read a blend; ``around`` are the nodes that may tell the order of its bands, ``psfs`` its parent's."""
    order = band_order(around, shared)
    kind = node.get("blend_type")
    if kind is not None:
        kind.text(("blend",))
    check_version(node, ("1.0.0",))
    shape = read_shape(node["shape"], 2)
    box = read_box(node, (shape[0], shape[1]))
    read = [(key, *read_source(key, entry, order, box)) for key, entry in node["sources"].items()]
    # Keys that only count the sources are no identifiers: they get some at the end.
    counted = [key for key, _, named in read if not named] == [str(k) for k in range(len(read))]
    sources = tuple(replace(source, id=-1) if counted else source for _, source, _ in read)
    about = {"psfs": _own_psfs(node, shared, psfs), **read_blend_extras(extras_of(node))}
    return BlendModel(**{"id": number, "box": box, "sources": sources, **about})


def _own_psfs(node: Node, shared: Shared, psfs: NDArray[Any]) -> NDArray[Any] | None:
    """PSFs that stand beside a blend, if they are not those of its parent."""
    if node.get("psf") is None and metadata_of(node).get("psf") is None:
        return None
    own = view_of((node,), shared).psfs
    return None if np.array_equal(own, psfs, equal_nan=True) else own


def _with_peaks(
    blends: Sequence[BlendModel], told: tuple[Peak, ...] | None, node: Node
) -> tuple[tuple[Peak, ...], tuple[BlendModel, ...]]:
    """Give each source its peak: as it is told, else with its number in the file if all have one, else counted."""
    numbers = [source.peak.id for blend in blends for source in blend.sources]
    good = len(set(numbers)) == len(numbers) and min(numbers, default=0) >= 0
    known = {peak.id: peak for peak in told or ()}
    if told is not None and sorted(numbers) != sorted(peak.id for peak in told):
        raise node.error("has not one source for each of its peaks")
    peaks: list[Peak] = []
    out = []
    for blend in blends:
        sources = []
        for source in blend.sources:
            peak = known.get(source.peak.id, source.peak if good else replace(source.peak, id=len(peaks)))
            peaks.append(peak)
            sources.append(replace(source, peak=peak))
        out.append(replace(blend, sources=tuple(sources)))
    return (tuple(peaks) if told is None else told), tuple(out)
