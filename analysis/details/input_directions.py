"""What layers know of the input's principal directions, where the user has the inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.analysis.measures.protocol import BlockShape, Needs, Scope
from ibtools.analysis.passes.graph import analyze
from ibtools.errors import InputError
from ibtools.store.derived import as_store
from ibtools.store.header import Header
from ibtools.store.inputs import checksum, number_inputs
from ibtools.store.schema import CUBE, Variable

DIM = "direction"

_OF_DIRECTIONS = (*CUBE[:3], DIM)

DIRECTION = Variable(
    DIM, (DIM,), ("int64",), "1", 0, "never missing",
    "number of the principal direction of the inputs, from that of the largest variance",
    coordinate=True, label="principal direction",
)  # fmt: skip

SHARE = Variable(
    "direction_share", (DIM,), ("float64",), "1", math.nan, "never missing",
    "share of the variance of the inputs that is along the direction", coordinate=True,
    label="share of the variance",
)  # fmt: skip

VARIABLES = (
    Variable(
        "mi_direction", _OF_DIRECTIONS, ("float64",), "bit", math.nan, "NaN: not complete",
        "sliced mutual information: what a projection of the layer on a random direction knows of "
        "the input along the principal direction, mean over projections",
        label="SI(T;X_j)",
    ),
    Variable(
        "mi_direction_se", _OF_DIRECTIONS, ("float64",), "bit", math.nan, "NaN: not complete",
        "standard error of mi_direction, from the projections that were drawn",
        label="standard error of SI(T;X_j)",
    ),
    Variable(
        "mi_direction_null", _OF_DIRECTIONS, ("float64",), "bit", math.nan,
        "NaN: not complete, or no permutation was drawn",
        "chance level of mi_direction: its mean over drawn permutations of the samples",
        label="chance level of SI(T;X_j)",
    ),
    Variable(
        "mi_direction_null_sd", _OF_DIRECTIONS, ("float64",), "bit", math.nan,
        "NaN: not complete, or fewer than two permutations were drawn",
        "standard deviation of that over the drawn permutations (n - 1)",
        label="chance spread of SI(T;X_j)",
    ),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class InputDirections:
    """Estimate what projections of a layer know of directions of the input; in memory only.

    It has no name in the table of estimators: its results are those of inputs that no store keeps.

    Parameters
    ----------
    scores : ndarray, (sample, direction), float64
        The inputs along their directions.
    n_projections, n_neighbours, n_permutations, seed : int
        As of `sliced_input_information`.
    """

    scores: NDArray[np.float64]
    n_projections: int
    n_neighbours: int
    n_permutations: int
    seed: int

    name: ClassVar[str] = "sliced-input"
    representation: ClassVar[str] = "projected T"
    revision: ClassVar[int] = 1
    revision_note: ClassVar[str] = ""
    needs: ClassVar[Needs] = "values"
    needs_global_range: ClassVar[bool] = False
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    coordinates: ClassVar[tuple[Variable, ...]] = (DIRECTION,)
    scope: ClassVar[Scope] = "layer"
    min_class_size: ClassVar[int] = 1
    meaning: ClassVar[str] = (
        "Not I(X;T): what one-dimensional projections of the layer on random directions know of "
        "the input along one of its principal directions, estimated from neighbours in the plane."
    )

    @property
    def specification(self) -> str:
        """The name with all options, but for the inputs."""
        numbers = (self.n_projections, self.n_neighbours, self.n_permutations, self.seed)
        return "-".join([self.name, *map(str, numbers)])

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, as attributes of the results."""
        return {
            "n_projections": self.n_projections,
            "n_neighbours": self.n_neighbours,
            "n_permutations": self.n_permutations,
            "seed_of_projections": self.seed,
            "representation": self.representation,
        }

    def sizes(self, header: Header) -> Mapping[str, int]:
        """Return how many directions there are."""
        return {DIM: self.scores.shape[1]}

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes of a snapshot's values and states, of projections, and of the inputs."""
        from ibtools.analysis.kernels.slices import PORTION

        states = 12 * shape.snapshot + 200 * shape.samples
        projections = 8 * self.n_projections * (2 * shape.units + shape.samples)
        n_directions = int(self.scores.shape[1])
        orders = 8 * shape.samples * (2 * self.n_permutations + 3 * n_directions)
        return max(shape.decoding, states) + projections + orders + 12 * PORTION

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables for a block of snapshots of one layer, (block, direction)."""
        from ibtools.analysis.kernels.input_slices import input_slices
        from ibtools.analysis.kernels.permutations import sample_permutations
        from ibtools.analysis.kernels.slices import random_directions

        _, n_samples, n_units = block.recorded.shape
        directions = random_directions(n_units, self.n_projections, seed=self.seed)
        shuffled = sample_permutations(n_samples, self.n_permutations, seed=self.seed)
        found = [
            input_slices(
                block.finite_values(index),
                self.scores,
                directions,
                shuffled,
                n_neighbours=self.n_neighbours,
            )
            for index in range(len(block))
        ]
        return {
            "mi_direction": np.stack([one.mean for one in found]),
            "mi_direction_se": np.stack([one.standard_error for one in found]),
            "mi_direction_null": np.stack([one.chance for one in found]),
            "mi_direction_null_sd": np.stack([one.chance_sd for one in found]),
        }


def sliced_input_information(
    dataset: xr.Dataset,
    x: ArrayLike,
    *,
    n_projections: int = 128,
    n_directions: int = 2,
    n_neighbours: int = 3,
    n_permutations: int = 2,
    seed: int = 0,
    same_inputs: bool = False,
) -> xr.Dataset:
    """Estimate what projections of every layer know of the input's principal directions; lazy.

    Parameters
    ----------
    dataset : Dataset
        As for `ibtools.analyze`, of one store; choose few snapshots, as in ``ds.sel(epoch=[100])``.
    x : array_like, (sample, ...), bool, integer or floating
        The input of each sample of `dataset`, in its order: a store does not keep it.
    n_projections : int, optional
        How many directions of a layer are drawn. They are the same in all snapshots.
    n_directions : int, optional
        How many principal directions of `x`, from that of the largest variance.
    n_neighbours : int, optional
        As of `ibtools.analysis.kernels.number_pairs.number_information`.
    n_permutations : int, optional
        How often samples are permuted for the chance level; each takes as long as the estimate.
    seed : int, optional
        Decides what is drawn, with the number of units and of samples.
    same_inputs : bool, optional
        Whether you know that `x` are the inputs of these samples, in this order, where the checksum
        in the store is not that of `x` and the labels.

    Returns
    -------
    Dataset
        `mi_direction`, `mi_direction_se`, `mi_direction_null` and `mi_direction_null_sd`, float64,
        bits, (repeat, epoch, layer, direction), backed by dask; `sample` and `unit` are consumed.
        NaN where a snapshot is not complete. The coordinate `direction_share` says how much of the
        variance of `x` is along each direction, the attribute `inputs_known_by` what told that `x`
        is of these samples.

    Raises
    ------
    InputError
        If an option is out of range, `x` has no such principal directions, is not finite or not of
        these samples, or the store keeps partitions only.
    StoreError
        If `x` are no numbers, or the Dataset lacks what is needed or holds no complete snapshot.

    Notes
    -----
    It is not I(X;T), and not sliced mutual information as Goldfeld & Greenewald define it, which
    takes random directions of both: of the input it looks at the directions with the largest
    variance of all samples in the Dataset. `mi_direction_se` is how far the mean may be off because
    other projections could have been drawn; that of samples is not in it, but
    `mi_direction_null_sd` says how far chance throws it.

    References
    ----------
    Goldfeld & Greenewald (2021), NeurIPS, arXiv 2110.05279. Kraskov, Stögbauer & Grassberger
    (2004), Phys. Rev. E 69 066138.
    """
    from ibtools.analysis.kernels.principal import principal_directions

    analyze(dataset)  # checks it; not computed
    header = Header.of(as_store(dataset))
    _validate_options(n_projections, n_neighbours, n_permutations, seed, header.n_samples)
    known_by = _validate_inputs(x, header, same_inputs=same_inputs)
    inputs = principal_directions(_finite(x), n_directions)
    measure = InputDirections(inputs.scores, n_projections, n_neighbours, n_permutations, seed)
    found = analyze(dataset, estimator=measure)
    share = xr.Variable(DIM, inputs.share, SHARE.attributes())
    return found.assign_coords({SHARE.name: share}).assign_attrs(inputs_known_by=known_by)


def _validate_options(
    n_projections: int, n_neighbours: int, n_permutations: int, seed: int, n_samples: int
) -> None:
    """Check numbers that do not depend on the inputs."""
    from ibtools.analysis.kernels.slices import FEWEST

    if n_projections < FEWEST:
        raise InputError(f"at least {FEWEST} projections are needed, found {n_projections}")
    if not 1 <= n_neighbours < n_samples:
        raise InputError(
            f"n_neighbours must be 1 to {n_samples - 1}, as there are {n_samples} samples, found "
            f"{n_neighbours}"
        )
    if n_permutations < 0:
        raise InputError(f"n_permutations must not be negative, found {n_permutations}")
    if seed < 0:
        raise InputError(f"a seed must not be negative, found {seed}")


def _validate_inputs(x: ArrayLike, header: Header, *, same_inputs: bool) -> str:
    """Check that inputs are those of a store, as far as it knows; return what told it."""
    numbers = number_inputs(x)
    if numbers.size != header.n_samples:
        raise InputError(
            f"x must have an input for each of the {header.n_samples} samples, found {numbers.size}"
        )
    is_numbered = "input" in header.coordinates
    if is_numbered and not np.array_equal(numbers, number_inputs(header.input)):
        raise InputError(
            "x must be the inputs of the samples, but other samples have equal ones than the store "
            "says (input); give x as it was when it was recorded, in the order of the samples"
        )
    said = str(header.attributes.get("data_checksum", ""))
    if said and said == checksum(np.asarray(x), header.label):
        return "the checksum of the data"
    if said and not same_inputs:
        raise InputError(
            "x must be the inputs of the samples, but the checksum in the store, data_checksum, is "
            "not that of x and the labels; where it is of more samples or of other numbers, and "
            "you know that x are their inputs, in this order, say so: same_inputs=True"
        )
    tells_some_apart = is_numbered and numbers.max() + 1 < numbers.size
    return "which samples have equal inputs" if tells_some_apart else "the number of samples"


def _finite(x: ArrayLike) -> NDArray[np.float64]:
    """Return inputs (sample, value) between which there are distances."""
    rows = np.asarray(x, np.float64)
    if not np.isfinite(rows).all():
        raise InputError("x must be finite for principal directions, found infinite values")
    return rows.reshape(len(rows), -1)
