"""The multi-band engine on one real and five simulated blends, against what Rubin's library of 2025 reached on them."""

import json

import numpy as np
import pytest

from meas_deblend.scarlet import FitConfig, deblend_blend

CASES = ("a_cosmos35", "b41_0", "b41_1", "b61_0", "b61_1", "c50_300")


@pytest.fixture(scope="module")
def reference(data_dir):
    path = data_dir / "bench" / "reference.json"
    if not path.is_file():
        pytest.skip(f"no reference results at {path}")
    return json.loads(path.read_text())["cases"]


def blend_arguments(data_dir, case, dtype):
    with np.load(data_dir / "bench" / f"{case}.npz") as file:
        data = {
            name: file[name]
            for name in file.files
            if name in {"images", "variance", "psfs", "centers", "detect", "footprint"}
        }
    return {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in data.items()}


@pytest.mark.parametrize("case", CASES)
def test_production_follows_the_reference(data_dir, reference, case):
    expected = reference[case]["production"]
    blend = deblend_blend(**blend_arguments(data_dir, case, np.float64), config=FitConfig.production())
    assert blend.iterations == expected["iters"]
    assert blend.stop_reason == "converged"
    # The reference ran in single precision.
    assert blend.loss[0] == pytest.approx(expected["logL_init"], rel=1e-5)
    assert blend.logL == pytest.approx(expected["logL"], rel=1e-4)
    assert blend.loss[:60] == pytest.approx(reference[case]["loss"][:60], rel=1e-4)
    for source, there in zip(blend.sources, expected["sources"], strict=True):
        assert list(source.center) == there["center"]
        assert [[*c.box.origin, *c.box.shape] for c in source.components] == there["boxes"]
        assert source.flux == pytest.approx(there["flux"], rel=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_detect", [True, False])
def test_default_is_not_fooled_by_turning_points(data_dir, dtype, with_detect):
    arguments = blend_arguments(data_dir, "a_cosmos35", dtype)
    if not with_detect:
        del arguments["detect"]
    blend = deblend_blend(**arguments)
    assert blend.iterations <= 100
    # Half the number of pixels and bands is 6960; the reference stops at -17759.
    assert blend.logL >= -9500


@pytest.mark.parametrize("case", CASES)
def test_default_fits_better_than_production(data_dir, reference, case):
    blend = deblend_blend(**blend_arguments(data_dir, case, np.float32))
    assert blend.logL > reference[case]["production"]["logL"]


def test_injected_star_has_its_magnitudes(data_dir):
    path = data_dir / "real" / "testdata_3_0.npz"
    if not path.is_file():
        pytest.skip(f"no image with an injected star at {path}")
    with np.load(path) as file:
        centers = file["centers"]
        blend = deblend_blend(
            file["images"],
            file["variance"],
            file["psfs"],
            centers,
            footprint=~file["footprint"],  # True is outside there
        )
    (k,) = [i for i, center in enumerate(centers) if tuple(center) == (11, 126)]
    magnitudes = 27 - 2.5 * np.log10(blend.sources[k].flux[:4])
    # Magnitudes in g, r, i, z with which the star was put in.
    assert magnitudes == pytest.approx([24.904, 24.368, 24.178, 24.110], abs=0.06)
