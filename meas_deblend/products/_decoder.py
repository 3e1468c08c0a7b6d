"""Parents of a row group from its columns, many at a time: arrays are checked and cut as a whole, not one by one.

`_records` reads the same rows one by one, from dictionaries: it is some ten times slower, reads everything that may be
read, and says what is wrong with the rest. What stands here reads what this package writes, and gives up on all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..geometry import Footprint
from ..models import BlendModel, ParentModel, SourceModel, TemplateComponent
from ._decoded_parts import decoded_components, decoded_covariances, decoded_fits, decoded_peaks
from ._flat import Bytes, Lists, UnusualError, numbers, present, strings, tuples
from ._frames import boxed, boxes_of, masks_of
from ._records import check_extent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from ..geometry import Peak
    from ..models import AnyComponent

__all__ = ["GroupDecoder"]

_MOST_BYTES = 32 << 20
"""Largest pixels and masks of rows that are decoded in one go."""

_NO_FLAGS: frozenset[str] = frozenset()


class GroupDecoder:
    """A row group of parents.

    Parameters
    ----------
    table : Table
        All columns of parents.
    n_bands : int
        Number of bands of the store.

    Raises
    ------
    UnusualError
        If there are nulls where this package writes none.
    """

    def __init__(self, table: pa.Table, n_bands: int) -> None:
        self._columns = {name: _single(table, name) for name in table.column_names}
        self._n_bands = n_bands
        self._footprints = present(self._columns["footprint"])
        self._peaks = Lists.of(self._footprints.field("peaks"))
        self._blends = Lists.of(self._columns["blends"])
        self._sources = Lists.of(present(self._blends.values).field("sources"))
        self._components = Lists.of(present(self._sources.values).field("components"))
        present(self._components.values)

    def parents(self, first: int, stop: int, psfs: Callable[[tuple[str, ...]], NDArray[Any]]) -> list[ParentModel]:
        """Parents of some rows.

        Parameters
        ----------
        first, stop : int
            Rows of the group, half-open.
        psfs : callable
            Takes keys to the stack (key, y, x) of their PSFs.

        Raises
        ------
        UnusualError
            If one of the rows is not as this package writes it.
        CorruptModelError, ValueError, KeyError, IndexError
            If one of the rows makes no sense.
        """
        return [parent for a, b in self._portions(first, stop) for parent in self._portion(a, b, psfs)]

    def _portions(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Cut rows into ranges whose arrays take bounded memory."""
        components = self._components.offsets[self._sources.offsets[self._blends.offsets[first : stop + 1]]]
        support = Bytes.of(self._components.values.field("pixels").field("support")).offsets[components]
        sides = boxes_of(self._footprints.field("box"), first, stop)[:, 2:]
        # One bit of the support is one value, of eight bytes at most.
        sizes = (np.diff(support.astype(np.int64)) * 64 + sides[:, 0] * sides[:, 1]).tolist()
        start, total = first, 0
        for row, size in enumerate(sizes, first):
            if size > _MOST_BYTES:
                raise UnusualError
            if total + size > _MOST_BYTES:
                yield start, row
                start, total = row, 0
            total += size
        yield start, stop

    def _portion(self, first: int, stop: int, psfs: Callable[[tuple[str, ...]], NDArray[Any]]) -> Iterator[ParentModel]:
        columns, footprints = self._columns, self._read_footprints(first, stop)
        floors = numbers(present(columns["kernel_floor"]), np.float64)[first:stop]
        if not np.isfinite(floors).all():
            raise UnusualError
        keys = columns["model_psf"].slice(first, stop - first).to_pylist()
        models = [None if key is None else psfs((key,))[0] for key in keys]
        stacks = [psfs(keys) for keys in tuples(columns["psfs"], first, stop)]
        if any(stack.ndim != 3 or len(stack) != self._n_bands for stack in stacks):
            raise UnusualError
        return map(
            ParentModel,
            numbers(present(columns["id"]), np.int64)[first:stop].tolist(),
            footprints,
            self._read_blends(first, stop, footprints, [model is not None for model in models], psfs),
            stacks,
            models,
            *(strings(columns[name], first, stop) for name in ("deblender", "outcome", "reason", "message")),
            tuples(columns["warnings"], first, stop),
            floors.tolist(),
        )

    def _read_footprints(self, first: int, stop: int) -> list[Footprint]:
        start, end = self._peaks.bounds(first, stop)
        peaks = self._peaks.cut(first, stop, decoded_peaks(present(self._peaks.values), start, end))
        boxes, spans = boxes_of(self._footprints.field("box"), first, stop), present(self._footprints.field("spans"))
        masks = masks_of([spans.field(name) for name in ("y", "x_first", "x_stop")], boxes, first)
        return list(map(Footprint, boxed(boxes), masks, peaks))

    def _read_blends(
        self,
        first: int,
        stop: int,
        footprints: list[Footprint],
        with_model_psf: list[bool],
        psfs: Callable[[tuple[str, ...]], NDArray[Any]],
    ) -> list[tuple[BlendModel, ...]]:
        start, end = self._blends.bounds(first, stop)
        a, b = self._sources.bounds(start, end)
        struct = present(self._sources.values)
        held = Lists(self._sources.offsets[self._blends.offsets[first : stop + 1]], struct)  # of each parent
        wanted = held.cut(0, stop - first, numbers(present(struct.field("peak")), np.int64)[a:b].tolist())
        components = self._read_components(a, b)
        sources = list(
            map(
                SourceModel,
                numbers(present(struct.field("id")), np.int64)[a:b].tolist(),
                [peak for footprint, ids in zip(footprints, wanted, strict=True) for peak in _named(footprint, ids)],
                components,
                [frozenset(flags) if flags else _NO_FLAGS for flags in tuples(struct.field("flags"), a, b)],
                decoded_fits(Lists.of(struct.field("psf_fits")), a, b, self._n_bands),
                *(strings(struct.field(name), a, b) for name in ("rung", "reason")),
            )
        )
        if (self._components.lengths(a, b) > 1).any():
            check_extent(sources)
        if not all(with_model_psf):
            _check_templates(held.cut(0, stop - first, sources), with_model_psf)
        own = [psfs(keys) if keys else None for keys in tuples(self._blends.values.field("psfs"), start, end)]
        if any(stack is not None and (stack.ndim != 3 or len(stack) != self._n_bands) for stack in own):
            raise UnusualError
        return self._blends.cut(first, stop, self._join_blends(start, end, self._sources.cut(start, end, sources), own))

    def _join_blends(
        self, first: int, stop: int, sources: list[tuple[SourceModel, ...]], psfs: list[NDArray[Any] | None]
    ) -> list[BlendModel]:
        struct, part = self._blends.values, slice(first, stop)
        return list(
            map(
                BlendModel,
                numbers(present(struct.field("id")), np.int64)[part].tolist(),
                boxed(boxes_of(struct.field("box"), first, stop)),
                sources,
                numbers(present(struct.field("iterations")), np.int64)[part].tolist(),
                numbers(present(struct.field("log_likelihood")), np.float64)[part].tolist(),
                strings(struct.field("stop_reason"), first, stop),
                decoded_covariances(
                    struct.field("flux_covariance"), first, [(self._n_bands, len(own), len(own)) for own in sources]
                ),
                psfs,
            )
        )

    def _read_components(self, first: int, stop: int) -> list[tuple[AnyComponent, ...]]:
        start, end = self._components.bounds(first, stop)
        flat = decoded_components(self._components.values, start, end, self._n_bands)
        return self._components.cut(first, stop, flat)


def _single(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _named(footprint: Footprint, ids: tuple[int, ...]) -> list[Peak]:
    """Peaks of a footprint by their ids; each must be asked for once."""
    peaks = {peak.id: peak for peak in footprint.peaks}
    if not len(ids) == len(peaks) == len(footprint.peaks) or peaks.keys() != set(ids):
        raise UnusualError
    return [peaks[one] for one in ids]


def _check_templates(sources: list[tuple[SourceModel, ...]], with_model_psf: list[bool]) -> None:
    """Only templates can do without a model PSF."""
    for own in (own for own, there in zip(sources, with_model_psf, strict=True) if not there):
        if any(not isinstance(component, TemplateComponent) for source in own for component in source.components):
            raise UnusualError
