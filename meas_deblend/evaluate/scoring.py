"""From truth, models and children to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..exceptions import InputError
from .metrics import Apertures, background_rms, cosine, ellipticity, ssim, stamp
from .scores import Scores, reference_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .fields import Field
    from .images import SourceImages
    from .scores import Deblended

__all__ = ["score_field"]


def score_field(field: Field, deblended: Deblended, number: int = 0) -> Scores:
    """Score what a deblender made of a field.

    Definitions are those of Biswas et al. (2025, A&A, MADNESS), section 4 and appendices.  Shapes are measured in the
    reference band only.

    Parameters
    ----------
    field : Field
    deblended : Deblended
        One model per source of the field.
    number : int
        Index of the field, copied to the scores.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If there is not one model, and one child, per source, on the field's pixels and bands.
    """
    _check("models", field, deblended.models)
    if deblended.children is not None:
        _check("children", field, deblended.children)
    n, reference = len(field.x), reference_band(field.setting.bands)
    truth = [_shape(field, k, field.truth[k, reference]) for k in range(n)]
    return Scores(
        field=np.full(n, number, dtype=np.int64),
        index=np.arange(n, dtype=np.int64),
        **_truth_side(field),
        **_fluxes(field, deblended),
        **_likeness(field, deblended.models),
        e_true=np.array(truth, dtype=np.float64).reshape(n, 2),
        e=_shapes(field, deblended.models, reference),
        e_child=_shapes(field, deblended.children, reference),
        modelled=deblended.models.present,
        snr=field.snr,
        size=np.sqrt(field.a * field.b),
        magnitudes=field.magnitudes,
    )


def _check(what: str, field: Field, images: SourceImages) -> None:
    if len(images) != len(field.x):
        raise InputError(
            f"{field.name}: {len(images)} {what} for {len(field.x)} sources; one each is expected, in the order of "
            "the field's x and y"
        )
    bands = len(field.setting.bands)
    wrong = [k for k, image in enumerate(images.images) if image.array.ndim != 3 or len(image.array) != bands]
    if wrong:
        raise InputError(
            f"{field.name}: {what} must be cubes (band, y, x) with the bands {', '.join(field.setting.bands)}; number "
            f"{wrong[0]} has shape {images.images[wrong[0]].array.shape}"
        )
    if images.frame != field.box:
        raise InputError(f"{field.name}: {what} are for {images.frame}, but the field covers {field.box}")


def _truth_side(field: Field) -> dict[str, NDArray[np.float64]]:
    """Scores that do not depend on the deblender."""
    n, bands = len(field.x), len(field.setting.bands)
    out = {name: np.zeros((n, bands)) for name in ("F", "Fb", "F0", "Ferr", "sigma", "beta")}
    image, variance = field.observed, field.variance
    for b in range(bands):
        apertures = Apertures.of(field, b)
        truth = field.truth[:, b].astype(np.float64)
        noiseless = truth.sum(axis=0)
        for k in range(n):
            out["F0"][k, b] = apertures[k].sums(truth[k])[0]
            out["beta"][k, b] = _blendedness(truth[k], noiseless)
        # A sum over an aperture is linear in the image: noise and sources can be summed apart.
        out["F"][:, b] = apertures.sums(image[b] - noiseless) + out["F0"][:, b]
        out["Fb"][:, b] = apertures.sums(image[b])
        out["Ferr"][:, b] = apertures.errors(np.full(image[b].shape, background_rms(image[b])))
        out["sigma"][:, b] = apertures.errors(np.sqrt(variance[b]))
    return out


def _blendedness(truth: NDArray[np.float64], noiseless: NDArray[np.float64]) -> float:
    """β = 1 − S·S / (S^b·S); 0 for a source without flux."""
    product = float(np.vdot(noiseless, truth))
    return 1 - float(np.vdot(truth, truth)) / product if product else 0.0


def _fluxes(field: Field, deblended: Deblended) -> dict[str, NDArray[np.float64]]:
    """Aperture fluxes of the field minus the other models, of the models, and of the children."""
    n, bands = len(field.x), len(field.setting.bands)
    out = {name: np.full((n, bands), np.nan) for name in ("Fd", "Fm", "Fc")}
    residual = field.observed - deblended.models.total()
    if deblended.rest is not None:
        residual -= deblended.rest
    apertures = [Apertures.of(field, b) for b in range(bands)]
    for b in range(bands):
        out["Fd"][:, b] = apertures[b].sums(residual[b])
    for k in range(n):
        model = deblended.models[k]
        child = None if deblended.children is None else deblended.children[k]
        for b in range(bands):
            out["Fm"][k, b] = apertures[b][k].sums(model[b])[0]
            if child is not None:
                out["Fc"][k, b] = apertures[b][k].sums(child[b])[0]
    out["Fd"] += out["Fm"]
    return out


def _likeness(field: Field, models: SourceImages) -> dict[str, NDArray[np.float64]]:
    """How like the truth the models are."""
    n, bands = len(field.x), len(field.setting.bands)
    out = {name: np.full((n, bands), np.nan) for name in ("cos", "ssim", "ssim_stamp")}
    for k in range(n):
        model, truth = models[k], field.truth[k].astype(np.float64)
        for b in range(bands):
            out["cos"][k, b] = cosine(model[b], truth[b])
            pair = [stamp(image[b], field.y[k], field.x[k]) for image in (model, truth)]
            out["ssim_stamp"][k, b] = ssim(*pair)
            out["ssim"][k, b] = ssim(model[b], truth[b])
    return out


def _shapes(field: Field, images: SourceImages | None, band: int) -> NDArray[np.float64]:
    """Ellipticities (source, 2); NaN without images."""
    if images is None:
        return np.full((len(field.x), 2), np.nan)
    pairs = [_shape(field, k, images[k][band]) for k in range(len(images))]
    return np.array(pairs, dtype=np.float64).reshape(len(images), 2)


def _shape(field: Field, k: int, image: NDArray[np.float64]) -> tuple[float, float]:
    return ellipticity(image, float(field.y[k]), float(field.x[k]))
