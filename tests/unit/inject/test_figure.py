"""The figure of an injection."""

import pytest

from meas_deblend.inject import summarise_injection
from meas_deblend.report import injection_figure

from .test_experiment import table


@pytest.mark.parametrize(("bands", "rows"), [(("g", "r"), 3), (("r",), 2)])
def test_one_row_per_number_and_one_column_per_cause(bands, rows):
    summary = summarise_injection(table(), bands, "r", 1.0)
    figure = injection_figure(summary, "title")
    assert len(figure.axes) == 3 * rows
    assert [axes.get_xlabel() for axes in figure.axes[-3:]] == [
        "distance to the nearest source (FWHM)",
        "flux / flux of the nearest source",
        "contamination κ",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a"]
    figure.canvas.draw()


def test_a_deblender_without_sources_is_drawn_too():
    empty = {name: values[:0] for name, values in table().items()} | {}
    assert summarise_injection(empty, ("g", "r"), "r", 1.0)["deblenders"] == {}
    lost = table(recovered=table()["is_star"])
    injection_figure(summarise_injection(lost, ("g", "r"), "r", 1.0)).canvas.draw()
