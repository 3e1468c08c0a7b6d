"""Stand-ins for objects of ``lsst.afw``, which is no package of Python's index: their methods, and nothing more.

What is tested with them is that we call what afw has, in the way it is documented; not afw itself.
"""

from types import SimpleNamespace

import numpy as np


class Point2D:
    """As ``lsst.geom.Point2D``: x first."""

    def __init__(self, x, y):
        self._x, self._y = x, y

    def getX(self):  # noqa: N802 - afw's names, here and below
        return self._x

    def getY(self):  # noqa: N802
        return self._y


class Box2I:
    """As ``lsst.geom.Box2I``."""

    def __init__(self, x0, y0, width, height):
        self._x, self._y, self._shape = x0, y0, (height, width)

    def getMinX(self):  # noqa: N802
        return self._x

    def getMinY(self):  # noqa: N802
        return self._y

    def getHeight(self):  # noqa: N802
        return self._shape[0]

    def getWidth(self):  # noqa: N802
        return self._shape[1]


class Psf:
    """As ``lsst.afw.detection.Psf``: draws one of our PSFs, around the nearest pixel of its own grid."""

    def __init__(self, psf):
        self._psf = psf

    def getAveragePosition(self):  # noqa: N802
        return Point2D(0.0, 0.0)

    def computeImage(self, point):  # noqa: N802
        drawn = self._psf.image(point.getY(), point.getX())
        h, w = drawn.stamp.shape
        box = Box2I(drawn.center[1] - w // 2, drawn.center[0] - h // 2, w, h)
        return SimpleNamespace(array=drawn.stamp, getBBox=lambda: box)


def exposure(coadds, band, origin):
    """An ``lsst.afw.image.Exposure`` of one of our bands, whose first pixel is ``origin`` (y, x) of its tract."""
    k = coadds.band_index(band)
    h, w = coadds.box.shape
    header = dict(coadds.wcs.to_header(relax=True))
    header["CRPIX1"] += origin[1]
    header["CRPIX2"] += origin[0]
    mask = SimpleNamespace(array=coadds.mask[k], getMaskPlaneDict=lambda: dict(coadds.mask_planes.bits))
    masked = SimpleNamespace(
        image=SimpleNamespace(array=coadds.images[k]), mask=mask, variance=SimpleNamespace(array=coadds.variance[k])
    )
    metadata = SimpleNamespace(toDict=lambda: header)

    class Shifted:
        def image(self, y, x):
            drawn = coadds.psfs[k].image(y - origin[0], x - origin[1])
            return drawn._replace(center=(drawn.center[0] + origin[0], drawn.center[1] + origin[1]))

    zero = 10 ** (0.4 * coadds.zeropoints[k])
    return SimpleNamespace(
        getMaskedImage=lambda: masked,
        getBBox=lambda: Box2I(origin[1], origin[0], w, h),
        getWcs=lambda: SimpleNamespace(getFitsMetadata=lambda: metadata),
        getPhotoCalib=lambda: SimpleNamespace(getInstFluxAtZeroMagnitude=lambda: zero),
        getPsf=lambda: Psf(Shifted()),
    )


class Record:
    """As a record of ``lsst.afw.table``: fields by name."""

    def __init__(self, values, **methods):
        self._values = values
        self.__dict__.update({name: (lambda made=value: made) for name, value in methods.items()})

    def getSchema(self):  # noqa: N802
        return SimpleNamespace(getNames=lambda: set(self._values))

    def get(self, name):
        return self._values[name]

    def set(self, name, value):
        self._values[name] = value


def merged_catalog(detections, bands, origin):
    """A merged ``SourceCatalog`` of our parents, as Rubin's pipelines make one: one record per parent, and a child."""
    y0, x0 = origin
    records = []
    for number, parent in enumerate(detections.parents):
        spans = [
            SimpleNamespace(
                getY=lambda y=y: int(y) + y0,
                getMinX=lambda a=a: int(a) + x0,
                getMaxX=lambda b=b: int(b) - 1 + x0,
            )
            for y, a, b in parent.footprint.spans()
        ]
        peaks = [
            Record(
                {
                    **{f"merge_peak_{band}": band in peak.bands for band in bands},
                    "merge_peak_sky": False,
                    "id": peak.id,
                },
                getFx=peak.center[1] + x0,
                getFy=peak.center[0] + y0,
                getIx=peak.x + x0,
                getIy=peak.y + y0,
                getPeakValue=peak.value,
            )
            for peak in parent.footprint.peaks
        ]
        seen = detections.footprint_bands[parent.id]
        footprint = SimpleNamespace(getSpans=lambda s=spans: s, getPeaks=lambda p=peaks: p)
        values = {f"merge_footprint_{band}": band in seen for band in bands}
        records.append(Record(values, getId=1000 + number, getParent=0, getFootprint=footprint))
    records.append(Record({}, getId=2000, getParent=1000, getFootprint=None))
    return records


class Schema:
    """As ``lsst.afw.table.Schema``: fields with types by their codes."""

    def __init__(self):
        self.fields = {name: ("L" if name in ("id", "parent") else "Angle", "", "") for name in
                       ("id", "coord_ra", "coord_dec", "parent")}  # fmt: skip

    def addField(self, name, type, doc="", units="", size=None):  # noqa: N802, A002
        assert type in ("Flag", "I", "L", "F", "D", "String")
        assert (size is not None) == (type == "String")
        self.fields[name] = (type, doc, units)


class SourceCatalog:
    """As ``lsst.afw.table.SourceCatalog``: columns of numbers and flags are set at once, text record by record."""

    def __init__(self, schema):
        self.schema, self._columns, self._records = schema, {}, []

    def resize(self, size):
        self._records = [Record({}) for _ in range(size)]

    def __len__(self):
        return len(self._records)

    def __iter__(self):
        return iter(self._records)

    def __getitem__(self, name):
        if self.schema.fields[name][0] == "String":
            return np.array([record.get(name) for record in self._records])
        return self._columns[name]

    def __setitem__(self, name, values):
        kind = {"Flag": "b", "I": "i", "L": "i", "F": "f", "D": "f", "Angle": "f"}[self.schema.fields[name][0]]
        assert np.asarray(values).dtype.kind == kind
        assert len(values) == len(self)
        self._columns[name] = values


#: As the module ``lsst.afw.table``.
tables = SimpleNamespace(SourceTable=SimpleNamespace(makeMinimalSchema=Schema), SourceCatalog=SourceCatalog)
