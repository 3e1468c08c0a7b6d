"""The columns of what is measured on pixels: each kind of number once, for every flavour of an object's pixels.

Flavours differ by what stands before the name: nothing for the object's own, re-apportioned pixels, ``convolved_`` for
its model as seen in each band, ``deconvolved_`` for its model in the resolution of the model PSF, and ``undeblended_``
for the image as it is.
"""

from __future__ import annotations

from typing import Literal

from .columns import Column

__all__ = ["BAND_MEASUREMENTS", "FLAVOR_PREFIXES", "OBJECT_MEASUREMENTS"]

FLAVOR_PREFIXES = {"reapportioned": "", "convolved": "convolved_", "deconvolved": "deconvolved_"}
"""What stands before a measurement's name, by flavour."""

_ON = {
    "": "its pixels",
    "convolved_": "its model as seen",
    "deconvolved_": "its model in the resolution of the model PSF",
}
_NEW, _NEWEST = "1.2.0", "1.3.0"
# The first version of the tables had these, on re-apportioned pixels.
_FIRST = {"{aperture}Flux", "psfFlux", "centroid", "shape"}

_FLUXES = {
    "{aperture}Flux": ("within {radius} pixels of x, y", "exact areas of pixels in a circle"),
    "ellipseFlux": ("in the ellipse of a fixed number of σ (ellipse_scale) of ellipse_a, ellipse_b, ellipse_theta", ""),
    "kronFlux": ("in the Kron ellipse, the larger of kron_factor Kron radii and kron_minimum σ", "Kron 1980"),
    "psfFlux": ("by a fit of the PSF at x, y, all pixels weighted alike", ""),
    "gaapFlux": (
        "through a Gaussian aperture above the atmosphere, the same in all bands (for a point source, its total)",
        "Kuijken 2008, A&A 482, 1053",
    ),
}
_FIXED = dict.fromkeys(
    ("ellipseFlux", "kronFlux"),
    ", for a given aperture: what the noise does to its size and shape, which adds a tenth to the scatter of isolated "
    "objects and up to four tenths to that of blended ones, is not in it",
)
_CORRECTED = ("{aperture}Flux", "ellipseFlux", "kronFlux")
_MAGNITUDES = ("psf", "kron", "gaap")
_AXES = ("xx", "yy", "xy")

_MOMENTS = "Bernstein & Jarvis 2002, AJ 123, 583, section 3.1"
_PIER = "Pier et al. 2003, AJ 125, 1559, section 2.1"
_BERTIN = "Bertin & Arnouts 1996, A&AS 117, 393"

Dtype = Literal["int32", "int64", "float32", "float64", "bool", "string"]


def _number(
    name: str, unit: str, meaning: str, reference: str = "", *, exact: bool = False, old: bool = False
) -> Column:
    dtype: Dtype = "float64" if exact else "float32"
    since = "1.0.0" if old else _NEW
    return Column(name, dtype, unit, meaning, "measure", nullable=True, since=since, reference=reference)


def _flag(name: str, meaning: str, *, old: bool = False, since: str = _NEW) -> Column:
    return Column(name, "bool", "", meaning, "measure", since="1.0.0" if old else since)


def _fluxes(prefix: str) -> tuple[Column, ...]:
    out: list[Column] = []
    for flux, (how, reference) in _FLUXES.items():
        name, old = f"{{band}}_{prefix}{flux}", flux in _FIRST and not prefix
        wrong = f"{name} could not be measured, or too much of what it is measured on is masked, beyond the edge or cut"
        if flux == "gaapFlux":
            wrong += ", or the aperture is no wider than the PSF"
        out += [
            _number(name, "flux", f"Flux of {_ON[prefix]} {how} in {{band}}.", reference, exact=True, old=old),
            _number(f"{name}Err", "flux", f"Standard deviation of {name}{_FIXED.get(flux, '')}.", exact=True, old=old),
            _flag(f"{name}_flag", f"{wrong}.", old=old),
        ]
    return tuple(out)


