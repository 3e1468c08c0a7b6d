"""Parents in files, every bit of them: what a checkpoint keeps of detection and of deconvolution."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from meas_deblend.detect import Detections
from meas_deblend.exceptions import CorruptModelError
from meas_deblend.framework import atomic_write
from meas_deblend.geometry import Box, Footprint, Image, Parent, Peak

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DetectionFiles", "ParentFiles"]

Arrays = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ParentFiles:
    """Parents, with their blends and their parts of the deconvolved image, in an npz file: the one result of a task."""

    suffix = ".npz"

    def write(self, path: Path, results: Sequence[tuple[Parent, ...]]) -> None:
        """Write a file, whole or not at all."""
        (parents,) = results
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **_parent_arrays(parents))

    def read(self, path: Path) -> Mapping[int, tuple[Parent, ...]]:
        """Read a file.

        Raises
        ------
        CorruptModelError
            If it is damaged.
        """
        return {0: _read(path, _parents)}


@dataclass(frozen=True, slots=True)
class DetectionFiles:
    """What was detected, in an npz file: the one result of a task."""

    suffix = ".npz"

    def write(self, path: Path, results: Sequence[Detections]) -> None:
        """Write a file, whole or not at all.

        Raises
        ------
        ValueError
            If peaks have been merged into others: that is done behind what is kept.
        """
        (found,) = results
        if found.merged:
            raise ValueError("detections with merged peaks are not kept")
        bands = [found.footprint_bands.get(parent.id, ()) for parent in found.parents]
        arrays = _parent_arrays(found.parents) | _peak_arrays(found.rejected, "rejected")
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, footprint_bands=_text(bands), **arrays)

    def read(self, path: Path) -> Mapping[int, Detections]:
        """Read a file.

        Raises
        ------
        CorruptModelError
            If it is damaged.
        """
        return {0: _read(path, _detections)}


def _read(path: Path, take: Any) -> Any:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return take(arrays)
    except (OSError, ValueError, KeyError, EOFError, IndexError, BadZipFile) as error:
        raise CorruptModelError(f"{path} is damaged: {error}") from error


def _detections(arrays: Any) -> Detections:
    parents = _parents(arrays)
    bands = dict(zip((parent.id for parent in parents), map(tuple, _of_text(arrays["footprint_bands"])), strict=True))
    return Detections(parents, MappingProxyType(bands), tuple(_peaks(arrays, "rejected")))


def _parent_arrays(parents: Sequence[Parent]) -> Arrays:
    """Arrays of the fields of parents.

    Raises
    ------
    ValueError
        If a parent has seeds: no task whose parents are kept gives it any.
    """
    if any(parent.seeds is not None for parent in parents):
        raise ValueError("parents with seeds are not kept")
    images = [parent.detect_image for parent in parents]
    pixels = [image.array.ravel() for image in images if image is not None]
    sigmas = [np.nan if parent.detect_sigma is None else parent.detect_sigma for parent in parents]
    return {
        "id": np.array([parent.id for parent in parents], dtype=np.int64),
        "selected": np.array([parent.selected for parent in parents], dtype=bool),
        "sigma": np.array(sigmas, dtype=np.float64),
        "blends": np.array([len(parent.blends) for parent in parents], dtype=np.int64),
        "has_image": np.array([image is not None for image in images], dtype=bool),
        "image.box": _boxes(image.box for image in images if image is not None),
        "image.pixels": np.concatenate(pixels) if pixels else np.zeros(0, dtype=np.float32),
        **_footprint_arrays([parent.footprint for parent in parents], "whole"),
        **_footprint_arrays([blend for parent in parents for blend in parent.blends], "blend"),
    }


def _parents(arrays: Any) -> tuple[Parent, ...]:
    wholes, blends = _footprints(arrays, "whole"), _footprints(arrays, "blend")
    images = _images(arrays)
    fields = (arrays[name].tolist() for name in ("id", "selected", "sigma", "blends", "has_image"))
    return tuple(
        Parent(
            identifier,
            next(wholes),
            tuple(next(blends) for _ in range(count)),
            next(images) if has_image else None,
            detect_sigma=None if np.isnan(sigma) else sigma,
            selected=selected,
        )
        for identifier, selected, sigma, count, has_image in zip(*fields, strict=True)
    )


def _images(arrays: Any) -> Iterator[Image]:
    boxes, pixels = _of_boxes(arrays["image.box"]), arrays["image.pixels"]
    for box, part in zip(boxes, _parts(pixels, [box.area for box in boxes]), strict=True):
        yield Image(part.reshape(box.shape).copy(), box)


def _footprint_arrays(footprints: Sequence[Footprint], name: str) -> Arrays:
    masks = [footprint.mask.ravel() for footprint in footprints]
    peaks = [peak for footprint in footprints for peak in footprint.peaks]
    return {
        f"{name}.box": _boxes(footprint.box for footprint in footprints),
        f"{name}.mask": np.packbits(np.concatenate(masks) if masks else np.zeros(0, dtype=bool)),
        f"{name}.peaks": np.array([len(footprint.peaks) for footprint in footprints], dtype=np.int64),
        **_peak_arrays(peaks, f"{name}.peak"),
    }


def _footprints(arrays: Any, name: str) -> Iterator[Footprint]:
    boxes, peaks = _of_boxes(arrays[f"{name}.box"]), _peaks(arrays, f"{name}.peak")
    areas = [box.area for box in boxes]
    masks = np.unpackbits(arrays[f"{name}.mask"], count=sum(areas)).view(np.bool_)
    counts = arrays[f"{name}.peaks"].tolist()
    for box, mask, count in zip(boxes, _parts(masks, areas), counts, strict=True):
        yield Footprint(box, mask.reshape(box.shape).copy(), tuple(next(peaks) for _ in range(count)))


def _peak_arrays(peaks: Sequence[Peak], name: str) -> Arrays:
    places = [(np.nan, np.nan) if peak.position is None else peak.position for peak in peaks]
    return {
        f"{name}.pixel": np.array([(peak.id, peak.y, peak.x) for peak in peaks], dtype=np.int64).reshape(-1, 3),
        f"{name}.value": np.array([peak.value for peak in peaks], dtype=np.float64),
        f"{name}.position": np.array(places, dtype=np.float64).reshape(-1, 2),
        f"{name}.text": _text([[peak.bands, peak.name] for peak in peaks]),
    }


def _peaks(arrays: Any, name: str) -> Iterator[Peak]:
    fields = (arrays[f"{name}.{field}"].tolist() for field in ("pixel", "value", "position"))
    texts = _of_text(arrays[f"{name}.text"])
    for (number, row, column), value, (y, x), (bands, text) in zip(*fields, texts, strict=True):
        yield Peak(number, row, column, value, tuple(bands), None if np.isnan(y) else (y, x), text)


def _boxes(boxes: Iterable[Box]) -> NDArray[np.int64]:
    return np.array([(*box.origin, *box.shape) for box in boxes], dtype=np.int64).reshape(-1, 4)


def _of_boxes(array: NDArray[np.int64]) -> list[Box]:
    return [Box((y, x), (height, width)) for y, x, height, width in array.tolist()]


def _parts(array: NDArray[Any], lengths: Sequence[int]) -> list[NDArray[Any]]:
    """Cut an array into parts of these lengths."""
    return np.split(array, np.cumsum(lengths[:-1], dtype=np.int64)) if lengths else []


def _text(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def _of_text(array: NDArray[np.uint8]) -> Any:
    return json.loads(array.tobytes())
