"""The measures that there are, by name: those of ibtools, and those of other packages."""

from ibtools.registry import Registry

ESTIMATORS = Registry(
    "estimator",
    "ibtools.measures",
    {
        "exact": "ibtools.analysis.estimators.exact:Exact",
        "binned": "ibtools.analysis.estimators.binned:Binned",
        "requantised": "ibtools.analysis.estimators.requantised:Requantised",
        "kde": "ibtools.analysis.estimators.kde:Kde",
        "knn": "ibtools.analysis.estimators.knn:Knn",
    },
)
"""Every estimator by its name."""

DETAILS = Registry(
    "detail",
    "ibtools.details",
    {
        "classes": "ibtools.analysis.details.kinds:Classes",
        "layers": "ibtools.analysis.details.kinds:Layers",
        "prediction": "ibtools.analysis.details.kinds:Prediction",
        "splits": "ibtools.analysis.details.kinds:Splits",
        "units": "ibtools.analysis.details.kinds:Units",
    },
)
"""The kinds of details that a name is enough for."""
