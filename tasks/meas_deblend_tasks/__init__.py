"""Task classes of meas_deblend: what runs."""
