"""What a simulated field costs, in units of the yardstick: the first of a process, and the mean of those after it.

usage: python tests/benchmarks/simulate_field.py [preset] [number of fields]
"""

import sys
import time

from yardstick import yardstick

from meas_deblend.simulate import preset, simulate_field


def main(name: str = "field", n_fields: int = 10) -> None:
    """Print CPU seconds and costs."""
    y = yardstick()
    seconds = []
    for index in range(n_fields + 1):
        config = preset(name, index=index)
        start = time.process_time()
        simulate_field(config)
        seconds.append(time.process_time() - start)
    mean = sum(seconds[1:]) / n_fields
    print(f"Y = {1e3 * y:.4f} ms")
    print(f"{name}, first: {seconds[0]:.3f} s = {seconds[0] / y:.0f} Y (tables and transfer functions are made)")
    print(f"{name}, mean of {n_fields} more: {mean:.3f} s = {mean / y:.0f} Y")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
