"""Labels: any whole numbers or words, one per sample, and the classes that occur among them.

What is computed knows classes by numbers from 0 on, without gaps, so that nothing costs more for
labels that are large numbers or far apart.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError


def number_classes(
    label: ArrayLike, *, name: str = "label"
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Give the classes of samples numbers from 0, in ascending order of their labels.

    Parameters
    ----------
    label : array_like, (sample,), integer, bool or str
        Label of each sample.
    name : str, optional
        What it is called in an error.

    Returns
    -------
    numbers : ndarray, (sample,), int64
        Class of each sample, 0 to the number of classes - 1. Labels that are that already stay as
        they are.
    classes : ndarray, (class,), integer, bool or str
        The label of each class.

    Raises
    ------
    StoreError
        If there is not one whole number or word for each sample, and at least one sample.

    Examples
    --------
    >>> numbers, classes = number_classes([-1, 400_000_000, -1])
    >>> numbers.tolist(), classes.tolist()
    ([0, 1, 0], [-1, 400000000])
    """
    classes, numbers = np.unique(validate_discrete(label, name=name), return_inverse=True)
    return numbers.astype(np.int64), classes


def names_to_keep(classes: NDArray[Any]) -> tuple[int | str, ...] | None:
    """Return what a store has to keep of the labels that `number_classes` gave numbers to.

    Parameters
    ----------
    classes : ndarray, (class,), integer, bool or str
        The label of each class.

    Returns
    -------
    tuple of int or str, or None
        As `StoreSpec` takes `classes`; None if labels and numbers are the same.

    Examples
    --------
    >>> names_to_keep(np.array([1, 2])), names_to_keep(np.array([0, 1]))
    ((1, 2), None)
    """
    same = classes.dtype.kind != "U" and np.array_equal(classes, np.arange(classes.size))
    return None if same else tuple(classes.tolist())


def validate_discrete(label: ArrayLike, *, name: str = "label") -> NDArray[Any]:
    """Return labels as an array of integers, bools or words, after checking that they are.

    Parameters and exceptions are those of `number_classes`.
    """
    if np.ma.is_masked(label):
        raise StoreError(f"{name} must be known of every sample, found masked ones; leave them out")
    values = np.asarray(label)
    if values.dtype.kind in "OT":
        values = _plain(values)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iubU":
        raise StoreError(
            f"{name} must be one whole number or word per sample, found {values.dtype} of shape "
            f"{values.shape}{_hint(values)}"
        )
    return values


def name_classes(classes: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[Any]:
    """Return what the classes of a store were called before they were numbered.

    Parameters
    ----------
    classes : ndarray, (class,)
        The different values of the store's label, ascending.
    attributes : mapping
        Of the store: `classes` lists the names by number, if they are not the numbers themselves.

    Returns
    -------
    ndarray, (class,), int64 or str
        Words where a name is one, or no int64.

    Examples
    --------
    >>> name_classes(np.array([0, 2]), {"classes": ["cat", "dog", "owl"]}).tolist()
    ['cat', 'owl']
    >>> name_classes(np.array([0, 2]), {}).tolist()
    [0, 2]
    """
    found, names = classes.tolist(), attributes.get("classes", ())
    if classes.dtype.kind in "iu" and found[0] >= 0 and found[-1] < len(names):
        found = [names[number] for number in found]
    largest = np.iinfo(np.int64).max
    if all(not isinstance(name, str) and name <= largest for name in found):
        return np.array(found, np.int64)
    return np.array([str(name) for name in found])


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Turn objects that are all words, or all whole numbers, into an array of these."""
    kinds = {type(value) for value in values.ravel().tolist()}
    return np.array(values.tolist()) if kinds in ({str}, {int}, {bool}) else values


def _hint(values: NDArray[Any]) -> str:
    if values.ndim == 2:
        return "; one-hot rows become classes with label.argmax(axis=1)"
    if values.dtype.kind == "f":
        return "; if all are whole, give label.astype(int); put continuous values into bins first"
    return ""
