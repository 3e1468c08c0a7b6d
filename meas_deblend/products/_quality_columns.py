"""Columns that tell how contaminated an object is by its neighbours, and how well its pixels are described."""

from __future__ import annotations

from .columns import Column

__all__ = ["BLEND_SCORE", "CONTAMINATION_COLUMNS", "score_columns"]

_NEWEST = "1.3.0"


BLEND_SCORE = Column(
    "deblend_unrecognisedBlendScore",
    "float32",
    "",
    "Probability that it is two galaxies 0.5 to 1 FWHM apart, if there were as many of those as of single ones; NaN "
    "without a model or light.",
    "measure",
    nullable=True,
    since=_NEWEST,
)


def score_columns(name: str, over: str) -> tuple[Column, ...]:
    """Columns of the residual on an object's pixels and its standard deviation."""
    return (
        Column(
            name,
            "float32",
            "",
            f"Mean of (data − joint model)² / variance over its {over}, each weighted by its share: 1 for a right "
            "model, less where the model follows the noise.",
            "apportion",
            nullable=True,
            since=_NEWEST,
        ),
        Column(
            f"{name}Err",
            "float32",
            "",
            f"Standard deviation of {name} if the model is right, for noise correlated as on the sky.",
            "apportion",
            nullable=True,
            since=_NEWEST,
        ),
    )


def _overlap(name: str, unit: str, meaning: str) -> Column:
    others = (
        "T − m being what the models of its blend hold where its own, m, is above 0 in any band, before convolution"
    )
    return Column(name, "float32", unit, f"{meaning}, {others}.", "measure", nullable=True, since=_NEWEST)


CONTAMINATION_COLUMNS: tuple[Column, ...] = (
    _overlap("{band}_deblend_maxOverlap", "flux", "Largest T − m of a pixel in {band}"),
    _overlap("{band}_deblend_fluxOverlap", "flux", "Σ (T − m) in {band}"),
    _overlap(
        "{band}_deblend_fluxOverlapFraction", "", "Σ (T − m) / Σ m in {band}, 0 if it has a model but no flux there"
    ),
    Column(
        "{band}_deblend_chi2",
        "float32",
        "",
        "Mean of (data − joint model)² / variance over the usable pixels of {band} where it is itself above 0.",
        "apportion",
        nullable=True,
        since=_NEWEST,
    ),
    *score_columns("{band}_deblend_residualScore", "usable pixels in {band}"),
)