def _centroids(prefix: str) -> tuple[Column, ...]:
    out: list[Column] = []
    kinds = {"centroid": ("under a Gaussian as wide as the PSF", _BERTIN), "sdssCentroid": ("smoothed maximum", _PIER)}
    for kind, (how, reference) in kinds.items():
        name, old = f"{{band}}_{prefix}{kind}", kind in _FIRST and not prefix
        for axis, what in (("x", "Column"), ("y", "Row")):
            meaning = f"{what} of the centroid of {_ON[prefix]} in {{band}}: {how}."
            out.append(_number(f"{name}_{axis}", "pix", meaning, reference, exact=True, old=old))
        for axis in "xy":
            meaning = f"Standard deviation of {name}_{axis}."
            out.append(_number(f"{name}_{axis}Err", "pix", meaning, exact=True, old=old))
        out.append(_flag(f"{name}_flag", f"{name} is not to be trusted.", old=old))
    return tuple(out)


def _shapes(prefix: str) -> tuple[Column, ...]:
    name, old, on = f"{{band}}_{prefix}", not prefix, _ON[prefix]
    out = [
        _number(
            f"{name}i{a}", "pix2", f"Adaptive second moment {a} of {on} in {{band}}.", _MOMENTS, exact=True, old=old
        )
        for a in _AXES
    ]
    out += [_number(f"{name}i{a}Err", "pix2", f"Standard deviation of {name}i{a}.", exact=True, old=old) for a in _AXES]
    out.append(_flag(f"{name}shape_flag", f"The moments of {on} in {{band}} are not to be trusted.", old=old))
    for number, what in (("1", "(Ixx − Iyy) / T"), ("2", "2 Ixy / T")):
        meaning = f"Ellipticity of {on} in {{band}}: {what}, T = Ixx + Iyy; trusted where the moments are."
        out.append(_number(f"{name}e{number}", "", meaning, _MOMENTS))
        out.append(_number(f"{name}e{number}Err", "", f"Standard deviation of {name}e{number}."))
    if prefix != "convolved_":
        seen = "model PSF" if prefix else "PSF in {band}"
        out += [
            _number(f"{name}i{a}PSF", "pix2", f"Adaptive second moment {a} of the {seen}.", _MOMENTS) for a in _AXES
        ]
        out.append(_flag(f"{name}psfShape_flag", f"There are no moments of the {seen}."))
    return tuple(out)


def _sizes(prefix: str) -> tuple[Column, ...]:
    name, on = f"{{band}}_{prefix}", _ON[prefix]
    return (
        _number(f"{name}halfLightRadius", "pix", f"Radius that holds half of the light of {on} in {{band}}.", _BERTIN),
        _number(f"{name}halfLightRadiusErr", "pix", f"Standard deviation of {name}halfLightRadius."),
        _flag(f"{name}halfLightRadius_flag", f"{name}halfLightRadius could not be measured."),
        _number(f"{name}sizeExcess", "", f"1 − T(PSF) / T of {on} in {{band}}: 0 for a star."),
        _number(f"{name}sizeExcessErr", "", f"Standard deviation of {name}sizeExcess."),
        _number(
            f"{name}extendedness",
            "",
            f"Chance that {name}sizeExcess is above extended_above, given its error: 0 for stars, 1 for galaxies.",
        ),
        _flag(f"{name}extendedness_flag", f"There is no size of {on} in {{band}}, or none of the PSF."),
    )


def _undeblended() -> tuple[Column, ...]:
    out: list[Column] = []
    for flux, (how, reference) in _FLUXES.items():
        name, own = f"{{band}}_undeblended_{flux}", f"{{band}}_{flux}"
        meaning = f"Flux of the image as it is, neighbours included, {how} in {{band}}; flagged as {own} is."
        out += [
            _number(name, "flux", meaning, reference, exact=True),
            _number(f"{name}Err", "flux", f"Standard deviation of {name}.", exact=True),
            _number(f"{name}Diff", "flux", f"{name} − {own}: what deblending took away.", exact=True),
        ]
    return tuple(out)


