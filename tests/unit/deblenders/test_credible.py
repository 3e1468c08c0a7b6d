"""Profiles that ran away are replaced by symmetric templates; the others stay."""

import numpy as np
import pytest

from meas_deblend.deblenders.credible import LEAST_RATIO, TOO_LARGE, with_credible_sources
from meas_deblend.geometry import Box, Peak
from meas_deblend.models import BlendModel, PointComponent, SourceModel, TemplateComponent

BOX = Box((0, 0), (5, 5))


def blend(*fluxes, cube=False):
    """Sources of these fluxes in each of two bands; None: without a model."""

    def component(flux):
        if cube:
            return TemplateComponent(BOX, np.full((2, 5, 5), flux / 25, dtype=np.float32))
        return PointComponent(BOX, np.array([flux, flux], dtype=np.float32), (2.0, 2.0))

    sources = tuple(
        SourceModel(k, Peak(k, 2, 2), () if flux is None else (component(flux),)) for k, flux in enumerate(fluxes)
    )
    return BlendModel(0, BOX, sources)


@pytest.mark.parametrize("cube", [False, True])
@pytest.mark.parametrize(
    ("profile", "template", "replaced"),
    [
        (100.0, 100.0, False),
        (None, 100.0, True),
        (0.9 * LEAST_RATIO * 100, 100.0, True),
        (1.1 * LEAST_RATIO * 100, 100.0, False),
        (0.9 * TOO_LARGE[0] * 100, 100.0, False),
        (1.1 * TOO_LARGE[0] * 100, 100.0, True),
        (1.1 * TOO_LARGE[1] * 100, 100.0, False),  # rather it is the template that has no light
        (100.0, None, False),
        (None, None, False),
        (100.0, 0.0, False),
    ],
)
def test_what_is_replaced(profile, template, replaced, cube):
    profiles, templates = blend(50.0, profile), blend(50.0, template, cube=cube)
    first, second = with_credible_sources(profiles, templates).sources
    assert first is profiles.sources[0]
    if replaced:
        assert second.components is templates.sources[1].components
        assert (second.rung, second.reason) == ("symmetric_templates", "fit_failed")
    else:
        assert second is profiles.sources[1]
