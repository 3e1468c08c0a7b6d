"""What is compiled ahead is what detection and deconvolution call."""

import numpy as np

from meas_deblend.detect import (
    _deconvolution_kernels,
    _disc_kernels,
    _label_kernels,
    _peak_kernels,
    _piece_kernels,
    _ring_kernels,
    _smoothing_kernels,
    warmup,
)
from meas_deblend.scarlet import row_filter


def test_everything_compiled_is_there_after_the_warmup():
    warmup()
    modules = (
        _deconvolution_kernels,
        _disc_kernels,
        _label_kernels,
        _peak_kernels,
        _piece_kernels,
        _ring_kernels,
        _smoothing_kernels,
    )
    loops = [value for module in modules for value in vars(module).values() if hasattr(value, "signatures")]
    assert len(loops) == 21
    assert all(loop.signatures for loop in loops)
    if row_filter.IS_COMPILED:
        # Detection filters in double precision, the deconvolution in single.
        kinds = {np.dtype(str(signature[0].dtype)) for signature in row_filter._compiled.signatures}
        assert {np.dtype(np.float32), np.dtype(np.float64)} <= kinds
