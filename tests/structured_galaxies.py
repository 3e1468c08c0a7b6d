"""Large galaxies with spiral arms, clumps and a bulge, and small galaxies around them, drawn here with their truth."""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from meas_deblend.geometry import Box
from meas_deblend.image import MaskPlanes, MultibandExposure
from meas_deblend.simulate import (
    HSC_WIDE,
    Sersic,
    SimulatedComponent,
    SimulatedSource,
    SkyConfig,
    draw_source,
)
from meas_deblend.simulate.drawing import stamp_radius
from meas_deblend.simulate.scene import sky_psfs, sky_variance

BANDS = HSC_WIDE[:3]
SIDE = 181


@dataclass(frozen=True)
class StructuredField:
    """An image with one large galaxy in the middle, and what is on it."""

    exposure: MultibandExposure
    center: tuple[float, float]
    radius: float
    neighbours: np.ndarray
    """Rows of y, x, and flux in the last band."""

    def kinds(self, peaks):
        """Say of each peak what it is: the galaxy ("host"), a neighbour ("real"), or a piece of it ("piece")."""
        fwhm = BANDS[-1].seeing / SkyConfig().pixel_scale
        where = np.array([peak.center for peak in peaks]).reshape(-1, 2)
        kinds = np.full(len(peaks), "piece", dtype="<U5")
        taken = np.zeros(len(peaks), dtype=bool)
        # The brightest chooses first, and the galaxy before all.
        order = np.argsort(-self.neighbours[:, 2], kind="stable") if len(self.neighbours) else []
        for kind, place in [("host", self.center), *(("real", self.neighbours[k, :2]) for k in order)]:
            distance = np.where(taken, np.inf, np.hypot(*(where - place).T))
            if len(distance) and distance.min() <= 0.8 * fwhm:
                nearest = int(distance.argmin())
                kinds[nearest], taken[nearest] = kind, True
        return kinds


