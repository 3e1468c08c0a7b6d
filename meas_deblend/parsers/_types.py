"""Types of the parsers."""

import argparse

__all__ = ["Commands"]

Commands = argparse._SubParsersAction[argparse.ArgumentParser]
"""What `argparse.ArgumentParser.add_subparsers` returns; the standard library gives it no public name."""
