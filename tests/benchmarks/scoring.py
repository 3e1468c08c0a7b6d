"""What it costs to score a field, in Y: `python tests/benchmarks/scoring.py FIELDS` (target: below 40 000 Y)."""

import sys

from yardstick import cpu_seconds, yardstick

from meas_deblend.evaluate import Deblended, models_from_array, open_fields, score_field


def main() -> None:
    unit = yardstick()
    fields = open_fields(sys.argv[1])
    for field in (fields.read(k) for k in range(min(3, len(fields)))):
        images = models_from_array(0.9 * field.truth, field)
        cost = cpu_seconds(lambda images=images, field=field: score_field(field, Deblended(images, images)), 3)
        print(f"{field.name}: {len(field.x)} sources, {cost:.2f} s = {cost / unit:.0f} Y")


if __name__ == "__main__":
    main()
