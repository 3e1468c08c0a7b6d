"""The yardstick Y: one real FFT pair of a float32 cube, so that costs can be given without naming a machine."""

import time

import numpy as np
import scipy.fft

__all__ = ["cpu_seconds", "yardstick"]


def cpu_seconds(function, repeats: int = 5) -> float:
    """Smallest CPU time of `repeats` calls of `function()`, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def yardstick(pairs: int = 400, repeats: int = 7) -> float:
    """CPU seconds of one rfft2 + irfft2 pair of a float32 array (6, 64, 64), one worker."""
    cube = np.random.default_rng(0).normal(size=(6, 64, 64)).astype(np.float32)

    def many() -> None:
        for _ in range(pairs):
            scipy.fft.irfft2(scipy.fft.rfft2(cube, workers=1), s=(64, 64), workers=1)

    return cpu_seconds(many, repeats) / pairs


if __name__ == "__main__":
    print(f"Y = {1e3 * yardstick():.4f} ms")
