"""What a kind of detail is: declared in its own file, computed from the partitions of all layers.

Such a file loads quickly, because help and validation read it: what needs compiled loops is
imported when it computes.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from numpy.typing import NDArray

from ibtools.analysis.details.snapshots import Snapshots
from ibtools.errors import InputError
from ibtools.store.header import Header
from ibtools.store.schema import Variable

Coordinates = dict[str, NDArray[Any]]
Found = dict[str, NDArray[Any]]
"""Per variable the numbers of some snapshots: (block, layer, ...), or (block,)."""

MISSING = "NaN: not analysed"
"""What the fill value of most variables means."""


class Detail(Protocol):
    """What the analysis asks of a kind of detail.

    Attributes
    ----------
    kind : str
        Its name in `DETAILS`, of letters, digits and underscores.
    name : str
        The kind with all options, after hyphens: what the results are called.
    variables : tuple of Variable
        What it computes, (repeat, epoch) or (repeat, epoch, layer, ...), and the coordinates that
        only this kind has, whatever the options.
    shows : str
        What it computes, in half a line.
    first_look : str
        What to call of the Dataset to draw it: the code after the dot.
    needs_prediction, needs_units, needs_unit_labels : bool
        Whether it needs the predicted classes, statistics of single units, or the states of these.
        A store that keeps the partition only has none of them.
    attributes : dict
        The options, as attributes of the results.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def variables(self) -> tuple[Variable, ...]: ...  # noqa: D102
    @property
    def shows(self) -> str: ...  # noqa: D102
    @property
    def first_look(self) -> str: ...  # noqa: D102
    @property
    def needs_prediction(self) -> bool: ...  # noqa: D102
    @property
    def needs_units(self) -> bool: ...  # noqa: D102
    @property
    def needs_unit_labels(self) -> bool: ...  # noqa: D102
    @property
    def attributes(self) -> dict[str, Any]: ...  # noqa: D102

    def validate(self, header: Header) -> None:
        """Check that there is what the detail needs.

        Raises
        ------
        InputError
            If there is not.
        """
        ...

    def coordinates(self, header: Header) -> Coordinates:
        """Return the coordinates that only this kind has, one-dimensional."""
        ...

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes that `compute` takes at its peak, beside the partitions."""
        ...

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute the variables of some snapshots."""
        ...


def looks_into_layers(kind: Detail) -> bool:
    """Whether a detail needs more of a layer than which samples share a state of it."""
    return kind.needs_units or kind.needs_unit_labels or kind.needs_prediction


def data_variables(kind: Detail) -> tuple[Variable, ...]:
    """Return what a detail computes, without its coordinates."""
    return tuple(one for one in kind.variables if not one.coordinate)


@dataclass(frozen=True)
class PlainDetail(ABC):
    """A kind of any store and without options, which others derive from.

    Examples
    --------
    >>> from ibtools.analysis.details.classes import Classes
    >>> Classes.from_options("").name
    'classes'
    """

    kind: ClassVar[str]
    variables: ClassVar[tuple[Variable, ...]]
    shows: ClassVar[str]
    first_look: ClassVar[str]
    needs_prediction: ClassVar[bool] = False
    needs_units: ClassVar[bool] = False
    needs_unit_labels: ClassVar[bool] = False

    @classmethod
    def from_options(cls, options: str) -> Self:
        """Build it from its name without the kind: there are no options.

        Raises
        ------
        InputError
            If there are.
        """
        if options:
            raise InputError(f"the detail {cls.kind} has no option {options!r}; write {cls.kind}")
        return cls()

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    @property
    def attributes(self) -> dict[str, Any]:
        """There are none."""
        return {}

    def validate(self, header: Header) -> None:  # noqa: B027  (no more to check)
        """Take any store."""

    def coordinates(self, header: Header) -> Coordinates:
        """There are none."""
        return {}

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes of labels in part, of tables of a snapshot, and of spectra."""
        n_samples, n_layers = header.label.size, len(header.layers)
        spectra = 32 * math.isqrt(2 * n_samples)
        return snapshots * (4 * n_samples + n_layers * (n_layers * 8 + spectra)) + 200 * n_samples

    @abstractmethod
    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute the variables of some snapshots."""
