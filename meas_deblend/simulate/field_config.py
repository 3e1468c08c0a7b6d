"""Options of a simulated field, and the presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..exceptions import InputError
from .conditions import LSST_10Y, SurveyConditions

__all__ = ["PRESETS", "FieldConfig", "preset"]

Side = Annotated[int, Field(ge=16, le=20000)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class FieldConfig(BaseModel):
    """A field of a survey: what is in it and what is wrong with it. The defaults are the preset ``field``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conditions: SurveyConditions = Field(default=LSST_10Y, description="How the survey observed.")
    shape: tuple[Side, Side] = Field(default=(205, 205), description="Height and width of the images [px].")

    psf: Literal["kolmogorov", "moffat"] = Field(
        default="kolmogorov", description="Turbulence with the telescope's diffraction, or a Moffat profile."
    )
    psf_beta: float = Field(default=2.5, gt=1, le=20, description="Exponent of a Moffat PSF's wings.")
    psf_variation: float = Field(
        default=0.0, ge=0, le=0.5,
        description="Growth of the PSF's width towards the corners, with 0.6 of it as ellipticity.",
    )  # fmt: skip
    psf_radius: int = Field(default=30, ge=5, le=500, description="Half side of the PSF stamps that are written [px].")

    region: int | None = Field(
        default=150, ge=1, description="Side of the central square that holds the centres [px]; none for all pixels."
    )
    n_galaxies: tuple[Count, Count] | None = Field(
        default=(12, 20), description="Fewest and most galaxies; none for the sky's own number counts."
    )
    magnitudes: tuple[float, float] = Field(
        default=(16.0, 27.5), description="Brightest and faintest i magnitude of random galaxies."
    )
    snr_min: float = Field(default=10.0, ge=0, description="Smallest signal to noise of a galaxy of the truth.")
    snr_band: str = Field(default="r", description="Band of snr_min; the nearest in wavelength if it was not observed.")
    galaxy_density: float | None = Field(
        default=None, ge=0, le=2000,
        description="Galaxies of the truth per arcmin², where n_galaxies is none; none for the sky's own counts.",
    )  # fmt: skip
    faintest: float | None = Field(
        default=None, ge=10, le=32, description="Faintest AB magnitude of a galaxy of the truth in the band of snr_min."
    )
    undetected_to: float | None = Field(
        default=None, ge=10, le=32,
        description="Adds galaxies below snr_min down to this i magnitude, which the truth leaves out.",
    )  # fmt: skip
    morphology: Literal["disc_bulge", "free", "mixed"] = Field(
        default="disc_bulge",
        description="Disc and bulge of the same colours; or free Sérsic indices with gradients, twists and knots.",
    )
    placement: Literal["uniform", "clustered", "row"] = Field(default="uniform", description="How centres are drawn.")
    companions: float = Field(default=0.3, ge=0, le=0.95, description="Share of companions where it is clustered.")
    separation: tuple[float, float] = Field(
        default=(6.0, 10.0), description="Smallest and largest distance of neighbours in a row [px]."
    )

    giant_radius: float | None = Field(
        default=None, gt=0, le=100, description="Half-light radius of one giant spiral [arcsec]; none for no such one."
    )
    cluster_members: int = Field(default=0, ge=0, le=100_000, description="Galaxies in the core of a cluster.")
    cluster_spacing: float = Field(
        default=6.0, ge=1, le=100, description="Mean distance of the members: one on so many pixels squared [px]."
    )

    star_density: float = Field(default=0.0, ge=0, le=1000, description="Stars per arcmin².")
    star_magnitudes: tuple[float, float] = Field(
        default=(17.0, 25.0), description="Brightest and faintest i magnitude of stars."
    )
    central_star: tuple[float, float] | None = Field(
        default=None, description="Range of the i magnitude of a star in the middle; none for no such star."
    )

    full_well: float | None = Field(
        default=None, gt=0, description="Electrons per visit at which a pixel saturates; none for no saturation."
    )
    noise_sum: float = Field(
        default=1.0,
        ge=1,
        le=9,
        description="Σξ of the noise's autocorrelation: 1 for counted electrons, 2 for a coadd.",
    )
    poisoned: bool = Field(default=False, description="Adds what goes wrong with images: see `poison`.")

    cut_level: float = Field(
        default=1e-4, gt=0, le=1, description="Sources are drawn out to this fraction of the sky noise per pixel."
    )
    max_radius: int = Field(default=150, ge=16, le=2000, description="Largest half side of a source's stamp [px].")
    kept_images: bool = Field(
        default=True,
        description="Keeps every source's image; else each is drawn again when it is asked for, which saves gigabytes.",
    )
    seed: int = Field(default=1, ge=0, description="Seed of everything that is random.")
    index: int = Field(default=0, ge=0, description="Number of the field among those of the same seed.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("n_galaxies", "magnitudes", "separation", "star_magnitudes", "central_star"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} must be (low, high) with low ≤ high, got {limits}")
        if self.region is not None and self.region > min(self.shape):
            raise ValueError(f"region of {self.region} px is larger than the image of shape {self.shape}")
        if self.placement == "row" and self.n_galaxies is None:
            raise ValueError("placement 'row' needs n_galaxies")
        return self

    @property
    def selection_band(self) -> str:
        """Band in which signal to noise counts: ``snr_band``, or the one nearest to it in wavelength."""
        if self.snr_band in self.conditions.names:
            return self.snr_band
        wanted = {b.name: b.wavelength for b in LSST_10Y.bands}.get(self.snr_band, 625.0)
        return min(self.conditions.bands, key=lambda b: abs(b.wavelength - wanted)).name