def _derived() -> tuple[Column, ...]:
    inst = "{band}_psfInstFlux"
    out = [
        _number(inst, "image", "{band}_psfFlux in units of the image.", exact=True),
        _number(f"{inst}Err", "image", f"Standard deviation of {inst}.", exact=True),
        _flag(f"{inst}_flag", f"{inst} is not to be trusted, for the reasons of {{band}}_psfFlux_flag."),
    ]
    for kind in _MAGNITUDES:
        known = "NaN where the flux is not above 0 or the zero point is not known"
        out += [
            _number(f"{{band}}_{kind}Mag", "mag", f"AB magnitude of {{band}}_{kind}Flux; {known}.", "Oke & Gunn 1983"),
            _number(f"{{band}}_{kind}MagErr", "mag", f"Standard deviation of {{band}}_{kind}Mag, 1.0857 σ / flux."),
        ]
    for flux in _CORRECTED:
        meaning = f"What {{band}}_{flux} of a point source is to be multiplied by for its total; not applied."
        out.append(_number(f"{{band}}_{flux}_apCorr", "", meaning))
    return tuple(out)


def _blendedness() -> tuple[Column, ...]:
    return (
        _number(
            "{band}_blendedness",
            "",
            "1 − Σ w own / Σ w image, w the Gaussian of its adaptive moments in {band}; noise may take it below 0.",
            "Bosch et al. 2018, PASJ 70, S5, section 4.9.11",
        ),
        _number(
            "{band}_deblend_blendedness",
            "",
            "1 − Σ m² / Σ m T in {band}, m being its model before convolution, T that of its blend.",
        ),
        _number(
            "{band}_modelFluxErr",
            "flux",
            "Standard deviation of {band}_modelFlux: that of the fit, shapes fitted too, where it has one; else shapes "
            "count as known.",
        ),
        _flag("{band}_modelFlux_flag", "There is no model in {band}, or nothing is known of its flux's error."),
    )


def _ellipse(prefix: str) -> tuple[Column, ...]:
    on = f"{_ON[prefix]}, in the mean of the bands"
    return (
        _number(f"{prefix}ellipse_a", "pix", f"One standard deviation along the long axis of {on}."),
        _number(f"{prefix}ellipse_b", "pix", f"One standard deviation along the short axis of {on}."),
        _number(f"{prefix}ellipse_theta", "deg", "Angle of the long axis from +x towards +y."),
        _flag(
            f"{prefix}ellipse_flag",
            "There is no shape to make the ellipse of, or an axis is not known to half of its moment, or is at its "
            "limit to within its error; errors of elliptical and Kron fluxes are rough.",
            since=_NEWEST,
        ),
        _number(
            f"{prefix}kronRadius", "", f"First-moment radius of {on}, in units of the ellipse's axes.", "Kron 1980"
        ),
        _number(f"{prefix}kronRadiusErr", "", f"Standard deviation of {prefix}kronRadius."),
        _flag(f"{prefix}kronRadius_flag", f"{prefix}kronRadius could not be measured; kron_minimum takes its place."),
    )


BAND_MEASUREMENTS: tuple[Column, ...] = (
    *(
        column
        for prefix in FLAVOR_PREFIXES.values()
        for part in (_fluxes, _centroids, _shapes, _sizes)
        for column in part(prefix)
    ),
    *_derived(),
    *_undeblended(),
    *_blendedness(),
)
"""One column per band each; a few of them also per aperture."""

OBJECT_MEASUREMENTS: tuple[Column, ...] = (
    *(column for prefix in FLAVOR_PREFIXES.values() for column in _ellipse(prefix)),
    _number("deblend_blendedness", "", "1 − Σ m² / Σ m T over all bands, as {band}_deblend_blendedness."),
)
"""One column each."""
