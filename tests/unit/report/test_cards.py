"""The page of an evaluation card."""

import numpy as np
import pytest

from meas_deblend.evaluate import FieldResult, FieldSetting, Scores, ScoreTable, make_card
from meas_deblend.report.cards import write_card_page

BANDS = ("g", "r")


def scores(n=40, *, shapes=True, seed=0):
    """Made-up scores of two fields."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(1e3, 1e4, (n, 2))
    kappa = np.repeat(rng.choice([0.0, 0.005, 0.05, 0.3, 2.0], (n, 1)), 2, axis=1)
    shape = rng.normal(0, 0.1, (n, 2)) if shapes else np.full((n, 2), np.nan)
    columns = {
        "F": truth, "Fb": truth * (1 + kappa), "F0": truth, "Ferr": truth / 20, "sigma": truth / 20,
        "beta": kappa / (1 + kappa), "Fd": truth * (1 + 0.1 * kappa), "Fm": 0.9 * truth, "Fc": 1.02 * truth,
        "cos": rng.uniform(0.9, 1, (n, 2)), "ssim": rng.uniform(0.9, 1, (n, 2)),
        "ssim_stamp": rng.uniform(0.8, 1, (n, 2)), "magnitudes": rng.uniform(22, 25, (n, 2)),
    }  # fmt: skip
    return Scores(
        field=np.zeros(n, dtype=np.int64),
        index=np.arange(n),
        **columns,
        e_true=shape,
        e=1.1 * shape,
        e_child=0.9 * shape,
        modelled=np.ones(n, dtype=bool),
        snr=rng.uniform(10, 300, n),
        size=np.ones(n),
    )


def card_of(found, about=None):
    setting = FieldSetting(BANDS, np.ones((2, 3, 3)), np.full(2, 4.0), np.ones(2), (28.0, 28.0))
    result = FieldResult(
        "field_000", found, {"detect": 0.1, "deblend": 0.2, "apportion": 0.1}, {}, 0.3, 12.0, {"ok": 3}
    )
    start = {"deblender": "mine <b>", "centres": "given", "fields": "test", "settings": {}, "versions": {}}
    return make_card([result], setting, start | (about or {}))


def test_page_and_pictures(tmp_path):
    found = scores()
    card = card_of(found)
    files = write_card_page(card, ScoreTable(found, BANDS, ["field_000"]), tmp_path)
    names = {file.name for file in files}
    assert names == {"index.html", "cumulative.png", "boxes.png", "bias.png", "colours.png", "likeness.png",
                     "shapes.png"}  # fmt: skip
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "mine &lt;b&gt; on test" in page
    assert all(f'src="{name}"' in page for name in names - {"index.html"})
    assert "nan" not in page.lower().replace("nano", "")
    assert card["summary"]["seconds_per_field"] == pytest.approx(0.3)


def test_what_was_not_measured_has_no_picture(tmp_path):
    found = scores(3, shapes=False)
    card = card_of(found) | {"zeropoints": [None, None], "missing": {"shapes": "GalSim is not installed"}}
    names = {file.name for file in write_card_page(card, ScoreTable(found, BANDS, ["field_000"]), tmp_path)}
    assert not names & {"colours.png", "shapes.png"}
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Not measured: shapes: GalSim is not installed" in page
    assert card["summary"]["failed_shapes"] is None
