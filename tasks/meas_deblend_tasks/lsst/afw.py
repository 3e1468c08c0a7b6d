"""Objects of Rubin's ``lsst.afw`` and our values, by what their methods are called.

``lsst.afw`` is no package of Python's index: it comes with the Science Pipelines. Nothing of it is imported here; these
functions take whatever has its methods, and the tests give them stand-ins that follow its interface.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from meas_deblend.detect import Detections
from meas_deblend.geometry import Footprint, Parent, Peak
from meas_deblend.image import MaskPlanes, PsfStamp, load_survey, pixel_scale_of, wcs_from_header

from .planes import BandPlanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "AfwPsf",
    "CatalogParents",
    "is_afw_exposure",
    "parents_of_catalog",
    "planes_of_exposure",
    "to_source_catalog",
]

_NANOJANSKY = 31.4
_TYPES = {"bool": "Flag", "int32": "I", "int64": "L", "float32": "F", "float64": "D", "text": "String"}
"""Codes of types in ``lsst.afw.table``."""


def is_afw_exposure(image: Any) -> bool:
    """Whether an image has the methods of `lsst.afw.image.Exposure`."""
    return all(hasattr(image, name) for name in ("getMaskedImage", "getPsf", "getWcs", "getPhotoCalib", "getBBox"))


@dataclass(frozen=True, slots=True, eq=False)
class AfwPsf:
    """A PSF of ``lsst.afw``, at positions of our pixels.

    Parameters
    ----------
    psf : lsst.afw.detection.Psf
        Or what has its methods ``computeImage`` and ``getAveragePosition``.
    origin : tuple of int
        Position ``(y, x)`` of our first pixel on its grid.
    """

    psf: Any
    origin: tuple[int, int]

    def image(self, y: float, x: float) -> PsfStamp:
        """PSF of a point source at ``(y, x)``."""
        y0, x0 = self.origin
        point = type(self.psf.getAveragePosition())(x + x0, y + y0)
        drawn = self.psf.computeImage(point)
        stamp, box = np.array(drawn.array, dtype=np.float64), drawn.getBBox()
        h, w = stamp.shape
        return PsfStamp(stamp, (box.getMinY() - y0 + h // 2, box.getMinX() - x0 + w // 2))


def planes_of_exposure(exposure: Any) -> BandPlanes:
    """Return the planes of an ``lsst.afw.image.Exposure``, or of what has its methods.

    Parameters
    ----------
    exposure : lsst.afw.image.Exposure
        Calibrated by its PhotoCalib; positions of its WCS and PSF count from the first pixel of its tract.
    """
    masked, box = exposure.getMaskedImage(), exposure.getBBox()
    origin = (box.getMinY(), box.getMinX())
    planes = MaskPlanes(dict(masked.mask.getMaskPlaneDict()), tuple(load_survey("lsst").bad_planes))
    wcs = _local_wcs(exposure.getWcs(), origin)
    psf = exposure.getPsf()
    zeropoint = float(2.5 * np.log10(exposure.getPhotoCalib().getInstFluxAtZeroMagnitude()))
    return BandPlanes(
        image=np.array(masked.image.array),
        variance=np.array(masked.variance.array),
        mask=np.array(masked.mask.array),
        mask_planes=planes,
        wcs=wcs,
        zeropoint=zeropoint,
        units="nJy" if abs(zeropoint - _NANOJANSKY) < 1e-6 else "count",
        pixel_scale=None if wcs is None else pixel_scale_of(wcs, masked.image.array.shape),
        origin=origin,
        psf=None if psf is None else AfwPsf(psf, origin),
    )


def _local_wcs(wcs: Any, origin: tuple[int, int]) -> Any:
    """World coordinates of the array's own pixels; those of a coadd count from the tract's first pixel."""
    if wcs is None:
        return None
    from astropy.io.fits import Header  # noqa: PLC0415 - slow to load

    header = Header(dict(wcs.getFitsMetadata().toDict()))
    header["CRPIX1"] -= origin[1]
    header["CRPIX2"] -= origin[0]
    return wcs_from_header(header, label="the exposure's WCS")


@dataclass(frozen=True, slots=True, eq=False)
class CatalogParents:
    """Parents of a catalog of footprints.

    Parameters
    ----------
    detections : Detections
        With identifiers of ours.
    record_ids : mapping of int to int
        By identifier of a parent, that of its record.
    """

    detections: Detections
    record_ids: Mapping[int, int] = field(default_factory=dict)


def parents_of_catalog(
    catalog: Iterable[Any], ids: Callable[[int], int], origin: tuple[int, int] = (0, 0)
) -> CatalogParents:
    """Return the footprints of a merged ``lsst.afw.table.SourceCatalog`` as parents, in the order of the catalog.

    Parameters
    ----------
    catalog : iterable of records
        Records have ``getId``, ``getParent``, ``getFootprint`` and a schema; children of other records are passed over.
        Bands are those of the fields ``merge_footprint_<band>`` and ``merge_peak_<band>``.
    ids : callable
        Gives the identifier of the n-th parent, n = 0, 1, …
    origin : tuple of int
        Position ``(y, x)`` of our first pixel on the catalog's grid.
    """
    parents: list[Parent] = []
    bands: dict[int, tuple[str, ...]] = {}
    records: dict[int, int] = {}
    for record in catalog:
        if record.getParent() != 0:
            continue
        parent = Parent(ids(len(parents)), _footprint(record.getFootprint(), origin))
        parents.append(parent)
        bands[parent.id] = _bands(record, "merge_footprint_")
        records[parent.id] = int(record.getId())
    return CatalogParents(Detections(tuple(parents), MappingProxyType(bands)), MappingProxyType(records))


def _footprint(footprint: Any, origin: tuple[int, int]) -> Footprint:
    y0, x0 = origin
    # Their spans end with the last pixel, ours behind it.
    spans = [(span.getY() - y0, span.getMinX() - x0, span.getMaxX() + 1 - x0) for span in footprint.getSpans()]
    peaks = [
        Peak(
            k,
            round(peak.getFy()) - y0,
            round(peak.getFx()) - x0,
            float(peak.getPeakValue()),
            _bands(peak, "merge_peak_"),
            (float(peak.getFy()) - y0, float(peak.getFx()) - x0),
        )
        for k, peak in enumerate(footprint.getPeaks())
    ]
    return Footprint.from_spans(np.array(spans, dtype=np.int64).reshape(-1, 3), tuple(peaks))


def _bands(record: Any, prefix: str) -> tuple[str, ...]:
    names = [name for name in record.getSchema().getNames() if name.startswith(prefix)]
    found = ((name.removeprefix(prefix), record.get(name)) for name in names)
    return tuple(band for band, seen in found if seen and band != "sky")


def to_source_catalog(objects: Any, tables: Any) -> Any:
    """Return a catalog of objects as an ``lsst.afw.table.SourceCatalog``.

    Parameters
    ----------
    objects : astropy.table.Table
        The table ``objects``.
    tables : module
        ``lsst.afw.table``, or what has its ``SourceTable.makeMinimalSchema`` and ``SourceCatalog``.

    Returns
    -------
    lsst.afw.table.SourceCatalog
        ``id``, ``parent`` and ``coord_ra``, ``coord_dec`` (radians there) are its own fields; all others have our names
        and units.
    """
    schema = tables.SourceTable.makeMinimalSchema()
    own = {"objectId": "id", "parentObjectId": "parent", "coord_ra": "coord_ra", "coord_dec": "coord_dec"}
    others = [name for name in objects.colnames if name not in own]
    for name in others:
        column = objects[name]
        options: dict[str, Any] = {"doc": column.description or "", "units": str(column.unit or "")}
        text = column.dtype.kind == "U"
        if text:
            options["size"] = max((len(value) for value in column), default=1) or 1
        schema.addField(name, type=_TYPES["text" if text else column.dtype.name], **options)
    catalog = tables.SourceCatalog(schema)
    catalog.resize(len(objects))
    for ours, theirs in own.items():
        if ours in objects.colnames:
            values = np.asarray(objects[ours])
            catalog[theirs] = np.radians(values) if theirs.startswith("coord_") else values
    for name in others:
        if objects[name].dtype.kind == "U":
            for record, text in zip(catalog, objects[name], strict=True):
                record.set(name, str(text))
        else:
            catalog[name] = np.asarray(objects[name])
    return catalog
