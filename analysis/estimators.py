"""Estimators: from a block of snapshots of one layer to numbers.

Adding one is a frozen dataclass with the attributes of `Estimator` and an entry in `ESTIMATORS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.information import information_of_labels
from ibtools.analysis.partition import partition_block
from ibtools.analysis.symbols import code_symbols, float_symbols, softmax_symbols
from ibtools.errors import unknown_name
from ibtools.snapshots import LayerSpec

Statistics = dict[str, NDArray[np.float64] | NDArray[np.int64]]
"""Per variable of the results one number per snapshot, (block,)."""


class Estimator(Protocol):
    """What the analysis asks of an estimator.

    Attributes
    ----------
    name : str
        Its name in `ESTIMATORS` and on the command line.
    requires : {"recorded", "decoded"}
        Whether `statistics` takes blocks as recorded (integer codes, or float32 values), or always
        decoded to values.
    """

    @property
    def name(self) -> str:
        """The name in the table."""
        ...

    @property
    def requires(self) -> Literal["recorded", "decoded"]:
        """What `statistics` takes."""
        ...

    @property
    def specification(self) -> str:
        """The name with all options: what the result is called."""
        ...

    def statistics(
        self,
        values: NDArray[np.generic],
        *,
        layer: LayerSpec,
        y: NDArray[np.integer],
        n_classes: int,
    ) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer."""
        ...


@dataclass(frozen=True)
class Exact:
    """Count the layer's own symbols: exact for a deterministic network and the recorded inputs.

    Notes
    -----
    Every input is equally likely. As T is a function of X, I(X;T) = H(T).
    """

    name: ClassVar[str] = "exact"
    requires: ClassVar[Literal["recorded"]] = "recorded"

    @property
    def specification(self) -> str:
        """The name of the result; there are no options."""
        return self.name

    def statistics(
        self,
        values: NDArray[np.generic],
        *,
        layer: LayerSpec,
        y: NDArray[np.integer],
        n_classes: int,
    ) -> Statistics:
        """Compute information and number of states of each snapshot.

        Parameters
        ----------
        values : ndarray, (block, sample, unit), uint8, uint16 or float32
            Codes of a quantised layer, values of a float layer; without padding. Sample and unit
            are consumed.
        layer : LayerSpec
            The layer that the values are of.
        y : ndarray, (sample,), integer
            Class of each sample, 0 to n_classes - 1.
        n_classes : int
            Number of classes.

        Returns
        -------
        dict of str to ndarray, (block,)
            mi_xt, mi_ty and entropy_t (float64, bits) and n_states (int64).

        Raises
        ------
        TypeError
            If the dtype does not fit the layer.
        ValueError
            If there is no sample or unit, a value is NaN, or y does not fit.

        Examples
        --------
        >>> import numpy as np
        >>> layer = LayerSpec("hidden_1", n_units=1, activation_function="tanh", bits=8)
        >>> code = np.array([[[0], [1], [2], [2]]], dtype=np.uint8)
        >>> y = np.array([0, 0, 1, 1])
        >>> Exact().statistics(code, layer=layer, y=y, n_classes=2)["mi_ty"]
        array([1.])
        """
        labels, n_states = partition_block(exact_symbols(values, layer))
        return label_statistics(labels, n_states, y=y, n_classes=n_classes)


def exact_symbols(values: NDArray[Any], layer: LayerSpec) -> NDArray[np.unsignedinteger]:
    """Choose the exact symbols of a layer.

    Parameters
    ----------
    values : ndarray, (..., sample, unit), uint8, uint16 or float32
        Codes of a quantised layer, values of a float layer.
    layer : LayerSpec
        The layer that the values are of.

    Returns
    -------
    ndarray, (..., sample, unit), uint8, uint16 or uint32
        See `ibtools.analysis.symbols`.
    """
    if not layer.quantised:
        return float_symbols(values)
    if layer.activation_function == "softmax":
        return softmax_symbols(values)
    return code_symbols(values)


def label_statistics(
    labels: NDArray[np.uint32],
    n_states: NDArray[np.int64],
    *,
    y: NDArray[np.integer],
    n_classes: int,
) -> Statistics:
    """Compute what follows from the partition of a deterministic layer.

    Parameters
    ----------
    labels, n_states : ndarray, (block, sample) and (block,)
        As from `ibtools.analysis.partition.partition_block`, or from a store that keeps the
        partition.
    y : ndarray, (sample,), integer
        Class of each sample, 0 to n_classes - 1.
    n_classes : int
        Number of classes.

    Returns
    -------
    dict of str to ndarray, (block,)
        mi_xt, mi_ty and entropy_t (float64, bits) and n_states (int64).
    """
    entropy_t, mi_ty = information_of_labels(labels, y, n_classes)
    return {"mi_xt": entropy_t.copy(), "mi_ty": mi_ty, "entropy_t": entropy_t, "n_states": n_states}


ESTIMATORS: Mapping[str, type[Estimator]] = {"exact": Exact}
"""Every estimator by its name."""


def get_estimator(name: str) -> Estimator:
    """Build an estimator by its name, with default options.

    Parameters
    ----------
    name : str
        One of `ESTIMATORS`.

    Returns
    -------
    Estimator
        The estimator.

    Raises
    ------
    ibtools.errors.UnknownNameError
        If there is none of that name.

    Examples
    --------
    >>> get_estimator("exact").specification
    'exact'
    """
    if name not in ESTIMATORS:
        raise unknown_name("estimator", name, ESTIMATORS)
    return ESTIMATORS[name]()
