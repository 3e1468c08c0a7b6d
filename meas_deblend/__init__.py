"""Deblending of multi-band sky images: every detected object gets its own pixels."""

__version__ = "0.1.0"
