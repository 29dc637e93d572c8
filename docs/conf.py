"""The documentation site: `make docs` builds it into site/."""

from typing import Any

from click import Context
from sphinx.application import Sphinx

from ibtools import provenance
from ibtools.cli.main import cli
from ibtools.cli.measure_options import DetailsCommand

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
default_role = "literal"  # docstrings and help mark code with single backticks
nitpicky = False


def show_examples_as_code(_: Sphinx, __: Any, lines: list[str]) -> None:
    """Turn indented lines of a command's help, which sphinx-click takes for verse, into code."""
    shown: list[str] = []
    in_code = False
    for line in lines:
        indented = line.startswith("|   ")
        if indented and not in_code:
            shown += ["", "::", ""]
        elif in_code and not indented:
            shown.append("")
        in_code = indented
        shown.append(f"    {line[4:]}" if indented else line.removeprefix("| "))
    lines[:] = shown


def setup(app: Sphinx) -> None:
    """Connect what this configuration does itself."""
    for command in cli.commands.values():  # sphinx-click looks at params, not at get_params
        own = [one for one in command.get_params(Context(command)) if one.name != "help"]
        command.params = own
        if isinstance(command, DetailsCommand):
            command.help = command.complete_help()
    app.connect("sphinx-click-process-description", show_examples_as_code)
