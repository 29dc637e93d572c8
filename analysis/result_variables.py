"""What the results of an estimator consist of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators import Estimator, LayerBlock, Population
from ibtools.schema import CUBE, RESULT_VARIABLES, STORE_VARIABLES, Variable

RESULT_COORDINATES = tuple(
    variable
    for variable in STORE_VARIABLES
    if variable.coordinate and set(variable.dims) <= set(CUBE[:3])
)
"""The declared coordinates of a store that its results carry too."""

_DECLARED = {variable.name: variable for variable in RESULT_VARIABLES}


def result_variables(estimator: Estimator) -> tuple[Variable, ...]:
    """Return the declarations of the variables that an estimator fills, per (repeat, epoch, layer).

    Parameters
    ----------
    estimator : Estimator
        Any.

    Returns
    -------
    tuple of Variable
        Labelled for what the estimator measures: of a binned layer, what would be I(X;T) is called
        the entropy that it is; of a noisy one it is the information of that. What is estimated for
        a population says so.

    Examples
    --------
    >>> from ibtools.analysis.estimators import parse_estimator
    >>> [variable.label for variable in result_variables(parse_estimator("binned"))[:3]]
    ['H(binned T)', 'I(binned T;Y)', 'H(binned T)']
    >>> [variable.label for variable in result_variables(parse_estimator("kde"))[:3]]
    ['I(X;T + noise)', 'I(T + noise;Y)', 'I(X;T + noise), lower bound']
    """
    variables = tuple(_relabelled(_DECLARED[name], estimator) for name in estimator.variables)
    if isinstance(estimator, Population):
        return tuple(_of_population(variable, estimator.correction) for variable in variables)
    return variables


def _of_population(variable: Variable, correction: str) -> Variable:
    if not variable.label:
        return variable
    return replace(
        variable,
        label=f"{variable.label} of the population",
        description=f"{variable.description}; estimated for the population that the recorded "
        f"inputs are a sample of, corrected after {correction}",
    )


def count_statistics(estimators: Sequence[Estimator]) -> int:
    """Return how many numbers the estimators compute of a snapshot of a layer."""
    return sum(len(estimator.variables) for estimator in estimators)


def stack_statistics(estimators: Sequence[Estimator], block: LayerBlock) -> NDArray[np.float64]:
    """Compute the variables of all estimators for a block of snapshots of one layer.

    Parameters
    ----------
    estimators : sequence of Estimator
        Any.
    block : LayerBlock
        The snapshots; sample and unit are consumed.

    Returns
    -------
    ndarray, (block, statistic), float64
        The variables of the first estimator in their order, then those of the next. Counts are
        far below 2^53, so that float64 holds them unchanged.
    """
    found = [
        statistics[name]
        for estimator in estimators
        for statistics in [estimator.statistics(block)]
        for name in estimator.variables
    ]
    return np.stack(found, axis=-1).astype(np.float64)


def from_statistic(variable: Variable, statistic: NDArray[np.float64]) -> NDArray[Any]:
    """Turn a statistic, NaN where it was not computed, into what the variable holds.

    Examples
    --------
    >>> n_states = next(v for v in RESULT_VARIABLES if v.name == "n_states")
    >>> from_statistic(n_states, np.array([3.0, np.nan]))
    array([3, 0])
    """
    dtype = variable.dtypes[0]
    if np.issubdtype(dtype, np.integer):
        statistic = np.where(np.isnan(statistic), variable.fill, statistic)
    return statistic.astype(dtype)


def _relabelled(variable: Variable, estimator: Estimator) -> Variable:
    representation = estimator.representation
    if representation == "T" or not variable.label:
        return variable
    label = variable.label.replace("X;T", f"X;{representation}")
    if not estimator.noisy:
        label = variable.label.replace("I(X;T", "H(T")
    label = label.replace("(T", f"({representation}")
    description = f"{variable.description}; of {representation}, not of the layer itself"
    if "X" in variable.label and not estimator.noisy:
        description = f"entropy {label.removeprefix('mean ')}; not the information of T about X"
    return replace(variable, label=label, description=description)
