"""The documentation site: `make docs` builds it into site/."""

from ibtools import provenance

project = "ibtools"
copyright = "the ibtools developers"
release = provenance.version()

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
html_theme = "furo"
html_title = "ibtools"
myst_heading_anchors = 3
napoleon_google_docstring = False
autodoc_typehints = "none"  # the numpydoc sections say it
autodoc_mock_imports: list[str] = []
nitpicky = False
