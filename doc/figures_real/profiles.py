"""Draw what joint profiles, with and without structure, make of a real blend, beside the free-form fit.

Run as ``python doc/figures_real/profiles.py``. The folder with the data is named by MEAS_DEBLEND_DATA. The picture goes
to doc/_static/real and is kept under version control, because a build of the documentation has no data.
"""

import sys

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from seven import OUT, SEVEN, read_blend

from meas_deblend.apportion import render_templates
from meas_deblend.chains import load_chain
from meas_deblend.image import MultibandExposure
from meas_deblend.report.rgb import AsinhStretch, to_rgb

CENTERS = np.array(SEVEN, dtype=float)
NAMES = {"multi_band": "free-form", "joint_profiles": "profiles", "hybrid": "profiles and structure"}


def models_of(coadds: MultibandExposure, name: str) -> np.ndarray:
    """Images (source, band, y, x) of the models that a deblender makes of the seven sources."""
    made = load_chain(name, survey="hsc")(coadds, {"y": CENTERS[:, 0].tolist(), "x": CENTERS[:, 1].tolist()})
    out = np.zeros((len(SEVEN), *coadds.images.shape))
    for parent in made.parent_models:
        for source, template in zip(parent.sources, render_templates(parent, coadds.box), strict=True):
            y, x = source.peak.center
            k = int(np.argmin(np.hypot(*(CENTERS - (y, x)).T)))
            out[k] += template.project(coadds.box).array
    return out


def draw(coadds: MultibandExposure, models: dict[str, np.ndarray]) -> Figure:
    """Draw models, residuals and spectra, a row per deblender."""
    stretch = AsinhStretch.from_images(coadds.images, np.sqrt(np.median(coadds.variance, axis=(1, 2))))
    figure, axes = plt.subplots(len(models), 4, figsize=(14, 3.6 * len(models)), layout="constrained")
    for row, (name, cubes) in zip(axes, models.items(), strict=True):
        residual = (coadds.images - cubes.sum(axis=0)) / np.sqrt(coadds.variance)
        # Where the light is; the rest is sky, and there all are alike.
        lit = cubes.sum(axis=0) > np.sqrt(coadds.variance)
        chi2 = float((residual[lit] ** 2).mean())
        sys.stdout.write(
            f"{name}: χ² per pixel {(residual**2).mean():.3f}, where a model is above the noise {chi2:.3f}\n"
        )
        row[0].imshow(to_rgb(coadds.images, stretch), origin="lower")
        row[1].imshow(to_rgb(cubes.sum(axis=0), stretch), origin="lower")
        shown = row[2].imshow(residual[1], origin="lower", cmap="RdBu_r", vmin=-5, vmax=5)
        figure.colorbar(shown, ax=row[2], shrink=0.8)
        titles = ("data (grizy)", NAMES[name], f"(data − model) / σ in r; χ² per pixel {(residual**2).mean():.2f}")
        for axis, title in zip(row, titles, strict=False):
            axis.set_title(title, fontsize=10)
            axis.set(xticks=[], yticks=[])
        for k, cube in enumerate(cubes, start=1):
            row[3].plot(range(5), np.maximum(cube.sum(axis=(1, 2)), 1e-3), marker="o", ms=3, label=str(k))
        row[3].set(yscale="log", xticks=range(5), xticklabels=coadds.bands, ylabel="flux of the model [counts]")
        row[3].set_ylim(bottom=1)
        row[3].legend(ncols=2, fontsize=7)
    for k, (y, x) in enumerate(SEVEN, start=1):
        axes[0, 0].annotate(str(k), (x, y), (5, 5), textcoords="offset points", color="white", fontsize=9)
    return figure


def main() -> None:
    """Draw the picture."""
    mpl.use("Agg")
    coadds = read_blend()
    draw(coadds, {name: models_of(coadds, name) for name in NAMES}).savefig(OUT / "profiles.png", dpi=80)


if __name__ == "__main__":
    main()
