"""More from the same labels: by class, between layers, by split, by unit, about other labels.

`details` computes them for a Dataset, lazily; `details_store` writes them beside the recording.
Every kind of detail works with every estimator that counts states.
"""

from ibtools.analysis.details.graph import details, permutation_test
from ibtools.analysis.details.kinds import (
    Classes,
    Detail,
    DetailLike,
    Layers,
    Prediction,
    Splits,
    Units,
)
from ibtools.analysis.details.options import About, Permutations
from ibtools.analysis.details.results import DetailsReport, details_store, open_details
from ibtools.analysis.measures.registry import DETAILS

__all__ = [
    "DETAILS",
    "About",
    "Classes",
    "Detail",
    "DetailLike",
    "DetailsReport",
    "Layers",
    "Permutations",
    "Prediction",
    "Splits",
    "Units",
    "details",
    "details_store",
    "open_details",
    "permutation_test",
]
