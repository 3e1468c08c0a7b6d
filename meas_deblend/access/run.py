"""Everything that a run left in its folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from ..exceptions import ModelError
from ..image import MultibandExposure
from ..products import PATCH_INDEX, ModelStore, read_run_record, read_table
from .blend import Blend
from .coadds import reread_coadds
from .models import Models
from .nearest import nearest, nearest_on_sky
from .run_source import RunSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.table import QTable, Table

    from ..products import RunRecord
    from .explanation import Explanation
    from .patch_run import PatchRun

__all__ = ["Run", "open_run"]

_RECORD = "run.json"
_CATALOGS = (
    "objects",
    "parents",
    "ledger",
    "patch_ledger",
    "timings",
    "flux_covariance",
    "noise_correlation",
    "merged_peaks",
    "forced",
)


class Run:
    """A run's folder; each product is read when it is first asked for.

    Parameters
    ----------
    folder : Path
        What the run wrote to.
    coadds : MultibandExposure or mapping of str to path, optional
        The exposure, or where the image files of some bands are now. By default the files of the record.

    Attributes
    ----------
    folder : Path
    record : RunRecord
        Versions, inputs, counts, outcome.

    Raises
    ------
    ModelError
        If the folder holds no readable ``run.json``.
    """

    folder: Path
    record: RunRecord

    def __init__(self, folder: Path, coadds: MultibandExposure | Mapping[str, str | Path] | None = None) -> None:
        self.folder = Path(folder)
        self.record = read_run_record(self.folder / _RECORD)
        self._coadds: MultibandExposure | Mapping[str, str | Path] = {} if coadds is None else coadds

    @cached_property
    def objects(self) -> Table:
        """One row per object (astropy Table with units)."""
        return read_table(self.folder / "objects.parquet")

    def qtable(self, name: str = "objects") -> QTable:
        """Return a catalog as an astropy QTable: columns with a unit are quantities.

        Parameters
        ----------
        name : str
            Which one: "objects", "parents", "ledger", "patch_ledger", "timings", "flux_covariance",
            "noise_correlation", "merged_peaks" or "forced".

        Raises
        ------
        ModelError
            If there is no such catalog.
        """
        from astropy.table import QTable  # noqa: PLC0415 - slow to load, so only where it is used

        if name not in _CATALOGS:
            raise ModelError(f"no catalog {name!r}; there are {', '.join(_CATALOGS)}")
        return QTable(getattr(self, name))

    def write_fits(
        self, path: str | Path, name: str = "objects", columns: Sequence[str] = (), *, overwrite: bool = False
    ) -> Path:
        """Write a catalog as a FITS file; one with more columns than a FITS table holds, as one table per band.

        Parameters
        ----------
        path, columns, overwrite
            See `fits_catalogs.write_fits_catalog`.
        name : str
            As for `qtable`.

        Raises
        ------
        ModelError
            If there is no such catalog.
        InputError
            If the file exists already, no column fits, or FITS cannot hold so many.
        """
        from .fits_catalogs import write_fits_catalog  # noqa: PLC0415 - loads astropy's tables

        if name not in _CATALOGS:
            raise ModelError(f"no catalog {name!r}; there are {', '.join(_CATALOGS)}")
        return write_fits_catalog(path, getattr(self, name), columns, overwrite=overwrite)

    @cached_property
    def parents(self) -> Table:
        """One row per parent, with its outcome and reason."""
        return read_table(self.folder / "parents.parquet")

    @cached_property
    def ledger(self) -> Table:
        """One row per parent and band: data = children + unassigned + masked."""
        return read_table(self.folder / "ledger.parquet")

    @cached_property
    def patch_ledger(self) -> Table:
        """One row per band: image = parents + isolated + sky + masked.

        Raises
        ------
        ModelError
            If the run has none.
        """
        return self._measured("patch_ledger", "an earlier version of the run wrote none")

    @cached_property
    def merged_peaks(self) -> Table:
        """One row per detected peak that is part of a large source.

        Raises
        ------
        ModelError
            If the run has none.
        """
        return self._measured("merged_peaks", "an earlier version of the run wrote none")

    @cached_property
    def timings(self) -> Table:
        """What each step took."""
        return read_table(self.folder / "timings.parquet")

    @cached_property
    def flux_covariance(self) -> Table:
        """One row per parent, band and pair of objects that share light or noise: covariances of their fluxes.

        Raises
        ------
        ModelError
            If the run has none.
        """
        return self._measured("flux_covariance", "an earlier version of the run wrote none: measure it again")

    @cached_property
    def noise_correlation(self) -> Table:
        """Autocorrelation of the noise, one row per band and lag.

        Raises
        ------
        ModelError
            If the run has none.
        """
        return self._measured("noise_correlation", "an earlier version of the run wrote none: measure it again")

    @cached_property
    def forced(self) -> Table:
        """One row per position of another catalog that was measured at.

        Raises
        ------
        ModelError
            If nothing was measured at given positions.
        """
        return self._measured("forced", "meas-deblend measure --sources writes it")

    def _measured(self, name: str, hint: str) -> Table:
        file = self.folder / f"{name}.parquet"
        if not file.is_file():
            raise ModelError(f"{file} is not there: {hint}")
        return read_table(file)

    @cached_property
    def models(self) -> Models:
        """All models."""
        return Models(ModelStore(self.folder / "models.parquet"))

    @cached_property
    def coadds(self) -> MultibandExposure:
        """The coadds, read as the run read them.

        Raises
        ------
        ModelError
            If a file is not there any more or has another content than the run read.
        """
        given = self._coadds
        return given if isinstance(given, MultibandExposure) else reread_coadds(self.record, given)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Resolved settings by label.

        Raises
        ------
        ModelError
            If the folder of the settings is gone.
        """
        folder = self.folder / self.record.config
        if not folder.is_dir():
            raise ModelError(f"the run's settings are not at {folder} any more")
        files = sorted(folder.glob("*.yaml"))
        return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}

    def source(self, object_id: int) -> RunSource:
        """One object, deblended or isolated.

        Raises
        ------
        ModelError
            If there is no such object; the message says which there are.
        """
        found = self.models.source(object_id)
        return RunSource(found.id, found.parent, found.metadata, self)

    def blend(self, parent_id: int) -> Blend:
        """One parent with all its objects; for an isolated object its own identifier."""
        return self.models.blend(parent_id)

    def at(self, ra: float, dec: float, radius: float = 1.0) -> RunSource:
        """Find the object nearest to a position on the sky.

        Parameters
        ----------
        ra, dec : float
            ICRS, degrees.
        radius : float
            Largest distance, arcseconds.

        Raises
        ------
        ModelError
            If there is no object within the radius (the message tells the distance of the nearest), or the coadds
            have no WCS.
        """
        table = self.objects
        known = np.isfinite(table["coord_ra"]) & np.isfinite(table["coord_dec"])
        if len(table) and not known.any():
            raise ModelError("the coadds of this run have no WCS, so there are no sky positions: use at_pixel(y, x)")
        return self.source(nearest_on_sky(table, (ra, dec), radius))

    def at_pixel(self, y: float, x: float, radius: float = 5.0) -> RunSource:
        """Find the object nearest to a pixel position.

        Parameters
        ----------
        y, x : float
            0-based; the centre of the first pixel is (0, 0).
        radius : float
            Largest distance, pixels.

        Raises
        ------
        ModelError
            If there is no object within the radius; the message tells the distance of the nearest.
        """
        table = self.objects
        distance = np.hypot(np.asarray(table["y"]) - y, np.asarray(table["x"]) - x)
        row = nearest(distance, radius, f"(y, x) = ({y:g}, {x:g})", " px")
        return self.source(int(table["objectId"][row]))

    def explain(self, identifier: int) -> Explanation:
        """Tell the story of an object or a parent: ``print(run.explain(17))``.

        Parameters
        ----------
        identifier : int
            Of an object or a parent.

        Returns
        -------
        Explanation
            ``facts``, ``sentences``, and lines of ``python`` that look at it.

        Raises
        ------
        ModelError
            If the run has neither; the message tells what there is near it.
        """
        from .explanation import explain  # noqa: PLC0415 - loads measurements

        return explain(self, identifier)

    def row_number(self, object_id: int) -> int:
        """Row of an object in the objects table.

        Raises
        ------
        ModelError
            If it has none.
        """
        rows = np.flatnonzero(np.asarray(self.objects["objectId"]) == object_id)
        if rows.size != 1:
            raise ModelError(f"object {object_id} has {rows.size} rows in {self.folder / 'objects.parquet'}, not one")
        return int(rows[0])

    def __repr__(self) -> str:
        bands = ", ".join(entry.band for entry in self.record.inputs)
        return f"<Run {self.folder}: {self.record.outcome}, {self.record.created:%Y-%m-%d}, bands {bands}>"


def open_run(folder: str | Path, coadds: MultibandExposure | Mapping[str, str | Path] | None = None) -> Run | PatchRun:
    """Open the folder that a run wrote, on one patch or on many.

    Parameters
    ----------
    folder : path
        It holds ``run.json``, or ``patches.json``.
    coadds : MultibandExposure or mapping of str to path, optional
        The exposure, or where the image files of some bands are now. By default the files of the record. For a run on
        one patch.

    Raises
    ------
    ModelError
        If the folder holds neither, or it cannot be read; or there are many patches, and coadds are given.
    """
    path = Path(folder)
    if not (path / PATCH_INDEX).is_file():
        return Run(path, coadds)
    from .patch_run import PatchRun  # noqa: PLC0415 - it is made of runs

    if coadds is not None:
        raise ModelError(f"{path} is a run of many patches: give the coadds of one, open_run(folder / patch, coadds)")
    return PatchRun(path)
