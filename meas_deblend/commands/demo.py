"""``meas-deblend demo``: a simulated sky with truth through the whole chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._atomic import atomic_write
from ..compiling import compile_apart
from ..framework import prepare_output
from ..image import PlaneSpec, read_coadds, write_coadd
from ..output import RunContext
from ..simulate import SkyConfig, simulate_sky
from ._settings import checked_layers, say, shown_warnings, start_log
from .one_patch import Settings, deblend_and_write

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ..api import DeblendResult
    from ..simulate import SimulatedSky

__all__ = ["compare_with_truth", "demo"]

_SURVEY = "generic"
_MATCH_RADIUS = 3.0


def demo(options: argparse.Namespace) -> int:
    """Simulate, write the sky as FITS coadds, run, and compare with the truth.

    Returns
    -------
    int
        That of the run.
    """
    start_log()
    layers = checked_layers(options, _SURVEY)
    folder = prepare_output(options.out, options.overwrite)
    compile_apart()
    say(f"simulating a sky (seed {options.seed})")
    sky = simulate_sky(SkyConfig(seed=options.seed))
    planes = write_sky(sky, folder / "sky")
    with shown_warnings():
        context = RunContext(options.command_line, planes, {"survey": _SURVEY}, figures=not options.no_figures)
        coadds = read_coadds(planes, survey=_SURVEY)
        code, result = deblend_and_write(coadds, folder, context, Settings(options.pipeline, layers))
    if result is None:
        return code
    if len(result.objects):
        say(compare_with_truth(result, sky))
    say("run it again with your own settings:")
    files = " ".join(f"{band}={spec.image}" for band, spec in planes.items())
    say(f"  meas-deblend run --coadd {files} --survey {_SURVEY} --out again/")
    return code


def write_sky(sky: SimulatedSky, folder: Path) -> dict[str, PlaneSpec]:
    """Write the coadds as ``<band>.fits`` and the truth as ``truth.ecsv``; return the files by band."""
    from astropy.table import Table  # noqa: PLC0415

    folder.mkdir(exist_ok=True)
    planes = {}
    for band in sky.exposure.bands:
        path = folder / f"{band}.fits"
        write_coadd(path, sky.exposure, band, overwrite=True)
        planes[band] = PlaneSpec(path)
    with atomic_write(folder / "truth.ecsv", "w") as stream:
        Table(sky.truth).write(stream, format="ascii.ecsv")
    return planes


def compare_with_truth(result: DeblendResult, sky: SimulatedSky, band: str = "i") -> str:
    """Say how many sources were found, and how well their model fluxes agree with the truth.

    Parameters
    ----------
    result : DeblendResult
    sky : SimulatedSky
        The truth.
    band : str
        Band of the fluxes.

    Returns
    -------
    str
        Lines for people. An object belongs to the nearest source within 3 pixels that has none yet, the brightest
        source choosing first.
    """
    truth, objects = sky.truth, result.objects
    scale = 10 ** (0.4 * (31.4 - (sky.exposure.zeropoints[0] or 31.4)))
    flux = truth[f"{band}_flux"] * scale
    matched = match_sources(truth, objects, flux)
    index = np.array(sorted(matched), dtype=int)
    found = np.array([matched[k] for k in sorted(matched)], dtype=int)
    model = np.asarray(objects[f"{band}_modelFlux"], dtype=np.float64)[found]
    error = np.abs(model / flux[index] - 1)
    bright = flux[index] > 10 ** (0.4 * (31.4 - 23.0))
    blended = np.asarray(objects["parentObjectId"])[found] != 0
    lines = [f"truth: {len(flux)} sources, {len(index)} found; {len(objects) - len(index)} objects match none"]
    for name, chosen in (("isolated", bright & ~blended), ("blended", bright & blended)):
        if chosen.any():
            lines.append(
                f"  {band} < 23, {name}: {int(chosen.sum())} sources, median |flux / true flux - 1| = "
                f"{np.median(error[chosen]):.3f}"
            )
    return "\n".join(lines)


def match_sources(truth: dict[str, Any], objects: Any, flux: Any) -> dict[int, int]:
    """Index of the object that belongs to each source that has one; brighter sources choose first."""
    x, y = np.asarray(objects["x"]), np.asarray(objects["y"])
    free = np.ones(len(x), dtype=bool)
    matched: dict[int, int] = {}
    for k in np.argsort(-flux):
        distance = np.where(free, np.hypot(x - truth["x"][k], y - truth["y"][k]), np.inf)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= _MATCH_RADIUS:
            matched[int(k)] = nearest
            free[nearest] = False
    return matched
