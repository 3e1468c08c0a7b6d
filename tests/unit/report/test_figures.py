import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from meas_deblend.geometry import Box, Footprint
from meas_deblend.report import (
    Mark,
    Outline,
    Scene,
    SourceView,
    band_figure,
    blend_figure,
    field_figure,
    ladder_figure,
    ledger_figure,
    loss_figure,
    save_figure,
    to_rgb,
)

BANDS = ("g", "r", "i")


def _scene(shape=(40, 50), n_marks=2, seed=0, **changes):
    """Gaussian sources on noise of width 1; the model is the truth."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    centers = rng.uniform(5, np.array(shape) - 5, (n_marks, 2))
    shapes = [np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18) for cy, cx in centers]
    light = 50 * np.sum(shapes, axis=0) if n_marks else np.zeros(shape)
    truth = np.stack([light, 1.5 * light, 2 * light])
    marks = tuple(Mark(str(k + 1), cy + 10, cx + 20) for k, (cy, cx) in enumerate(centers))
    outlines = (Outline(Footprint.from_mask(light > 3, (10, 20))),) if n_marks else ()
    scene = Scene(
        BANDS,
        truth + rng.normal(size=truth.shape),
        truth,
        np.ones_like(truth),
        origin=(10, 20),
        marks=marks,
        outlines=outlines,
    )
    return replace(scene, **changes)


def _views(scene, n):
    box = Box((12, 24), (15, 17))
    cube = scene.model[(slice(None), *box.slices_in(scene.box))]
    flux = cube.sum(axis=(1, 2))
    return [SourceView(Mark(str(k), 20, 30), box, cube, cube, flux * (k + 1), np.ones(3)) for k in range(n)]


def _pictures(figure):
    return [axes for axes in figure.axes if axes.get_images()]


def _titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def test_field_has_four_panels_and_a_colour_bar():
    figure = field_figure(_scene(), "a field")
    assert len(figure.axes) == 5
    assert _titles(figure) == [
        "data (g r i)",
        "model",
        "data − model, same stretch",
        "residual in σ, all bands: rms " + _titles(figure)[3].rsplit(" ", 1)[1],
    ]
    assert figure.get_suptitle() == "a field"


def test_all_colour_panels_have_the_stretch_of_the_data():
    scene = _scene()
    stretch = scene.stretch()
    panels = [axes.get_images()[0].get_array() for axes in field_figure(scene).axes[:3]]
    for panel, cube in zip(panels, (scene.images, scene.model, scene.images - scene.model), strict=True):
        np.testing.assert_array_equal(panel, to_rgb(cube, stretch))


def test_panels_show_pixels_of_the_exposure_with_the_first_row_at_the_bottom():
    for axes in field_figure(_scene()).axes[:4]:
        assert axes.get_images()[0].origin == "lower"
        assert axes.get_xlim() == (19.5, 69.5)
        assert axes.get_ylim() == (9.5, 49.5)


def test_sigma_map_is_symmetric_and_of_unit_width():
    scene = _scene((80, 90))
    image = field_figure(scene).axes[3].get_images()[0]
    assert image.get_clim() == (-5, 5)
    # 7200 standard normal deviates: the standard deviation is known to 0.8 %, tested at four times that.
    assert scene.combined_significance().std() == pytest.approx(1, abs=0.034)


def test_children_are_numbered_once_and_inside_the_data_panel():
    figure = field_figure(_scene(n_marks=7))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [str(k + 1) for k in range(7)]
    assert not figure.axes[1].texts


def test_crowded_fields_get_rings_without_numbers():
    figure = field_figure(_scene((100, 100), n_marks=151))
    assert not figure.axes[0].texts
    assert len(figure.axes[0].lines[0].get_xdata()) == 151


def test_large_fields_are_drawn_two_by_two_and_averaged():
    figure = field_figure(_scene((950, 60), n_marks=1))
    tops = {round(axes.get_subplotspec().rowspan.start) for axes in figure.axes[:4]}
    assert tops == {0, 1}
    assert figure.axes[0].get_images()[0].get_array().shape == (475, 30, 3)
    assert _titles(figure)[3].endswith("mean of 2×2 pixels")


def test_scale_bar_is_a_round_number_of_arcseconds():
    figure = field_figure(_scene(n_marks=0, pixel_scale=0.2))
    (text,) = figure.axes[0].texts
    assert text.get_text() == "2″"
    (bar,) = figure.axes[0].lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(10)
    assert not field_figure(_scene(n_marks=0)).axes[0].texts


def test_outcomes_other_than_ok_get_a_legend():
    footprint = Footprint.from_box(Box((15, 25), (5, 6)))
    scene = _scene(outlines=(Outline(footprint, "failed"), Outline(footprint)))
    legend = field_figure(scene).axes[0].get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["failed"]
    assert field_figure(_scene()).axes[0].get_legend() is None


def test_missing_pixels_do_not_spoil_a_figure(tmp_path):
    scene = _scene()
    images, variance = scene.images.copy(), scene.variance.copy()
    images[:, :10] = np.nan
    images[2] = np.nan
    variance[1, :, :5] = 0
    mask = np.zeros(images.shape[1:], dtype=bool)
    mask[20, 20] = True
    spoiled = replace(scene, images=images, variance=variance, mask=mask)
    assert np.isnan(spoiled.combined_significance()[:10]).all()
    assert np.isnan(spoiled.combined_significance()[20, 20])
    assert np.isfinite(spoiled.combined_significance()[25:]).all()
    save_figure(field_figure(spoiled), tmp_path / "spoiled.png", dpi=50)


def test_a_scene_without_any_data_can_be_drawn(tmp_path):
    scene = _scene()
    empty = replace(scene, images=np.full_like(scene.images, np.nan))
    save_figure(field_figure(empty), tmp_path / "field.png", dpi=40)
    save_figure(band_figure(empty), tmp_path / "bands.png", dpi=40)


def test_one_band_and_nine_bands(tmp_path):
    scene = _scene()
    one = replace(scene, bands=("r",), images=scene.images[:1], model=scene.model[:1], variance=scene.variance[:1])
    cubes = {name: np.tile(getattr(scene, name), (3, 1, 1)) for name in ("images", "model", "variance")}
    nine = replace(scene, bands=tuple(f"N{k}" for k in range(9)), **cubes)
    assert _titles(field_figure(one))[0] == "data (r)"
    assert len(_titles(field_figure(nine))[0].split()) == 8
    save_figure(blend_figure(one, []), tmp_path / "one.png", dpi=40)


def test_bands_are_drawn_by_wavelength_whatever_their_order():
    scene = _scene()
    turned = replace(scene, bands=BANDS[::-1], images=scene.images[::-1], model=scene.model[::-1])
    for here, there in zip(field_figure(scene).axes[:3], field_figure(turned).axes[:3], strict=True):
        np.testing.assert_array_equal(here.get_images()[0].get_array(), there.get_images()[0].get_array())


@pytest.mark.parametrize(("n", "pictures", "spectra"), [(0, 4, 0), (1, 6, 1), (3, 10, 3), (7, 18, 7)])
def test_blend_has_a_strip_per_source(n, pictures, spectra):
    scene = _scene()
    figure = blend_figure(scene, _views(scene, n))
    assert len(_pictures(figure)) == pictures
    assert sum(axes.get_ylabel() == "flux (count)" for axes in figure.axes) == spectra


def test_blend_shows_the_brightest_sources_and_says_so():
    scene = _scene()
    figure = blend_figure(scene, _views(scene, 5), max_sources=2)
    assert [t for t in _titles(figure) if t.endswith(": model")] == ["3: model", "4: model"]
    assert figure.subfigs[1].get_suptitle() == "the 2 brightest of 5 sources"


def test_strips_have_the_stretch_of_the_data():
    scene = _scene()
    (view,) = _views(scene, 1)
    figure = blend_figure(scene, [view])
    (shown,) = next(a for a in figure.axes if a.get_title(loc="left") == "0: model").get_images()
    np.testing.assert_array_equal(shown.get_array(), to_rgb(view.model, scene.stretch()))


def test_strips_are_cut_to_where_the_source_is():
    scene = _scene((90, 90), n_marks=0)
    box = Box((20, 30), (60, 60))
    cube = np.zeros((3, 60, 60))
    cube[:, 20:25, 30:33] = 5
    cube[:, 50, 50] = 0.01
    view = SourceView(Mark("0", 42, 61), box, cube, cube, np.ones(3), np.ones(3))
    figure = blend_figure(scene, [view])
    axes = next(a for a in figure.axes if a.get_title(loc="left") == "0: model")
    # Rows 40 to 44 and columns 60 to 62 of the exposure, with a margin of four pixels.
    assert axes.get_ylim() == (35.5, 48.5)
    assert axes.get_xlim() == (55.5, 66.5)


def test_spectrum_points_are_the_fluxes():
    scene = _scene()
    (view,) = _views(scene, 1)
    axes = next(a for a in blend_figure(scene, [view]).axes if a.get_ylabel() == "flux (count)")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), view.flux)
    assert [label.get_text() for label in axes.get_xticklabels()] == list(BANDS)


def test_band_figure_has_a_row_per_band():
    figure = band_figure(_scene())
    assert len(_pictures(figure)) >= 9
    assert [t for t in _titles(figure) if t.endswith("model")] == ["g: model", "r: model", "i: model"]


def test_loss_figure_leaves_out_what_has_no_logarithm():
    figure = loss_figure({"a": np.array([np.nan, 8.0, 4.0, 3.0]), "b": np.array([2.0])}, "two blends")
    line, alone = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), [2, 3])
    np.testing.assert_allclose(line.get_ydata(), [5, 1])
    assert len(alone.get_xdata()) == 0


def test_ledger_figure_shows_shares_in_per_cent():
    ledger = {"data": [200.0, 0.0], "children": [150.0, 0.0], "unassigned": [60.0, 0.0], "masked": [-10.0, 0.0]}
    figure = ledger_figure(("g", "r"), {k: np.array(v) for k, v in ledger.items()})
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    np.testing.assert_allclose(widths, [75, 0, 30, 0, -5, 0])


def test_ledger_figure_names_what_is_missing():
    with pytest.raises(ValueError, match="missing: children, masked"):
        ledger_figure(("g",), {"data": np.ones(1), "unassigned": np.ones(1)})


def test_saved_figures_are_the_same_to_the_byte(tmp_path):
    first = save_figure(field_figure(_scene()), tmp_path / "new" / "a.png", dpi=60)
    second = save_figure(field_figure(_scene()), tmp_path / "b.png", dpi=60)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.png", "new"]


def test_pdf_can_be_saved_and_other_endings_are_refused(tmp_path):
    figure = loss_figure({"a": np.array([3.0, 2.0, 1.0])})
    assert save_figure(figure, tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match=r"written as \.png or \.pdf, got 'a\.gif'"):
        save_figure(figure, tmp_path / "a.gif")


def test_no_pyplot_and_no_matplotlib_before_the_first_figure():
    code = """
