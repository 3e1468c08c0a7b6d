"""The version, for whoever must not import the package's doors."""

__all__ = ["__version__"]

__version__ = "0.1.0"
