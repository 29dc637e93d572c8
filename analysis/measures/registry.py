"""The measures that there are, by name: those of ibtools, and those of other packages."""

from typing import Any

from ibtools.registry import Registry

ESTIMATORS: Registry[Any] = Registry(
    "estimator",
    "ibtools.measures",
    {
        "exact": "ibtools.analysis.estimators.exact:Exact",
        "binned": "ibtools.analysis.estimators.binned:Binned",
        "requantised": "ibtools.analysis.estimators.requantised:Requantised",
        "kde": "ibtools.analysis.estimators.kde:Kde",
        "knn": "ibtools.analysis.estimators.knn:Knn",
        "sliced": "ibtools.analysis.estimators.sliced:Sliced",
        "renyi": "ibtools.analysis.estimators.renyi:Renyi",
        "resolution": "ibtools.analysis.estimators.resolution:Resolution",
    },
)
"""Every estimator by its name."""

DETAILS: Registry[Any] = Registry(
    "detail",
    "ibtools.details",
    {
        "classes": "ibtools.analysis.details.classes:Classes",
        "invariants": "ibtools.analysis.details.invariants:Invariants",
        "layers": "ibtools.analysis.details.layers:Layers",
        "permutations": "ibtools.analysis.details.permutations:Permutations",
        "prediction": "ibtools.analysis.details.prediction:Prediction",
        "splits": "ibtools.analysis.details.splits:Splits",
        "units": "ibtools.analysis.details.units:Units",
    },
    of=type,
)
"""The kinds of details that a name is enough for."""
