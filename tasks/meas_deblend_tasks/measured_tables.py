"""Tables of measurements: objects, forced positions, covariances, noise."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.apportion import drawn
from meas_deblend.measure import ParentMeasurer, PsfShapes, Target, get_measurement, measure_sky
from meas_deblend.products import CatalogLayout, Column, declaration, flux_factor, to_table

from .measured import MeasuredColumns, with_sky_positions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from meas_deblend.apportion import Apportioned
    from meas_deblend.image import MultibandExposure, SourceList
    from meas_deblend.measure import FluxCovariances, MeasureConfig, NoiseCorrelation, Scene
    from meas_deblend.models import ParentModel

    from .catalog import Row

__all__ = ["SKY", "catalog_layout", "covariance_columns", "forced_table", "noise_columns", "object_columns", "on_sky"]

SKY = frozenset({"coord_ra", "coord_dec"})
"""Columns of positions on the sky: see `on_sky`."""


def catalog_layout(exposure: MultibandExposure, config: MeasureConfig) -> CatalogLayout:
    """Layout of the catalogs, with the columns of the plug-ins that are asked for."""
    extra = tuple(
        Column(
            f"{{band}}_{column.name}",
            "bool" if column.flag else "float64",
            column.unit,
            column.meaning,
            name,
            nullable=not column.flag,
            since="1.2.0",
            reference=column.reference,
        )
        for name in config.plugins
        for column in get_measurement(name).columns
    )
    return CatalogLayout.of_bands(exposure.bands, exposure.zeropoints, config.aperture_radii, exposure.units, extra)


def object_columns(rows: Sequence[Row], layout: CatalogLayout, left_out: frozenset[str]) -> dict[str, list[Any]]:
    """Columns of objects from rows of them, but for those that are kept elsewhere."""
    return {name: [row[name] for row in rows] for name in _names("objects", layout, left_out)}


@lru_cache(16)
def _names(table: str, layout: CatalogLayout, left_out: frozenset[str]) -> tuple[str, ...]:
    """Names of the declared columns of a table, but for some."""
    return tuple(column.name for column in declaration(table).unfold(layout) if column.name not in left_out)


def on_sky(columns: Mapping[str, Any], exposure: MultibandExposure) -> dict[str, Any]:
    """Columns of objects or positions with those of the sky: one call for all, since each takes a millisecond."""
    places = [{"x": x, "y": y} for x, y in zip(columns["x"], columns["y"], strict=True)]
    sky = with_sky_positions(places, exposure)
    return {**columns, **{name: np.array([place[name] for place in sky], dtype=np.float64) for name in sorted(SKY)}}


def covariance_columns(parent: ParentModel, found: FluxCovariances, exposure: MultibandExposure) -> dict[str, Any]:
    """Columns of the flux_covariance table of one parent, in catalog units."""
    ids = np.array([source.id for source in parent.sources], dtype=np.int64)
    first, second = np.array(found.pairs, dtype=np.int64).reshape(-1, 2).T
    units = [flux_factor(zeropoint) ** 2 for zeropoint in exposure.zeropoints]
    count = len(units)
    return {
        "parent": np.full(count * first.size, parent.id, dtype=np.int64),
        "band": np.repeat(np.array(exposure.bands, dtype=object), first.size),
        "a": np.tile(np.minimum(ids[first], ids[second]), count),
        "b": np.tile(np.maximum(ids[first], ids[second]), count),
        "cov": np.concatenate([unit * found.psf[k, first, second] for k, unit in enumerate(units)]),
        "modelCov": np.concatenate([unit * found.model[k, first, second] for k, unit in enumerate(units)]),
    }


def noise_columns(noise: NoiseCorrelation, bands: Sequence[str]) -> dict[str, Any]:
    """Columns of the noise_correlation table."""
    side, reach = noise.xi.shape[1], noise.lag
    dy, dx = (lag.ravel() - reach for lag in np.mgrid[:side, :side])
    count = len(bands)
    return {
        "band": np.repeat(np.array(bands, dtype=object), dy.size),
        "dy": np.tile(dy, count),
        "dx": np.tile(dx, count),
        "xi": noise.xi.ravel(),
        "variance_ratio": np.repeat(noise.variance_ratio, dy.size),
        "pixels": np.repeat(noise.pixels, dy.size),
    }


def forced_table(
    scene: Scene,
    parents: tuple[Sequence[ParentModel], Sequence[Apportioned]],
    positions: SourceList,
    config: MeasureConfig,
) -> Any:
    """Measure at given positions, on models of parents and their children.

    Each is measured on the pixels of the object that is nearest, if that is within ``match_radius``, with all others
    replaced by noise; else on the sky, with all objects replaced. Fluxes are taken exactly at the position.
    """
    psfs, columns = PsfShapes(scene.exposure.psfs, config), MeasuredColumns(scene.exposure, config)
    models, children = parents
    owners = [(p, k) for p, model in enumerate(models) for k in range(len(model.sources))]
    places = np.array([source.peak.center for model in models for source in model.sources]).reshape(-1, 2)
    rows: list[Row] = []
    measured: list[NDArray[np.float64]] = []
    measurers: dict[int, ParentMeasurer] = {}
    for number, (center, name) in enumerate(zip(positions.positions, positions.names, strict=True), start=1):
        distance = np.hypot(*(places - center).T)
        nearest = int(distance.argmin()) if len(distance) else -1
        row: Row = {"forcedId": number, "sourceName": name, "objectId": 0}
        row["objectDistance"] = float(distance[nearest]) if nearest >= 0 else float("nan")
        if nearest >= 0 and distance[nearest] <= config.match_radius:
            p, k = owners[nearest]
            object_id = row["objectId"] = models[p].sources[k].id
            if p not in measurers:
                measurers = {p: ParentMeasurer(scene, drawn(models[p]), children[p], psfs, config)}
            found = measurers[p].measure(k, Target(center, object_id, forced=True))[0]
        else:
            found = measure_sky(scene, Target(center, number, forced=True), psfs, config)
        measured.append(columns.row(found))
        rows.append(row)
    layout = catalog_layout(scene.exposure, config)
    values = columns.columns(np.stack(measured) if measured else np.zeros((0, 0)))
    given = {name: [row[name] for row in rows] for name in _names("forced", layout, columns.names | SKY)}
    declared = {column.name for column in declaration("forced").unfold(layout)}
    values = {name: column for name, column in values.items() if name in declared}
    return to_table("forced", on_sky(given | values, scene.exposure), layout)
