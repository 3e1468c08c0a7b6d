"""The whole experiment: perfect chains are perfect, real ones unbiased where nothing blends."""

import json

import numpy as np
import pytest

from meas_deblend.chains import load_chain
from meas_deblend.exceptions import PipelineError
from meas_deblend.inject import (
    BAND_COLUMNS,
    COLUMNS,
    InjectionConfig,
    KnownObjects,
    describe_sky,
    inject_sources,
    run_injection,
    summarise_injection,
)
from meas_deblend.inject.summary import reference_color

NOBODY = KnownObjects(np.zeros(0), np.zeros(0), np.zeros((0, 2)))
# Far enough from each other for footprints of their own, at many places within a pixel.
GRID = [(18 + 30 * (k // 4) + 0.07 * k, 20 + 32 * (k % 4) + 0.11 * k) for k in range(16)]
WIDE = (130, 140)


def test_a_perfect_chain_is_perfect(blank, stars, oracle):
    exposure, catalog = blank(shape=WIDE, noise=False), stars(GRID)
    config = InjectionConfig(density=None, realizations=4)
    result = run_injection(exposure, catalog, [oracle(), oracle(factor=0.5, deblender="half")], config, known=NOBODY)
    assert list(result.columns) == [*COLUMNS, *(f"{b}_{name}" for b in "gr" for name in BAND_COLUMNS)]
    assert {len(column) for column in result.columns.values()} == {32}
    # Columns are in nJy: 22 mag is 10^(0.4 (31.4 − 22)).
    assert result.columns["r_trueFlux"] == pytest.approx([10 ** (0.4 * 9.4)] * 32)
    assert result.columns["g_trueFlux"] == pytest.approx([10 ** (0.4 * 8.4)] * 32)
    perfect, half = result.summary["deblenders"]["oracle"]["all"], result.summary["deblenders"]["half"]["all"]
    for band in "gr":
        assert perfect["bands"][band]["aperture"]["value"] == pytest.approx(0, abs=1e-5)
        assert perfect["bands"][band]["psf"]["value"] == pytest.approx(0, abs=1e-3)
        halved = half["bands"][band]["aperture"]
        assert (halved["n"], halved["value"]) == (16, pytest.approx(-0.5, abs=1e-5))
        assert halved["error"] == pytest.approx(0, abs=1e-6)
        assert half["bands"][band]["mean_abs"]["value"] == pytest.approx(0.5, abs=1e-5)
        assert half["bands"][band]["model"]["value"] == pytest.approx(-0.5, abs=1e-3)
    assert half["colors"]["g-r"]["value"] == pytest.approx(0, abs=1e-5)
    assert perfect["completeness"] == {"n": 16, "value": 1, "error": 0}
    json.dumps(result.summary, allow_nan=False)


def test_the_chain_is_given_what_was_there_and_what_was_injected(blank, stars, oracle):
    known = KnownObjects(np.array([50.0]), np.array([52.0]), np.array([[100.0, 1000.0]]))
    exposure, chain = blank(), oracle()
    result = run_injection(exposure, stars([(50.0, 60.0)]), [chain], InjectionConfig(), known=known)
    assert [call["id"] for call in chain.calls] == [["known0"], ["known0", "injected0"]]
    assert result.columns["neighborSeparation"] == pytest.approx([8 * 0.2])
    flux = 10 ** (0.4 * (26.5 - 22.0))
    assert result.columns["contrast"] == pytest.approx([flux / 1000])
    assert not result.columns["neighborInjected"].any()
    # The neighbour's box holds a part of the injected light.
    assert 0 < result.columns["r_neighborChange"][0] < result.columns["r_trueFlux"][0]
    assert result.columns["parentPeaks"].tolist() == [1]
    assert result.columns["objectDistance"] == pytest.approx([0])


@pytest.mark.parametrize("name", ["none", "single_band"])
def test_isolated_stars_are_unbiased(blank, stars, name):
    chain = load_chain(name)
    config = InjectionConfig(density=None, realizations=1, gain=50.0, seed=4)
    exposures = [blank(shape=WIDE, seed=seed) for seed in range(3)]
    runs = [run_injection(e, stars(GRID, magnitude=22.5), [chain], config, known=NOBODY).columns for e in exposures]
    columns = {key: np.concatenate([run[key] for run in runs]) for key in runs[0]}
    assert columns["recovered"].all()
    for band in "gr":
        for measured, true in (("childApertureFlux", "trueApertureFlux"), ("psfFlux", "trueFlux")):
            error = columns[f"{band}_{measured}Err".replace("childA", "a")]
            pulls = (columns[f"{band}_{measured}"] - columns[f"{band}_{true}"]) / error
            # 48 stars: four standard errors of mean and standard deviation.
            assert abs(pulls.mean()) < 4 / np.sqrt(48), (band, measured)
            assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * 48), (band, measured)


def test_detection_finds_stars_but_not_what_is_merged(blank, stars):
    exposure, _ = inject_sources(
        blank(shape=(70, 110)), stars([(35.0, 30.0)], magnitude=19.5).sources(blank()), rng=np.random.default_rng(1)
    )
    chain = load_chain("none")
    known = describe_sky(exposure, chain)
    assert len(known) == 1
    assert (known.y[0], known.x[0]) == (pytest.approx(35, abs=1), pytest.approx(30, abs=1))
    catalog = stars([(35.0, 80.0), (35.8, 31.0)], magnitude=22.5)
    config = InjectionConfig(density=None, realizations=2, detect=True)
    columns = run_injection(exposure, catalog, [chain], config, known=known).columns
    found = dict(zip(columns["injectionId"].tolist(), columns["recovered"].tolist(), strict=True))
    assert found == {0: True, 1: False}


def test_a_chain_that_fails_finds_nobody_and_the_summary_says_so(blank, stars, oracle):
    class Failing(oracle):
        def __call__(self, exposure, sources):
            if self.calls:
                raise PipelineError("multi_band failed: no memory")
            return super().__call__(exposure, sources)

    result = run_injection(blank(), stars([(30, 30)]), [Failing()], InjectionConfig(), known=NOBODY)
    assert result.summary["errors"] == {"oracle": ["realization 0: multi_band failed: no memory"]}
    numbers = result.summary["deblenders"]["oracle"]["all"]
    assert numbers["completeness"]["value"] == 0
    assert numbers["bands"]["r"]["aperture"] == {"n": 0, "value": None, "error": None}


def table(n=40, **changes):
    """Columns of ``n`` sources in two bands, half of them doubled in flux."""
    rng = np.random.default_rng(1)
    columns = {
        "deblender": np.full(n, "a", dtype=object),
        "realization": np.arange(n) // 4,
        "is_star": np.zeros(n, dtype=bool),
        "recovered": np.ones(n, dtype=bool),
        "neighborSeparation": np.where(np.arange(n) % 2, 0.5, 2.5),
        "contrast": np.where(np.arange(n) % 2, 0.05, 2.0),
    }
    for band in "gr":
        true = rng.uniform(100, 200, n)
        columns |= {
            f"{band}_trueFlux": true,
            f"{band}_trueApertureFlux": true,
            f"{band}_childApertureFlux": true * np.where(np.arange(n) % 2, 2.0, 1.0),
            f"{band}_apertureFluxErr": np.ones(n),
            f"{band}_usableFraction": np.ones(n),
            f"{band}_kappa": np.where(np.arange(n) % 2, 0.5, 0.0),
            f"{band}_modelFlux": true,
            f"{band}_psfFlux": true,
            f"{band}_neighborChange": -true * (np.arange(n) % 2),
        }
    return columns | changes


def test_bins_hold_what_belongs_to_them():
    numbers = summarise_injection(table(), ("g", "r"), "r", 1.0)["deblenders"]["a"]
    for axis, low, high in (("separation", 0.5, 2), ("contrast", 0, 1), ("kappa", 0.3, -np.inf)):
        biased, right = (
            next(e for e in numbers[axis] if e["low"] == (None if edge == -np.inf else edge)) for edge in (low, high)
        )
        assert biased["bands"]["r"]["aperture"]["value"] == pytest.approx(1)
        assert biased["bands"]["r"]["neighbor"]["value"] == pytest.approx(-1)
        assert right["bands"]["g"]["aperture"] == {"n": 20, "value": pytest.approx(0), "error": pytest.approx(0)}
        assert sum(e["completeness"]["n"] for e in numbers[axis]) == 40
    assert numbers["all"]["bands"]["r"]["mean_abs"]["value"] == pytest.approx(0.5)
    assert numbers["all"]["bands"]["r"]["psf"]["n"] == 0


def test_errors_come_from_realizations():
    completeness = np.repeat(np.random.default_rng(2).random(10) < 0.5, 4)
    numbers = summarise_injection(table(recovered=completeness), ("g", "r"), "r", 1.0)["deblenders"]["a"]["all"]
    p = completeness.mean()
    # Ten independent realizations, each all or nothing; 15 % for the finite number of resamples.
    assert numbers["completeness"]["error"] == pytest.approx(np.sqrt(p * (1 - p) / 10), rel=0.15)
    one = summarise_injection(table(realization=np.zeros(40, dtype=int)), ("g", "r"), "r", 1.0)
    assert one["deblenders"]["a"]["all"]["completeness"] == {"n": 40, "value": 1.0, "error": None}


@pytest.mark.parametrize(
    "change",
    [
        {"r_apertureFluxErr": np.full(40, 50.0)},
        {"r_usableFraction": np.full(40, 0.5)},
        {"r_kappa": np.full(40, 6.0)},
        {"recovered": np.zeros(40, dtype=bool)},
    ],
)
def test_what_cannot_be_judged_is_left_out(change):
    numbers = summarise_injection(table(**change), ("g", "r"), "r", 1.0)["deblenders"]["a"]["all"]
    assert numbers["bands"]["r"]["aperture"]["n"] == 0
    assert numbers["colors"]["g-r"]["n"] == 0


def test_the_colour_that_stands_for_all():
    assert reference_color(("g", "r", "i"), "r") == "g-r"
    assert reference_color(("r", "i"), "r") == "r-i"
    assert reference_color(("r",), "r") == ""
