"""What this package keeps of a model and the pipelines' layout has no place for.

It stands under the key ``meas_deblend`` in the metadata of parents, blends and sources. Rubin's readers pass metadata
over that they do not know, so a file that this package wrote is read by both, and by this one without loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...geometry import Peak
from ...models import PointSourceFit
from .node import COORDINATE_LIMIT, IDENTIFIER_LIMIT, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...models import BlendModel, ParentModel, SourceModel

__all__ = [
    "EXTRAS",
    "blend_extras",
    "extras_of",
    "parent_extras",
    "read_blend_extras",
    "read_fits",
    "read_labels",
    "read_parent_extras",
    "read_peaks",
    "source_extras",
]

EXTRAS = "meas_deblend"

_MANY = 2**62


def extras_of(node: Node) -> Node | None:
    """Return what this package wrote beside a parent, a blend or a source; None if something else wrote the file."""
    metadata = node.get("metadata")
    return None if metadata is None else metadata.get(EXTRAS)


def parent_extras(parent: ParentModel) -> dict[str, Any]:
    """Everything about a parent but pixels, PSFs and sources."""
    return {
        "peaks": [_peak_entry(peak) for peak in parent.footprint.peaks],
        "deblender": parent.deblender,
        "outcome": parent.outcome,
        "reason": parent.reason,
        "message": parent.message,
        "warnings": list(parent.warnings),
        "kernel_floor": _number(parent.kernel_floor),
    }


def read_parent_extras(extras: Node | None) -> dict[str, Any]:
    """Arguments of a `ParentModel` that `parent_extras` wrote; none without."""
    if extras is None:
        return {}
    texts = {name: extras[name].text() for name in ("deblender", "outcome", "reason", "message")}
    return {**texts, "warnings": extras["warnings"].texts(), "kernel_floor": extras["kernel_floor"].number()}


def read_peaks(extras: Node | None) -> tuple[Peak, ...] | None:
    """Peaks of a parent in their order; None if they are not told."""
    peaks = None if extras is None else extras.get("peaks")
    return None if peaks is None else tuple(_read_peak(entry) for entry in peaks.entries())


def blend_extras(blend: BlendModel) -> dict[str, Any]:
    """How a blend's fit ended."""
    extras: dict[str, Any] = {
        "id": int(blend.id),
        "iterations": int(blend.iterations),
        "log_likelihood": _number(blend.log_likelihood),
        "stop_reason": blend.stop_reason,
    }
    covariance = blend.flux_covariance
    if covariance is not None:
        values = [_number(value) for value in covariance.ravel().tolist()]
        extras["flux_covariance"] = {"shape": list(covariance.shape), "dtype": str(covariance.dtype), "values": values}
    return extras


def read_blend_extras(extras: Node | None) -> dict[str, Any]:
    """Arguments of a `BlendModel` that `blend_extras` wrote; none without."""
    if extras is None:
        return {}
    return {
        "id": extras["id"].integer(-_MANY, _MANY),
        "iterations": extras["iterations"].integer(0, _MANY),
        "log_likelihood": extras["log_likelihood"].number(),
        "stop_reason": extras["stop_reason"].text(),
        "flux_covariance": _read_covariance(extras.get("flux_covariance")),
    }


def source_extras(source: SourceModel) -> dict[str, Any]:
    """Return flags and point-source fits of a source, where it has any."""
    extras: dict[str, Any] = {}
    if source.flags:
        extras["flags"] = sorted(source.flags)
    if source.psf_fits:
        extras["psf_fits"] = [None if fit is None else _fit_entry(fit) for fit in source.psf_fits]
    return extras | {name: text for name, text in (("rung", source.rung), ("reason", source.reason)) if text}


def read_labels(extras: Node | None) -> tuple[str, str]:
    """Rung and reason of a source; empty where the file does not say."""
    rung, reason = (None if extras is None else extras.get(name) for name in ("rung", "reason"))
    return "" if rung is None else rung.text(), "" if reason is None else reason.text()


def read_fits(extras: Node | None) -> tuple[PointSourceFit | None, ...]:
    """Point-source fits that `source_extras` wrote; none without."""
    fits = None if extras is None else extras.get("psf_fits")
    return () if fits is None else tuple(_read_fit(entry) for entry in fits.entries())


def _read_covariance(node: Node | None) -> NDArray[Any] | None:
    if node is None:
        return None
    bands, rows, columns = node["shape"].integers(3, 0, _MANY)
    numbers = Node([value.number() for value in node["values"].entries()], node.where)
    return numbers.array((bands, rows, columns), node["dtype"].text(("float32", "float64")))


def _peak_entry(peak: Peak) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": int(peak.id), "pixel": [int(peak.y), int(peak.x)], "value": _number(peak.value)}
    if peak.bands:
        entry["bands"] = list(peak.bands)
    if peak.position is not None:
        entry["position"] = [_number(value) for value in peak.position]
    if peak.name:
        entry["name"] = peak.name
    return entry


def _read_peak(entry: Node) -> Peak:
    y, x = entry["pixel"].integers(2, -COORDINATE_LIMIT, COORDINATE_LIMIT)
    bands, position, name = entry.get("bands"), entry.get("position"), entry.get("name")
    return Peak(
        id=entry["id"].integer(-_MANY, IDENTIFIER_LIMIT),
        y=y,
        x=x,
        value=entry["value"].number(),
        bands=() if bands is None else bands.texts(),
        position=None if position is None else _pair(position),
        name="" if name is None else name.text(),
    )


def _fit_entry(fit: PointSourceFit) -> dict[str, Any]:
    return {"is_psf": bool(fit.is_psf), "flux": _number(fit.flux), "center": [_number(c) for c in fit.center]}


def _read_fit(entry: Node) -> PointSourceFit | None:
    if entry.value is None:
        return None
    return PointSourceFit(entry["is_psf"].flag(), entry["flux"].number(), _pair(entry["center"]))


def _pair(node: Node) -> tuple[float, float]:
    numbers = [part.number() for part in node.entries()]
    if len(numbers) != 2:
        raise node.error(f"has {len(numbers)} values; it must have 2")
    return numbers[0], numbers[1]


def _number(value: float) -> float | str:
    """JSON has no word for what is not finite: such a number is written as a text, which `Node.number` reads."""
    return float(value) if math.isfinite(value) else str(float(value))