#: Options of the presets that differ from those of ``field``.
PRESETS: dict[str, dict[str, Any]] = {
    "field": {},
    "postage": {"shape": (45, 45), "region": 20, "n_galaxies": (1, 3)},
    "faint": {"undetected_to": 27.5},
    "patch": {
        "shape": (1000, 1000), "region": None, "n_galaxies": None, "magnitudes": (16.0, 28.5), "snr_min": 0.0,
        "galaxy_density": 100.0, "faintest": 27.5, "kept_images": False,
        "morphology": "mixed", "placement": "clustered", "star_density": 3.0, "full_well": 100_000.0,
        "cut_level": 0.01, "max_radius": 300,
    },
    "three-in-a-row": {
        "shape": (81, 101), "region": 41, "n_galaxies": (3, 3), "snr_min": 40.0, "magnitudes": (19.0, 24.5),
        "placement": "row",
    },
    "bright-star": {
        "shape": (401, 401), "region": 250, "n_galaxies": (25, 25), "central_star": (14.0, 16.0),
        "full_well": 100_000.0, "max_radius": 200,
    },
    "crowded": {
        "shape": (1000, 1000), "region": None, "n_galaxies": (300, 300), "placement": "clustered", "companions": 0.6,
        "morphology": "mixed", "cut_level": 0.002,
    },
    "poisoned": {
        "shape": (1000, 1000), "region": None, "n_galaxies": None, "magnitudes": (17.0, 28.0), "snr_min": 5.0,
        "galaxy_density": 30.0, "faintest": 27.0, "placement": "clustered", "star_density": 3.0,
        "star_magnitudes": (17.0, 24.0), "central_star": (14.0, 15.0), "full_well": 100_000.0, "giant_radius": 8.0,
        "cluster_members": 800, "cluster_spacing": 12.0, "poisoned": True, "cut_level": 0.01, "max_radius": 300,
    },
    "correlated": {"noise_sum": 2.0},
}  # fmt: skip


def preset(name: str, **options: Any) -> FieldConfig:
    """Options of a preset.

    ============== =====================================================================================
    field          the MADNESS test field (Biswas et al. 2025): 205² px, 12–20 galaxies with S/N ≥ 10 in r
    postage        one blend: 1–3 galaxies within 20² px of a stamp of 45² px
    faint          ``field`` plus galaxies below S/N 10, which are not in the truth
    patch          1000² px (change ``shape`` for others), 100 clustered galaxies per arcmin² to r = 27.5, stars
    three-in-a-row three galaxies, equally spaced on a line
    bright-star    a saturated star in the middle of 25 galaxies
    crowded        300 galaxies in 1000² px
    poisoned       1000² px with all that goes wrong: NaN columns, a saturated star with bleed, missing data, wrong
                   variances, a band without PSF, a giant galaxy, the core of a cluster with 500 peaks
    correlated     ``field`` with the correlated noise of a coadd
    ============== =====================================================================================

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    **options
        Fields of `FieldConfig` that go before the preset's.

    Returns
    -------
    FieldConfig

    Raises
    ------
    InputError
        If there is no such preset, or an option is out of range.
    """
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    try:
        return FieldConfig(**{**PRESETS[name], **options})
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
        raise InputError(f"preset {name}: {lines}") from error
