"""Draw what the multi-band engine makes of a real blend, for the tutorial page about it.

Run as ``python doc/figures_real/multi_band.py``. The folder with the data is named by MEAS_DEBLEND_DATA. The picture
goes to doc/_static/real and is kept under version control, because a build of the documentation has no data.
"""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from seven import OUT, SEVEN, read_blend

from meas_deblend.image import MultibandExposure
from meas_deblend.report.rgb import AsinhStretch, to_rgb
from meas_deblend.scarlet import Blend, FitConfig, deblend_blend


def fit(coadds: MultibandExposure, config: FitConfig) -> Blend:
    """Fit the seven sources in all bands."""
    psfs = np.stack([psf.image(29.0, 24.0).stamp for psf in coadds.psfs if psf is not None])
    return deblend_blend(coadds.images, coadds.variance, psfs, SEVEN, bands=coadds.bands, config=config)


def draw(coadds: MultibandExposure, blend: Blend, other: Blend) -> Figure:
    """Draw data, model and residual, the spectra, and the likelihood on the way."""
    stretch = AsinhStretch.from_images(coadds.images, np.sqrt(np.median(coadds.variance, axis=(1, 2))))
    figure, axes = plt.subplots(2, 3, figsize=(11, 8), layout="constrained")
    model = blend.model()
    residual = (coadds.images - model) / np.sqrt(coadds.variance)
    for axis, cube, title in zip(axes[0], (coadds.images, model), ("data (grizy)", "model"), strict=False):
        axis.imshow(to_rgb(cube, stretch), origin="lower")
        axis.set_title(title, fontsize=10)
    shown = axes[0, 2].imshow(residual[1], origin="lower", cmap="RdBu_r", vmin=-5, vmax=5)
    axes[0, 2].set_title("(data − model) / σ in r", fontsize=10)
    figure.colorbar(shown, ax=axes[0, 2], shrink=0.8)
    for k, ((y, x), source) in enumerate(zip(SEVEN, blend.sources, strict=True), start=1):
        axes[0, 0].annotate(str(k), (x, y), (5, 5), textcoords="offset points", color="white", fontsize=9)
        axes[1, 0].errorbar(range(5), source.flux, source.flux_error, marker="o", ms=3, capsize=2, label=str(k))
    axes[1, 0].set(yscale="log", xticks=range(5), xticklabels=coadds.bands, ylabel="flux [counts]", title="spectra")
    axes[1, 0].legend(ncols=2, fontsize=8)
    axes[1, 1].imshow(to_rgb(blend.source_model(0), stretch), origin="lower")
    axes[1, 1].set_title("model of source 1", fontsize=10)
    for name, one in (("default", blend), ("as in Rubin's pipelines", other)):
        axes[1, 2].plot(-np.array(one.loss), label=f"{name}: {one.logL:.0f}")
    axes[1, 2].set(yscale="log", xlabel="iteration", ylabel="−log L", title="likelihood on the way")
    axes[1, 2].legend(fontsize=8)
    for axis in (*axes[0], axes[1, 1]):
        axis.set(xticks=[], yticks=[])
    return figure


def main() -> None:
    """Draw the picture."""
    mpl.use("Agg")
    coadds = read_blend()
    figure = draw(coadds, fit(coadds, FitConfig()), fit(coadds, FitConfig.production()))
    figure.savefig(OUT / "multi_band_engine.png", dpi=100)


if __name__ == "__main__":
    main()
