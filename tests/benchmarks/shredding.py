"""Large galaxies in pieces: what merging puts together again, and which neighbours it costs.

usage: python tests/benchmarks/shredding.py [fields [folder of fields …]]

Fields (60) with one large galaxy that has arms and clumps, and small galaxies, half of them on it. Printed: for limits
of contrast and colour the share of the pieces that are merged and of the neighbours that are lost, and what is detected
on fields with truth, where nothing is in pieces.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from structured_galaxies import structured_field

from meas_deblend.detect import (
    DetectConfig,
    StructureConfig,
    detect_bands,
    find_structure,
    merge_detections,
    merge_structure,
)
from meas_deblend.evaluate import match_objects, open_fields
from meas_deblend.evaluate.matching import count_detection

EVERYTHING = StructureConfig(max_contrast=1e9, max_color_chi2=1e9)


def pieces(fields: int) -> tuple[np.ndarray, int, int, list[float]]:
    """Whether it is real, contrast, χ² of each peak on a galaxy; counts of all pieces and neighbours; CPU seconds."""
    rows, detected, seconds = [], [], [0.0, 0.0]
    for seed in range(1000, 1000 + fields):
        field = structured_field(seed)
        start = time.process_time()
        found = merge_detections(detect_bands(field.exposure, DetectConfig()), DetectConfig(), int)
        middle = time.process_time()
        find_structure(field.exposure, found.parents, StructureConfig())
        seconds = [seconds[0] + middle - start, seconds[1] + time.process_time() - middle]
        merged = find_structure(field.exposure, found.parents, EVERYTHING)
        peaks = [peak for parent in found.parents for peak in parent.footprint.peaks]
        kinds = {(p.y, p.x): kind for p, kind in zip(peaks, field.kinds(peaks), strict=True)}
        detected += kinds.values()
        for one in merged:
            rows.append((kinds[one.peak.y, one.peak.x] == "real", one.structure.contrast, one.structure.chi2))
    return np.array(rows), detected.count("piece"), detected.count("real"), seconds


def on_fields(folder: str) -> None:
    """Print what detection finds on fields with truth, without merging and with it."""
    totals = [None, None]
    for field in open_fields(folder):
        exposure = field.exposure()
        found = merge_detections(detect_bands(exposure, DetectConfig()), DetectConfig(), int)
        whole = merge_structure(found, find_structure(exposure, found.parents, StructureConfig()))
        for k, one in enumerate((found, whole)):
            places = np.array([peak.center for parent in one.parents for peak in parent.footprint.peaks]).reshape(-1, 2)
            counts = count_detection(field, places, match_objects(field, places))
            totals[k] = counts if totals[k] is None else totals[k] + counts
    for name, counts in zip(("detected", "merged"), totals, strict=True):
        print(f"{Path(folder).name:8} {name:9} {counts}")


def main(fields: int, folders: list[str]) -> None:
    """Print the tables."""
    rows, n_pieces, n_real, seconds = pieces(fields)
    print(f"{fields} fields, {n_pieces} pieces, {n_real} neighbours")
    print(f"merging takes {seconds[1] / seconds[0]:.2f} of the time of detection")
    real, contrast, chi2 = rows[:, 0] > 0, rows[:, 1], rows[:, 2]
    print(f"{'contrast':>8} {'χ²':>6} {'pieces merged':>14} {'neighbours lost':>16}")
    for limit in (0.2, 0.3, 0.4, 0.5, 0.7, 1.0):
        for color in (1.5, 3.0, 6.0, np.inf):
            taken = (contrast <= limit) & (chi2 <= color)
            lost = (taken & real).sum() / n_real
            print(f"{limit:8.1f} {color:6.1f} {(taken & ~real).sum() / n_pieces:14.3f} {lost:16.3f}")
    for folder in folders:
        on_fields(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, sys.argv[2:])
