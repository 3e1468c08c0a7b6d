"""Everything that a run of many patches left in its folder, as one data set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError, ModelError
from ..products import read_patch_index, read_table, unpack_id
from .nearest import nearest_on_sky
from .run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from astropy.table import QTable, Table

    from ..products import PatchEntry, PatchIndex
    from .blend import Blend
    from .explanation import Explanation
    from .run_source import RunSource

__all__ = ["PatchModels", "PatchRun"]

_CATALOGS = ("objects", "parents", "ledger", "patch_ledger", "timings", "flux_covariance", "noise_correlation")
_OF_RUN = ("ownership", "quanta")
_FLAGS = ("detect_isPatchInner", "detect_isTractInner", "detect_isPrimary", "deblend_parentCutAtSeam")


class PatchRun:
    """The folder of a run of many patches; each product is read when it is first asked for.

    Tables of all patches are one below the other, with columns ``tract`` and ``patch`` in front; a column that a patch
    does not have, as for a band that it lacks, is masked there.

    Parameters
    ----------
    folder : Path
        What the run wrote to; it may still be running.

    Attributes
    ----------
    folder : Path
    index : PatchIndex
        Patches, files, settings.

    Raises
    ------
    ModelError
        If the folder holds no readable ``patches.json``.
    """

    folder: Path
    index: PatchIndex

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.index = read_patch_index(self.folder)

    @cached_property
    def patches(self) -> Mapping[str, Run]:
        """Runs of the patches that have products, by name ("9813/4,4"), by tract and number."""
        done = [entry for entry in self.index.patches if (self.folder / entry.folder / "run.json").is_file()]
        return {entry.name: Run(self.folder / entry.folder) for entry in done}

    @cached_property
    def objects(self) -> Table:
        """One row per object of each patch, with the flags of `ownership`.

        Raises
        ------
        ModelError
            If the run has not written who owns them yet.
        """
        table, owned = self._stacked("objects"), self.ownership
        place = {int(identifier): k for k, identifier in enumerate(owned["objectId"])}
        ids = [int(identifier) for identifier in table["objectId"]]
        missing = [identifier for identifier in ids if identifier not in place]
        if missing:
            raise ModelError(
                f"{self.folder / 'ownership.parquet'} does not know object {missing[0]}, nor {len(missing) - 1} others:"
                " the run was stopped after it was written; go on with it, with --resume"
            )
        rows = np.array([place[identifier] for identifier in ids], dtype=np.intp)
        for name in _FLAGS:
            table[name] = owned[name][rows]
            table[name].description = owned[name].description
        return table

    @property
    def primary(self) -> Table:
        """Objects without duplicates: those whose patch owns them."""
        return self.objects[np.asarray(self.objects["detect_isPrimary"])]

    @cached_property
    def parents(self) -> Table:
        """One row per parent of each patch, with its outcome and reason."""
        return self._stacked("parents")

    @cached_property
    def ledger(self) -> Table:
        """One row per parent and band: data = children + unassigned + masked."""
        return self._stacked("ledger")

    @cached_property
    def patch_ledger(self) -> Table:
        """One row per patch and band: image = parents + isolated + sky + masked."""
        return self._stacked("patch_ledger")

    @cached_property
    def timings(self) -> Table:
        """What each step took, in each patch."""
        return self._stacked("timings")

    @cached_property
    def flux_covariance(self) -> Table:
        """One row per parent, band and pair of objects that share light or noise."""
        return self._stacked("flux_covariance")

    @cached_property
    def noise_correlation(self) -> Table:
        """Autocorrelation of the noise, one row per patch, band and lag."""
        return self._stacked("noise_correlation")

    @cached_property
    def ownership(self) -> Table:
        """One row per object: which patch owns it."""
        return self._of_run("ownership")

    @cached_property
    def quanta(self) -> Table:
        """One row per task and patch: what became of it."""
        return self._of_run("quanta")

    def qtable(self, name: str = "objects") -> QTable:
        """Return a catalog as an astropy QTable: columns with a unit are quantities.

        Raises
        ------
        ModelError
            If there is no such catalog.
        """
        from astropy.table import QTable  # noqa: PLC0415 - slow to load, so only where it is used

        return QTable(self._catalog(name))

    def write_fits(
        self, path: str | Path, name: str = "objects", columns: Sequence[str] = (), *, overwrite: bool = False
    ) -> Path:
        """Write a catalog of all patches as a FITS file; see `Run.write_fits`.

        Raises
        ------
        ModelError
            If there is no such catalog.
        InputError
            If the file exists already, no column fits, or FITS cannot hold so many.
        """
        from .fits_catalogs import write_fits_catalog  # noqa: PLC0415 - loads astropy's tables

        return write_fits_catalog(path, self._catalog(name), columns, overwrite=overwrite)

    @cached_property
    def models(self) -> PatchModels:
        """All models, by identifier."""
        return PatchModels(self)

    def patch_of(self, identifier: int) -> Run:
        """Run of the patch that an object or parent belongs to; the identifier says which.

        Raises
        ------
        ModelError
            If it is no identifier, or there is no such patch, or it has no products.
        """
        try:
            tract, number, _ = unpack_id(int(identifier))
        except InputError as error:
            raise ModelError(str(error)) from error
        entry = self._entries.get((tract, number))
        if entry is None or entry.name not in self.patches:
            known = ", ".join(list(self.patches)[:5]) or "none"
            what = "is not of this run" if entry is None else f"{entry.name} has no products"
            raise ModelError(
                f"{identifier} is an identifier of tract {tract}, patch {number}, which {what}; patches with products: "
                f"{known}{', …' if len(self.patches) > 5 else ''}"
            )
        return self.patches[entry.name]

    def source(self, object_id: int) -> RunSource:
        """One object, deblended or isolated.

        Raises
        ------
        ModelError
            If there is no such object; the message says which there are.
        """
        return self.patch_of(object_id).source(object_id)

    def blend(self, parent_id: int) -> Blend:
        """One parent with all its objects; for an isolated object its own identifier."""
        return self.patch_of(parent_id).blend(parent_id)

    def explain(self, identifier: int) -> Explanation:
        """Tell the story of an object or a parent; see `Run.explain`."""
        return self.patch_of(identifier).explain(identifier)

    def at(self, ra: float, dec: float, radius: float = 1.0) -> RunSource:
        """Find the primary object nearest to a position on the sky.

        Parameters
        ----------
        ra, dec : float
            ICRS, degrees.
        radius : float
            Largest distance, arcseconds.

        Raises
        ------
        ModelError
            If there is no primary object within the radius; the message tells the distance of the nearest.
        """
        return self.source(nearest_on_sky(self.primary, (ra, dec), radius))

    @cached_property
    def _entries(self) -> dict[tuple[int, int], PatchEntry]:
        return {(entry.tract, entry.number): entry for entry in self.index.patches}

    def _catalog(self, name: str) -> Table:
        """Table by its name, of the patches or of the run."""
        if name not in (*_CATALOGS, *_OF_RUN):
            raise ModelError(f"no catalog {name!r}; there are {', '.join((*_CATALOGS, *_OF_RUN))}")
        return getattr(self, name)

    def _of_run(self, name: str) -> Table:
        file = self.folder / f"{name}.parquet"
        if not file.is_file():
            raise ModelError(f"{file} is not there: it is written when all patches are done")
        return read_table(file)

    def _stacked(self, name: str) -> Table:
        """Tables of all patches, one below the other."""
        from astropy.table import vstack  # noqa: PLC0415 - slow to load, so only where it is used

        if not self.patches:
            raise ModelError(f"no patch of {self.folder} has products: see meas-deblend status {self.folder}")
        tables = []
        for entry in self.index.patches:
            run = self.patches.get(entry.name)
            if run is not None:
                tables.append(_with_patch(getattr(run, name), entry))
        _check_units(tables, list(self.patches))
        stacked = vstack(tables, join_type="outer", metadata_conflicts="silent")
        bands = dict.fromkeys(band for table in tables for band in table.meta["layout"].bands)
        stacked.meta = {"table": name, "bands": tuple(bands)}
        return stacked

    def __repr__(self) -> str:
        return f"<PatchRun {self.folder}: {len(self.patches)} of {len(self.index.patches)} patches>"


class PatchModels:
    """Models of all patches by identifier; see `Models`.

    Parameters
    ----------
    run : PatchRun
    """

    def __init__(self, run: PatchRun) -> None:
        self._run = run

    @property
    def ids(self) -> tuple[int, ...]:
        """Identifiers of all objects, by patch."""
        return tuple(identifier for run in self._run.patches.values() for identifier in run.models.ids)

    @property
    def parent_ids(self) -> tuple[int, ...]:
        """Identifiers of all parents, those of isolated objects included, by patch."""
        return tuple(identifier for run in self._run.patches.values() for identifier in run.models.parent_ids)

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of all patches; a patch may lack some."""
        return tuple(dict.fromkeys(band for run in self._run.patches.values() for band in run.models.bands))

    def source(self, object_id: int) -> Any:
        """One object, deblended or isolated; see `Models.source`."""
        return self._run.patch_of(object_id).models.source(object_id)

    def blend(self, parent_id: int) -> Blend:
        """One parent with all its objects; see `Models.blend`."""
        return self._run.patch_of(parent_id).models.blend(parent_id)

    def blends(self) -> Iterator[Blend]:
        """All parents, patch by patch, without holding more than one in memory."""
        return (blend for run in self._run.patches.values() for blend in run.models.blends())


def _with_patch(table: Table, entry: PatchEntry) -> Table:
    placed = table.copy(copy_data=False)
    placed.add_column(np.full(len(table), entry.tract, dtype=np.int64), index=0, name="tract")
    placed.add_column(np.full(len(table), entry.patch), index=1, name="patch")
    return placed


def _check_units(tables: list[Table], names: list[str]) -> None:
    """Refuse to put columns of different units below each other."""
    known: dict[str, tuple[Any, str]] = {}
    for table, patch in zip(tables, names, strict=True):
        for name in table.colnames:
            unit, first = known.setdefault(name, (table[name].unit, patch))
            if unit != table[name].unit:
                raise ModelError(
                    f"{name} is in {unit} in patch {first}, and in {table[name].unit} in {patch}: their zero points "
                    "are not known alike; say --zeropoint for all, or read the tables patch by patch"
                )
