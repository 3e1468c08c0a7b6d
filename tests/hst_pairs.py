"""Pairs of real galaxies that detection takes for one, and single ones: cut out of fields with truth, put on new sky.

The fields are those of galaxies seen by HST (the set ``cosmos``; see `meas_deblend.evaluate.open_fields`), whose true
images have no noise and no neighbours.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from meas_deblend.evaluate import open_fields
from meas_deblend.image import ImagePsf, MaskPlanes, MultibandExposure

STEP, ROWS, MARGIN = 50, 4, 8
REACH = 25
RATIOS, SEPARATIONS = (0.2, 1.0), (0.5, 1.0)
BAND = "r"


@dataclass(frozen=True)
class Galaxies:
    """Noiseless galaxies (n, band, y, x) around the middle pixel, with magnitudes in r, and how they are observed."""

    images: np.ndarray
    magnitudes: np.ndarray
    setting: object

    @property
    def fwhm(self):
        """Mean over the bands, pixels."""
        return float(np.mean(self.setting.fwhm))


@dataclass(frozen=True)
class HstSky:
    """A sky of places, at each of which stands a pair or a single galaxy."""

    exposure: MultibandExposure
    places: np.ndarray
    """Rows of y, x of the light, 1 for a pair or 0 for a single one, and its magnitude in r."""


def read_galaxies(folder):
    """Cut all galaxies out of the fields of a folder."""
    fields = open_fields(folder)
    images, magnitudes = [], []
    band = fields.setting.bands.index(BAND)
    for field in fields:
        for k, (y, x) in enumerate(zip(field.y, field.x, strict=True)):
            middle = round(y), round(x)
            low = [m - REACH for m in middle]
            if min(low) < 0 or any(m + REACH >= n for m, n in zip(middle, field.image.shape[1:], strict=True)):
                continue
            cut = field.truth[k, :, low[0] : low[0] + 2 * REACH + 1, low[1] : low[1] + 2 * REACH + 1]
            images.append(_shifted(cut, middle[0] - y, middle[1] - x))
            magnitudes.append(field.magnitudes[k, band])
    return Galaxies(np.array(images), np.array(magnitudes), fields.setting)


def hst_sky(galaxies, seed, faintest=np.inf):
    """Draw 16 places, half of them pairs: magnitudes are those of galaxies of the fields that are bright enough."""
    rng = np.random.default_rng([seed, 23])
    eligible = np.flatnonzero(galaxies.magnitudes < faintest)
    setting, places = galaxies.setting, []
    light = np.zeros((len(setting.bands), *[STEP * ROWS + 2 * MARGIN] * 2))
    for n in range(ROWS**2):
        center = MARGIN + STEP * (np.array(divmod(n, ROWS)) + 0.5) + rng.uniform(-0.5, 0.5, 2)
        first, second = rng.choice(eligible, 2, replace=False)
        is_pair = n % 2
        if is_pair:
            share = 1 / (1 + rng.uniform(*RATIOS))
            angle = rng.uniform(0, 2 * np.pi)
            away = rng.uniform(*SEPARATIONS) * galaxies.fwhm * np.array([np.sin(angle), np.cos(angle)])
            _put(light, share * galaxies.images[first], center - (1 - share) * away)
            # As bright as its companion, whatever it was: the place then has the magnitude of the first.
            fainter = 10 ** (-0.4 * (galaxies.magnitudes[first] - galaxies.magnitudes[second]))
            _put(light, (1 - share) * fainter * galaxies.images[second], center + share * away)
        else:
            _put(light, galaxies.images[first], center)
        places.append((*center, is_pair, galaxies.magnitudes[first]))
    variance = setting.sky[:, None, None] + np.maximum(light, 0)
    exposure = MultibandExposure(
        setting.bands,
        (light + rng.normal(0, np.sqrt(variance))).astype(np.float32),
        variance.astype(np.float32),
        np.zeros(light.shape, dtype=np.int32),
        tuple(ImagePsf(stamp) for stamp in setting.psf),
        mask_planes=MaskPlanes({"BAD": 0}, ("BAD",)),
        zeropoints=setting.zeropoints,
    )
    return HstSky(exposure, np.array(places))


def _put(light, cube, center):
    """Add a galaxy with its middle at a place between pixels."""
    y, x = (round(c) for c in center)
    moved = _shifted(cube, center[0] - y, center[1] - x)
    light[:, y - REACH : y + REACH + 1, x - REACH : x + REACH + 1] += moved


def _shifted(cube, dy, dx):
    """Images (band, y, x) moved within the pixel; they are sampled finely enough for splines."""
    return ndimage.shift(cube, (0, dy, dx), order=5, mode="constant")
