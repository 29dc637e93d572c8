"""What can be computed of the snapshots of a store: the protocol that estimators and others share.

A measure is declared in its own file: its variables, options, help and meaning, and the memory that
it takes. Such a file loads quickly, because completion and help read it: what needs compiled loops
is imported when it computes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from numpy.typing import NDArray

from ibtools.store.schema import Variable

if TYPE_CHECKING:
    from ibtools.store.header import Header

Found = Mapping[str, NDArray[Any]]
"""By the name of each variable its numbers: (block, ...) of one layer, else (block, layer, ...)."""

Scope = Literal["layer", "snapshot"]
"""Whether a measure is computed of one layer at a time, or of all layers of a snapshot together."""

Needs = Literal["partition", "units", "values"]
"""What a measure looks at: only which samples share a state of a layer; the codes of all units; or
the values that these stand for."""


@dataclass(frozen=True)
class BlockShape:
    """How large a block of snapshots of one layer is.

    Parameters
    ----------
    snapshots, samples, units : int
        Of the block.
    itemsize : int
        Bytes of a recorded value.
    quantised : bool
        Whether codes are recorded.
    softmax : bool
        Whether they are those of logits.
    """

    snapshots: int
    samples: int
    units: int
    itemsize: int
    quantised: bool = True
    softmax: bool = False

    @property
    def snapshot(self) -> int:
        """Values of one snapshot."""
        return self.samples * self.units

    @property
    def values(self) -> int:
        """Values of the block."""
        return self.snapshots * self.snapshot

    @property
    def decoding(self) -> int:
        """Bytes at the peak of decoding one snapshot: steps and values, or powers of a softmax."""
        return (12 if self.softmax else 8) * self.snapshot if self.quantised else 0


@dataclass(frozen=True)
class Option:
    """An option of a measure, as the command line takes it.

    Parameters
    ----------
    parameter : str
        What the class calls it.
    flag : str
        What the command line calls it.
    type : type
        Of what is given.
    help : str
        One sentence.
    choices : tuple of str, optional
        What a shell completes.
    parse : callable, optional
        Turns what is given into what the class takes.
    """

    parameter: str
    flag: str
    type: type
    help: str
    choices: tuple[str, ...] = ()
    parse: Callable[[Any], Any] = lambda given: given


class Measure(Protocol):
    """What the analysis asks of whatever is computed of snapshots.

    One whose variables have dims of their own, beyond repeat, epoch and layer, also has a method
    ``sizes(header)`` that returns the size of each, and may declare a coordinate of it, numbered
    from 0, among its ``coordinates``, a tuple of Variable: see `own_sizes` and `own_coordinates`.
    One whose numbers need not obey a law of information says why: see `exemptions`.

    Attributes
    ----------
    specification : str
        The name with all options: what the results are called. Letters, digits, hyphens, dots and
        underscores only.
    variables : tuple of Variable
        What `compute` returns, in order.
    attributes : dict
        The options, as attributes of the results.
    needs : str
        What it looks at: see `Needs`.
    scope : str
        One layer or all: see `Scope`.
    """

    @property
    def specification(self) -> str: ...  # noqa: D102
    @property
    def variables(self) -> tuple[Variable, ...]: ...  # noqa: D102
    @property
    def attributes(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def needs(self) -> Needs: ...  # noqa: D102
    @property
    def scope(self) -> Scope: ...  # noqa: D102

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes that `compute` takes at its peak, beside the block itself."""
        ...

    def compute(self, block: Any) -> Found:
        """Compute the variables of some snapshots: of one layer, or of all."""
        ...


def own_sizes(measure: Any, header: "Header") -> Mapping[str, int]:
    """Return the sizes of the dims that only the variables of a measure have."""
    sizes: Callable[[Header], Mapping[str, int]] | None = getattr(measure, "sizes", None)
    return {} if sizes is None else sizes(header)


def own_coordinates(measure: Any) -> tuple[Variable, ...]:
    """Return the coordinates that a measure declares of its own dims, numbered from 0."""
    declared: tuple[Variable, ...] = getattr(measure, "coordinates", ())
    return declared


def exemptions(measure: Any) -> Mapping[str, str]:
    """Return by law, "bounds" or "data processing", why an estimator's numbers need not obey it.

    An estimator that has none of its own in ``exempt`` obeys both.
    """
    said: Mapping[str, str] = getattr(measure, "exempt", {})
    return said


class SnapshotMeasure(Measure, Protocol):
    """A measure of all layers of a snapshot: each layer is reduced to a state, these are compared.

    Attributes
    ----------
    padding : bool
        Whether it looks at what is in the chunks of a layer beyond its units.
    """

    @property
    def padding(self) -> bool: ...  # noqa: D102

    def reduce(self, block: Any) -> Any:
        """Return what `compute` needs of a layer, or of some of its units."""
        ...

    def merge(self, first: Any, second: Any) -> Any:
        """Put together what was reduced of some units of a layer and of the next."""
        ...

    def sizes(self, header: "Header") -> Mapping[str, int]:
        """Return the sizes of the dims of its own that its variables have."""
        ...

    def memory_of_snapshots(self, snapshots: int, header: "Header") -> int:
        """Return the bytes of the states of all layers, and of what `compute` makes of them."""
        ...