import sys
import numpy as np
from meas_deblend.report import Scene, field_figure
assert "matplotlib" not in sys.modules, "loaded on import"
one = np.ones((1, 9, 9))
field_figure(Scene(("r",), one, one, one))
assert "matplotlib.pyplot" not in sys.modules, "pyplot was loaded"
"""
    # Its own interpreter and a constant program.
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.ones((2, 4, 4))}, r"with 3 bands, got \(2, 4, 4\)"),
        ({"model": np.ones((3, 4, 5))}, "model must have the images' shape"),
        ({"mask": np.zeros((4, 4), dtype=bool)}, "mask must have shape"),
    ],
)
def test_arrays_of_a_scene_must_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        _scene(**changes)


def test_arrays_of_a_source_must_fit():
    box, mark = Box((0, 0), (4, 5)), Mark("7", 1, 1)
    cube = np.ones((3, 4, 5))
    with pytest.raises(ValueError, match=r"pixels of source '7' must have shape \(3, 4, 5\), got \(3, 4, 4\)"):
        SourceView(mark, box, cube, cube[..., :4], np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="flux_err must have the shape"):
        SourceView(mark, box, cube, cube, np.ones(3), np.ones(2))


LADDER = ("full_multi_band", "one_component", "psf_templates")


def test_the_ladder_counts_objects_by_rung_and_reason():
    rungs = ["full_multi_band", "full_multi_band", "psf_templates", "psf_templates", "psf_templates", ""]
    reasons = ["", "split", "timeout", "timeout", "timeout", ""]
    figure = ladder_figure(_scene(n_marks=6), rungs, reasons, LADDER, "six objects")
    sky, bars = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [
        "full_multi_band",
        "full_multi_band\nsplit",
        "psf_templates\ntimeout",
        "no ladder",
    ]
    assert [bar.get_width() for bar in bars.patches] == [1, 1, 3, 1]
    # A rung has one colour, on the sky and in the bars.
    dots = [line for line in sky.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [2, 3, 1]
    colors = {line.get_markerfacecolor() for line in dots}
    assert len(colors) == 3


def test_the_ladder_needs_a_rung_for_every_object():
    with pytest.raises(ValueError, match="2 marks, 1 rungs and 2 reasons: give one for each"):
        ladder_figure(_scene(n_marks=2), ["full_multi_band"], ["", ""], LADDER)
