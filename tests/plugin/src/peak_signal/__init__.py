"""Signal to noise of an object's brightest pixel, as a measurement of meas_deblend."""

import numpy as np

from meas_deblend.measure import MeasuredColumn

__all__ = ["PeakSignal"]


class PeakSignal:
    """Largest pixel within three pixels of the object, in units of its own noise."""

    name = "peak_signal"
    columns = (
        MeasuredColumn("peakSignal", "", "Largest signal to noise of a pixel within 3 pixels of x, y."),
        MeasuredColumn("peakSignal_flag", "", "There is no usable pixel within 3 pixels of x, y.", flag=True),
    )

    def __call__(self, pixels, psfs, position):
        """Measure one object in all bands."""
        (y0, x0), (height, width) = pixels.box.origin, pixels.box.shape
        y, x = np.arange(height)[:, None] + y0 - position[0], np.arange(width) + x0 - position[1]
        near = pixels.usable & (np.hypot(y, x) <= 3)
        signal = np.where(near, pixels.flux / np.sqrt(np.where(near, pixels.noise, 1.0)), -np.inf).max(axis=(1, 2))
        found = np.isfinite(signal)
        return {"peakSignal": np.where(found, signal, np.nan), "peakSignal_flag": ~found}
