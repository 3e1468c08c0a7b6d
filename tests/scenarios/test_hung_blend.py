"""A fit that hangs in a worker process costs its own blend its place on the ladder, and nobody else anything."""

import time

import numpy as np
import small_sky

import meas_deblend as md
from meas_deblend.deblenders.blend_fit import BlendFitter

# Far above what fits of these few sources take, on a busy machine too, and far below what the hung one would.
SETTINGS = {"multi_band": {"cost_budget": 1.0, "timeout": 4.0, "fit": {"max_iter": 10}}}


def test_only_the_blend_that_hangs_is_degraded(monkeypatch):
    coadds, fit = small_sky.exposure(), BlendFitter.fit
    expected = md.deblend(coadds, config=SETTINGS)
    four = int(expected.parents["parentObjectId"][np.argmax(expected.parents["deblend_nPeaks"])])

    def hangs(fitter, index, blend, neighbours=None):
        if fitter.parent.id == four:
            time.sleep(600)
        return fit(fitter, index, blend, neighbours)

    monkeypatch.setattr(BlendFitter, "fit", hangs)
    start = time.monotonic()
    found = md.deblend(coadds, config=SETTINGS, jobs=2)
    assert time.monotonic() - start < 300
    hung = found.objects["parentObjectId"] == four
    assert hung.sum() == max(small_sky.PEAKS)
    assert set(found.objects["deblend_reason"][hung]) == {"timeout"}
    assert "full_multi_band" not in set(found.objects["deblend_rung"][hung])
    assert set(found.objects["deblend_rung"][~hung]) == {"full_multi_band"}
    outcomes = dict(zip(found.parents["parentObjectId"], found.parents["deblend_outcome"], strict=True))
    assert {identifier for identifier, outcome in outcomes.items() if outcome != "ok"} == {four}
    # All others are what they would have been.
    for name in ("objectId", "x", "y", "r_psfFlux", "i_kronFlux", "deblend_logL"):
        np.testing.assert_array_equal(found.objects[name][~hung], expected.objects[name][~hung])
    row = found.parents[found.parents["parentObjectId"] == four]
    assert str(row["deblend_message"][0]) == "it was ended after 4 s"
