"""Draw the ten galaxies of the simulated fields of real galaxies on whose light the deblender hybrid is most wrong.

Run as ``python doc/figures_real/worst_profiles.py``. The folder with the data is named by MEAS_DEBLEND_DATA. The
picture goes to doc/_static/real and is kept under version control, because a build of the documentation has no data.
"""

import os
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from seven import OUT

from meas_deblend.apportion import render_templates
from meas_deblend.chains import load_chain
from meas_deblend.evaluate import Field, evaluate_field, open_fields
from meas_deblend.evaluate.samples import KAPPA_LIMIT

R, HALF = 2, 16


def cutouts(field: Field, k: int) -> list[np.ndarray]:
    """Cut out data, truth, model and residual in r around a galaxy."""
    made = load_chain("hybrid")(field.exposure(), field.sources)
    models, truth = np.zeros(field.image.shape), field.truth[k, R]
    own = np.zeros(field.image.shape)
    for parent in made.parent_models:
        for source, template in zip(parent.sources, render_templates(parent, field.box), strict=True):
            image = template.project(field.box).array
            models += image
            y, x = source.peak.center
            if int(np.argmin(np.hypot(field.y - y, field.x - x))) == k:
                own = own + image
    y, x = round(float(field.y[k])), round(float(field.x[k]))
    cut = (slice(max(y - HALF, 0), y + HALF + 1), slice(max(x - HALF, 0), x + HALF + 1))
    residual = (field.image[R] - models[R]) / np.sqrt(field.setting.sky[R])
    return [image[cut] for image in (field.image[R], truth, own[R], residual)]


def main() -> None:
    """Find and draw them."""
    mpl.use("Agg")
    data = Path(os.environ.get("MEAS_DEBLEND_DATA", "")) / "fields" / "cosmos"
    if not data.is_dir():
        sys.exit(f"no fields in {str(data)!r}: set MEAS_DEBLEND_DATA to the folder that holds fields/")
    fields, found = open_fields(data), []
    for n in range(len(fields)):
        scores = evaluate_field(fields.read(n), load_chain("hybrid")).scores
        kappa = scores.Fb[:, R] / scores.F[:, R] - 1
        errors = np.where(kappa <= KAPPA_LIMIT, scores.Fd[:, R] / scores.F[:, R] - 1, 0)
        found += [(abs(e), n, k, kappa[k], e, scores.snr[k]) for k, e in enumerate(errors)]
    figure, axes = plt.subplots(10, 4, figsize=(7, 18), layout="constrained")
    for row, (_, n, k, kappa, error, snr) in zip(axes, sorted(found, reverse=True)[:10], strict=True):
        parts = cutouts(fields.read(n), k)
        top = 3 * np.percentile(parts[1], 99)
        for axis, part, limits in zip(row, parts, [(-top / 10, top)] * 3 + [(-5, 5)], strict=True):
            colors = "RdBu_r" if limits == (-5, 5) else "gray"
            axis.imshow(part, origin="lower", cmap=colors, vmin=limits[0], vmax=limits[1])
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"κ {kappa:.2f}, S/N {snr:.0f}\nδF/F {error:+.2f}", fontsize=8)
    for axis, title in zip(axes[0], ("data (r)", "the galaxy", "its model", "(data − models) / σ"), strict=True):
        axis.set_title(title, fontsize=9)
    figure.savefig(OUT / "worst_hybrid.png", dpi=60)


if __name__ == "__main__":
    main()
