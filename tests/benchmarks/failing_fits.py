"""The command line, but the joint fit of every third small blend raises an error: what happens to those?"""

import sys

from meas_deblend.cli import main
from meas_deblend.deblenders.blend_fit import BlendFitter

PEAKS, THIRD = 4, 3
_fit = BlendFitter.fit


def _failing(self, index, footprint, *rest, **named):
    first = footprint.peaks[0]
    if len(footprint.peaks) <= PEAKS and (first.y + first.x) % THIRD == 0 and self.config.max_iter > 0:
        raise FloatingPointError("made to fail")
    return _fit(self, index, footprint, *rest, **named)


BlendFitter.fit = _failing

if __name__ == "__main__":
    sys.exit(main())
