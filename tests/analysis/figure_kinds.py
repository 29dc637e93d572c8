"""The figures of ibtools by name, as the tests go through them: of one Dataset, and of several."""

from ibtools.analysis.figures import FIGURES as REGISTRY
from ibtools.analysis.figures import get_figure

EVERY = {name: get_figure(name) for name in REGISTRY.names()}
FIGURES = {name: kind for name, kind in EVERY.items() if kind.source != "both"}
FACETS = {name: kind for name, kind in FIGURES.items() if kind.facets is not None}
