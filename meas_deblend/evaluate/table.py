"""Scores as columns of a table, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import InputError
from .scores import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["ScoreTable"]

_BAND_COLUMNS = ("F", "Fb", "F0", "Ferr", "sigma", "beta", "Fd", "Fm", "Fc", "cos", "ssim", "ssim_stamp", "magnitudes")
# Names of columns that tell more than those of the values.
_LONG_NAMES = {"beta": "truth_blendedness"}
_PLAIN_COLUMNS = ("modelled", "snr", "size")
_SHAPE_COLUMNS = {"e_true": "_true", "e": "", "e_child": "_child"}


class ScoreTable:
    """Scores with the names of their bands and fields.

    Parameters
    ----------
    scores : Scores
    bands : sequence of str
    field_names : sequence of str
        By the index that ``scores.field`` holds.
    """

    def __init__(self, scores: Scores, bands: Sequence[str], field_names: Sequence[str]) -> None:
        self.scores = scores
        self.bands = tuple(bands)
        self.field_names = tuple(field_names)

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Name of the field and index of the source, per row."""
        return [(self.field_names[f], int(k)) for f, k in zip(self.scores.field, self.scores.index, strict=True)]

    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns by name, one row per source; contamination κ and δF/F are added for the reader."""
        scores = self.scores
        out: dict[str, NDArray[Any]] = {
            "field": np.array([self.field_names[f] for f in scores.field], dtype=object),
            "source": scores.index,
            **{name: getattr(scores, name) for name in _PLAIN_COLUMNS},
        }
        for b, band in enumerate(self.bands):
            out |= {_column(band, name): getattr(scores, name)[:, b] for name in _BAND_COLUMNS}
            out[f"{band}_kappa"] = scores.kappa[:, b]
            out[f"{band}_dF_F"] = scores.field_error[:, b]
        for name, suffix in _SHAPE_COLUMNS.items():
            out |= {f"e{axis + 1}{suffix}": getattr(scores, name)[:, axis] for axis in (0, 1)}
        return out

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray[Any]], bands: Sequence[str], source: str) -> ScoreTable:
        """Rebuild the table.

        Parameters
        ----------
        columns : mapping of str to array
            As `columns` makes them.
        bands : sequence of str
        source : str
            Where they come from, for messages.

        Raises
        ------
        InputError
            If a column is missing.
        """
        wanted = ["field", "source", *_PLAIN_COLUMNS, *(_column(b, name) for b in bands for name in _BAND_COLUMNS)]
        wanted += [f"e{axis}{suffix}" for suffix in _SHAPE_COLUMNS.values() for axis in (1, 2)]
        missing = [name for name in wanted if name not in columns]
        if missing:
            raise InputError(f"{source}: no column {', '.join(missing[:5])}; a table that 'evaluate' wrote is expected")
        names = [str(name) for name in columns["field"]]
        distinct = sorted(set(names))
        number = {name: k for k, name in enumerate(distinct)}
        scores = Scores(
            field=np.array([number[name] for name in names], dtype=np.int64),
            index=np.asarray(columns["source"], dtype=np.int64),
            modelled=np.asarray(columns["modelled"], dtype=bool),
            **{name: np.asarray(columns[name], dtype=np.float64) for name in ("snr", "size")},
            **{name: np.stack([columns[_column(b, name)] for b in bands], axis=1) for name in _BAND_COLUMNS},
            **{
                name: np.stack([columns[f"e{axis}{suffix}"] for axis in (1, 2)], axis=1)
                for name, suffix in _SHAPE_COLUMNS.items()
            },
        )
        return cls(scores, bands, distinct)


def _column(band: str, name: str) -> str:
    return f"{band}_{_LONG_NAMES.get(name, name)}"
