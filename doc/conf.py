"""Sphinx configuration: `sphinx-build -W doc doc/_build/html`, doctests with `-b doctest`."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "meas_deblend"
author = "The meas_deblend developers"
copyright = "The meas_deblend developers"
release = version = metadata.version("meas_deblend")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "figure_scripts",  # doc/_ext: draws doc/figures/*.py into doc/_generated
    "generated_pages",  # doc/_ext: writes what the code knows about itself into doc/reference/generated
]
exclude_patterns = ["_build", "_generated", "_ext", "changes"]

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# Docstrings name other objects as `name`: shown as code, without a link that the reader of the source has no use for.
default_role = "code"

doctest_test_doctest_blocks = ""  # only {doctest} directives: docstrings are run by pytest --doctest-modules
trim_doctest_flags = True

html_theme = "furo"
html_title = f"meas_deblend {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}
