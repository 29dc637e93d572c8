"""More from the same labels: by class, between layers, by split, by unit, about other labels.

`details` computes them for a Dataset, lazily; `details_store` writes them beside the recording.
Every kind of detail works with every estimator that counts states.

Adding one is a frozen dataclass that derives from `PlainDetail`, in a file of its own, and a line
in `ibtools.analysis.measures.registry`, or an entry point of another package.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ibtools.analysis.details.about import About
from ibtools.analysis.details.classes import Classes
from ibtools.analysis.details.invariants import Invariants
from ibtools.analysis.details.kinds import DetailLike, detail_class, known_detail_class
from ibtools.analysis.details.layers import Layers
from ibtools.analysis.details.permutations import Permutations
from ibtools.analysis.details.prediction import Prediction
from ibtools.analysis.details.protocol import Detail, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.analysis.details.splits import Splits
from ibtools.analysis.details.units import Units
from ibtools.analysis.measures.registry import DETAILS
from ibtools.store.header import Header
from ibtools.store.schema import Variable

if TYPE_CHECKING:
    # the names that __getattr__ finds
    from ibtools.analysis.details.graph import details, permutation_test
    from ibtools.analysis.details.results import DetailsReport, details_store, open_details

_LAZY = {
    "DetailsReport": "ibtools.analysis.details.results",
    "details": "ibtools.analysis.details.graph",
    "details_store": "ibtools.analysis.details.results",
    "open_details": "ibtools.analysis.details.results",
    "permutation_test": "ibtools.analysis.details.graph",
}
"""What computes, and is imported when it is first used: declarations are read without it."""

__all__ = [
    "DETAILS",
    "About",
    "Classes",
    "Detail",
    "DetailLike",
    "DetailsReport",
    "Header",
    "Invariants",
    "Layers",
    "Permutations",
    "PlainDetail",
    "Prediction",
    "Snapshots",
    "Splits",
    "Units",
    "Variable",
    "detail_class",
    "details",
    "details_store",
    "known_detail_class",
    "open_details",
    "permutation_test",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ibtools.analysis.details' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