def structured_field(seed, *, radius=None, neighbours=12, structure=1.0):
    """Draw a galaxy with arms and clumps of relative strength ``structure``, and neighbours of random colours."""
    rng = np.random.default_rng([seed, 7])
    config = SkyConfig(bands=BANDS, shape=(SIDE, SIDE), seed=seed)
    psfs, sky = sky_psfs(config), sky_variance(config)
    middle = tuple(SIDE // 2 + rng.uniform(-0.5, 0.5, 2))
    radius = float(rng.uniform(8, 24)) if radius is None else radius
    # Mean surface brightness of discs within the half-light radius, from that of bright spirals to faint ones.
    brightness = rng.uniform(21.5, 23.5)
    q, angle = rng.uniform(0.4, 1), rng.uniform(0, np.pi)
    total = brightness - 2.5 * np.log10(2 * np.pi * q * (radius * config.pixel_scale) ** 2)
    fluxes = 10 ** (-0.4 * (total + np.linspace(0.7, 0, len(BANDS)) - config.zeropoint))
    planes = fluxes[:, None, None] * _galaxy(rng, middle, (radius, q, angle), structure)
    stamps = [psf.image(SIDE // 2, SIDE // 2).stamp for psf in psfs]
    model = np.array([signal.fftconvolve(plane, s, mode="same") for plane, s in zip(planes, stamps, strict=True)])
    drawn = [one for k in range(neighbours) if (one := _neighbour(rng, k, middle, radius)) is not None]
    for source in drawn:
        image = draw_source(source, psfs, stamp_radius(source, np.sqrt(sky), config.cut_level, config.max_radius))
        here, there = image.box.overlap_slices(Box((0, 0), (SIDE, SIDE)))
        model[(slice(None), *there)] += image.array[(slice(None), *here)]
    rows = np.array([(s.y, s.x, s.components[0].flux[-1]) for s in drawn]).reshape(-1, 3)
    return StructuredField(_exposed(model, psfs, sky, seed), middle, radius, rows)


def _neighbour(rng, k, middle, radius):
    """Small galaxy, every second one on the large one; none on the nucleus, where nobody could tell."""
    y, x = rng.uniform(6, SIDE - 7, 2)
    if k % 2:
        away, where = 2.5 * radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        y, x = middle[0] + away * np.sin(where), middle[1] + away * np.cos(where)
    if np.hypot(y - middle[0], x - middle[1]) < 5:
        return None
    magnitude = 20 + 4.5 * np.sqrt(rng.random()) + np.linspace(rng.uniform(-0.2, 1.6), 0, len(BANDS))
    flux = tuple(float(f) for f in 10 ** (-0.4 * (magnitude - SkyConfig().zeropoint)))
    size, index = float(rng.uniform(0.7, 4)), float(rng.choice([1.0, 2.5]))
    shape = Sersic(size, index, float(rng.uniform(0.4, 1)), float(rng.uniform(0, 180)))
    return SimulatedSource(k + 1, float(y), float(x), (SimulatedComponent(shape, flux),), is_star=False)


def _exposed(model, psfs, sky, seed):
    gain = np.array([b.gain for b in BANDS])[:, None, None]
    variance = sky[:, None, None] + np.maximum(model, 0) / gain
    noise = np.random.default_rng([seed, 8]).standard_normal(model.shape)
    return MultibandExposure(
        tuple(b.name for b in BANDS),
        (model + np.sqrt(variance) * noise).astype(np.float32),
        variance.astype(np.float32),
        np.zeros(model.shape, dtype=np.int32),
        psfs,
        MaskPlanes({"BAD": 0, "SAT": 1, "NO_DATA": 2}, ("BAD", "SAT", "NO_DATA")),
        zeropoints=(SkyConfig().zeropoint,) * len(BANDS),
        pixel_scale=SkyConfig().pixel_scale,
    )


def _galaxy(rng, middle, shape, structure):
    """Images (band, y, x) of unit sum: an exponential disc with arms and clumps that are bluer, and a redder bulge."""
    radius, q, angle = shape
    yy, xx = np.indices((SIDE, SIDE), dtype=float)
    dy, dx = yy - middle[0], xx - middle[1]
    u = np.cos(angle) * dx + np.sin(angle) * dy
    v = (-np.sin(angle) * dx + np.cos(angle) * dy) / q
    r, phi = np.hypot(u, v), np.arctan2(v, u)
    disc = np.exp(-1.678 * r / radius)
    pitch, number, phase = rng.uniform(0.2, 0.45), rng.choice([2, 3, 4]), rng.uniform(0, 2 * np.pi)
    wave = np.cos(number * (phi - np.log(np.maximum(r, 0.3 * radius) / radius) / np.tan(pitch)) + phase)
    arms = structure * rng.uniform(0.1, 0.5) * (0.5 + 0.5 * wave) ** 3 * 3
    clumps = np.zeros_like(disc)
    for _ in range(rng.integers(4, 20)):
        place = min(rng.gamma(2.0, radius / 1.678), 2.5 * radius)
        where = rng.uniform(0, 2 * np.pi)
        cu, cv = place * np.cos(where), place * np.sin(where)
        size = rng.uniform(0.5, 2.0)
        # HII regions and associations: a power law of luminosities, in units of the disc's light on their pixels.
        height = structure * 0.3 * min(rng.random() ** (-1 / 1.2), 8) * np.exp(-1.678 * place / radius)
        clumps += height * np.exp(-0.5 * ((u - cu) ** 2 + q**2 * (v - cv) ** 2) / size**2) * 4 / size**2
    bulge = np.exp(-1.678 * r / (0.15 * radius)) * rng.uniform(1, 8)
    bluer = np.linspace(1.25, 0.85, len(BANDS))
    planes = np.array([disc * (1 + arms * b) + clumps * b**2 + bulge / b for b in bluer])
    return planes / planes.sum(axis=(1, 2), keepdims=True)
