"""The page: the text of one HTML file, made of the contents of a report."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ibtools.analysis.report.contents import Contents
from ibtools.shown import visible
from ibtools.store.counts import in_counts


def render(contents: Contents) -> str:
    """Write the page, with styles, scripts, figures and data inside."""
    planes = {one.name: one.plane for one in contents.estimators if one.plane is not None}
    page = _environment().get_template("page.html")
    # the library is the only text that is not escaped
    return page.render(contents=contents, planes=planes, plotly=Markup(get_plotlyjs()))


def _visible(value: object) -> object:
    """Write what a reader can't see, and so what turns the direction of text, as Python does."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(visible, value.split("\n")))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ibtools.analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_counts"] = in_counts
    # NaN is no JSON: it must not reach the page
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment
