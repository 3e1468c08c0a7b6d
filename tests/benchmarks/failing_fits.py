"""The command line, but the joint fit of every blend of four peaks raises an error: what happens to those?"""

import sys

from meas_deblend.cli import main
from meas_deblend.deblenders.blend_fit import BlendFitter

PEAKS = 4
_fit = BlendFitter.fit


def _failing(self, index, footprint, *rest, **named):
    if len(footprint.peaks) == PEAKS and self.config.max_iter > 0:
        raise FloatingPointError("made to fail")
    return _fit(self, index, footprint, *rest, **named)


BlendFitter.fit = _failing

if __name__ == "__main__":
    sys.exit(main())
