"""Coefficients of the score of unrecognised blends, as they were fitted, and to what.

`tests/benchmarks/unrecognised.py 20 0 --fit` simulates and fits them: 240 pairs that were detected as one object (0.5
to 1 FWHM apart, flux ratio 0.2 to 1 in i) and 255 single galaxies (disc, redder bulge, a blue knot in one of three) of
the same magnitudes (20.5 to 24 in i), in g, r, i at the depth and seeing of HSC's wide survey, deblended with the
default settings; logistic regression with a ridge penalty of 1 on standardised terms.
"""

from types import MappingProxyType

__all__ = ["COEFFICIENTS", "CONSTANT"]

COEFFICIENTS = MappingProxyType({"offset": 0.783, "asymmetry": 1.287, "triangle": 1.006, "color_shift": 0.922})
"""Per natural logarithm of each feature of `BlendFeatures`, in their order."""
CONSTANT = 16.182
