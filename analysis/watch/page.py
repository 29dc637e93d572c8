"""The page on which a recording is watched: it asks for what is new, and draws it."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs


def render() -> str:
    """Write the page, with style, scripts and Plotly inside; the server has what it shows."""
    loader = ChoiceLoader(
        [PackageLoader("ibtools.analysis.watch"), PackageLoader("ibtools.analysis.report")]
    )
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("watch.html").render(plotly=Markup(get_plotlyjs()))
