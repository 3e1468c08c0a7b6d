"""Galaxy catalogs in the columns of CatSim, LSST's simulated universe, and the galaxies they describe.

CatSim (Connolly et al. 2010, 2014) gives each galaxy an exponential disc and a de Vaucouleurs bulge with the same
centre, half-light semi-axes in arcsec, and AB magnitudes of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from ..image import table_columns
from .catalog import SimulatedComponent, SimulatedSource
from .profiles import Sersic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .conditions import SurveyConditions

__all__ = ["CATSIM_COLUMNS", "GalaxyCatalog", "disc_and_bulge", "read_catalog"]

#: Columns that a catalog must have, besides one magnitude ``<band>_ab`` per band of the survey.
CATSIM_COLUMNS = (
    "a_d", "b_d", "a_b", "b_b", "pa_disk", "pa_bulge", "fluxnorm_disk", "fluxnorm_bulge", "redshift",
)  # fmt: skip
_MEANING = "a_*, b_*: half-light semi-axes of disc and bulge [arcsec]; pa_*: degrees; <band>_ab: AB magnitudes"


@dataclass(frozen=True, slots=True, eq=False)
class GalaxyCatalog:
    """Galaxies as columns.

    Parameters
    ----------
    columns : mapping of str to float array (n,)
        `CATSIM_COLUMNS` and ``<band>_ab``; more are carried along.
    bands : tuple of str
        Bands whose magnitudes must be there.
    label : str
        How messages name the catalog.

    Raises
    ------
    InputError
        If a column is missing (the message lists those found and expected), has another length than the rest, or is
        not finite or out of range.
    """

    columns: Mapping[str, NDArray[np.float64]]
    bands: tuple[str, ...]
    label: str = "catalog"

    def __post_init__(self) -> None:
        expected = (*CATSIM_COLUMNS, *(f"{b}_ab" for b in self.bands))
        missing = [name for name in expected if name not in self.columns]
        if missing:
            raise InputError(
                f"{self.label}: column{'s' * (len(missing) > 1)} {', '.join(missing)} missing; expected "
                f"{', '.join(expected)} ({_MEANING}); found {', '.join(self.columns) or 'none'}"
            )
        lengths = {len(self.columns[name]) for name in expected}
        if len(lengths) > 1:
            raise InputError(f"{self.label}: columns need one equal length, got {sorted(lengths)}")
        for name in expected:
            self._check(name)
        self._check_light()

    def __len__(self) -> int:
        return len(self.columns["redshift"])

    def _check(self, name: str) -> None:
        values = self.columns[name]
        positive = not name.startswith("pa_") and not name.endswith("_ab")
        wrong = ~np.isfinite(values) | ((values < 0) if positive else False)
        if wrong.any():
            row = int(np.argmax(wrong))
            allowed = "finite and at least 0" if positive else "finite"
            raise InputError(f"{self.label}: column {name} must be {allowed}, but row {row} is {values[row]:.6g}")

    def _check_light(self) -> None:
        for part, axes in (("disk", ("a_d", "b_d")), ("bulge", ("a_b", "b_b"))):
            major, minor = (self.columns[a] for a in axes)
            wrong = (self.columns[f"fluxnorm_{part}"] > 0) & ((minor <= 0) | (minor > major))
            if wrong.any():
                row = int(np.argmax(wrong))
                raise InputError(
                    f"{self.label}: row {row} has light in its {part} but semi-axes {axes[0]} = {major[row]:.6g}, "
                    f"{axes[1]} = {minor[row]:.6g}: expected {axes[0]} ≥ {axes[1]} > 0"
                )
        wrong = self.columns["fluxnorm_disk"] + self.columns["fluxnorm_bulge"] <= 0
        if wrong.any():
            raise InputError(f"{self.label}: row {int(np.argmax(wrong))} has light neither in disc nor bulge")

    def magnitudes(self) -> NDArray[np.float64]:
        """AB magnitudes (n, B)."""
        return np.stack([self.columns[f"{b}_ab"] for b in self.bands], axis=1)

    def bulge_fraction(self) -> NDArray[np.float64]:
        """Share of the bulge in the light (n,)."""
        disc, bulge = self.columns["fluxnorm_disk"], self.columns["fluxnorm_bulge"]
        return np.asarray(bulge / (disc + bulge))

    def ellipse(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Semi-axes a, b [arcsec] and angle [rad, in (−π/2, π/2]] of the larger of bulge and disc, each (n,).

        A part without light does not count.
        """
        c = self.columns
        lit = self.bulge_fraction()
        a_d, a_b = np.where(lit < 1, c["a_d"], 0), np.where(lit > 0, c["a_b"], 0)
        disc = a_d >= a_b
        angle = np.deg2rad(np.where(disc, c["pa_disk"], c["pa_bulge"]))
        a, b = np.where(disc, c["a_d"], c["a_b"]), np.where(disc, c["b_d"], c["b_b"])
        return a, b, np.pi / 2 - np.mod(np.pi / 2 - angle, np.pi)

    def take(self, index: Sequence[int] | NDArray[np.integer[Any]]) -> GalaxyCatalog:
        """Return the galaxies of these rows."""
        rows = np.asarray(index, dtype=np.int64)
        return GalaxyCatalog({k: v[rows] for k, v in self.columns.items()}, self.bands, self.label)


def read_catalog(path: str | Path, bands: Sequence[str]) -> GalaxyCatalog:
    """Read a catalog from a table file (FITS, CSV, ECSV, Parquet).

    Parameters
    ----------
    path : path-like
        File; its format follows from its suffix.
    bands : sequence of str
        Bands whose magnitudes are needed.

    Returns
    -------
    GalaxyCatalog
        Its numeric columns, with names in lower case.

    Raises
    ------
    InputError
        If the file is missing, cannot be read or has no rows, or its columns cannot be used.
    """
    table, label = table_columns(path, "catalog")
    numbers = {name: v.astype(np.float64) for name, v in table.items() if v.ndim == 1 and v.dtype.kind in "fiu"}
    catalog = GalaxyCatalog(numbers, tuple(bands), label)
    if len(catalog) == 0:
        raise InputError(f"{label} has no rows")
    return catalog


def disc_and_bulge(
    catalog: GalaxyCatalog, row: int, conditions: SurveyConditions, center: tuple[float, float]
) -> SimulatedSource:
    """Galaxy of one row: exponential disc and de Vaucouleurs bulge of the same colours, as CatSim means it.

    Parameters
    ----------
    catalog : GalaxyCatalog
        With the bands of ``conditions``.
    row : int
        Which galaxy; its id is ``row`` + 1.
    conditions : SurveyConditions
        Turns magnitudes into electrons and arcsec into pixels.
    center : pair of float
        ``(y, x)`` [px].

    Returns
    -------
    SimulatedSource
        One or two components; position angles are counted from +x towards +y.
    """
    c = catalog.columns
    electrons = conditions.electrons(catalog.magnitudes()[row])
    bulge = float(catalog.bulge_fraction()[row])
    components = []
    for share, n, (a, b, angle) in (
        (1 - bulge, 1.0, ("a_d", "b_d", "pa_disk")),
        (bulge, 4.0, ("a_b", "b_b", "pa_bulge")),
    ):
        if share > 0:
            profile = Sersic(
                float(c[a][row]) / conditions.pixel_scale, n, float(c[b][row] / c[a][row]), float(c[angle][row])
            )
            components.append(SimulatedComponent(profile, tuple(float(f) for f in share * electrons)))
    return SimulatedSource(row + 1, float(center[0]), float(center[1]), tuple(components))
