"""The samples of a recording as users give them: labels, splits, inputs."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError
from ibtools.store.header import Header
from ibtools.store.inputs import number_inputs
from ibtools.store.labels import names_to_keep, number_classes
from ibtools.store.storage import StorePath


@dataclass(frozen=True, eq=False)
class RecordedSamples:
    """The samples of a recording, as a store has them.

    Parameters
    ----------
    label : ndarray, (sample,), int64
        Classes, numbered from 0.
    classes : tuple of int or str, optional
        What they were called, if not by their numbers.
    split : ndarray, (sample,), str, optional
        "train" or "test".
    input : ndarray, (sample,), int64, optional
        Numbers of the inputs, if it is known which are equal.
    checksum : str
        A word that identifies the inputs; empty if none was given.
    """

    label: NDArray[np.int64]
    classes: tuple[int | str, ...] | None
    split: NDArray[np.str_] | None
    input: NDArray[np.int64] | None
    checksum: str

    @classmethod
    def of(cls, label: ArrayLike, *, split: ArrayLike | None, x: ArrayLike | str | None) -> Self:
        """Check and number what a user gives."""
        numbers, classes = number_classes(label)
        checksum = x if isinstance(x, str) else ""
        is_known = x is not None and not isinstance(x, str)
        return cls(
            numbers,
            names_to_keep(classes),
            None if split is None else np.asarray(split),
            number_recorded(x, numbers.size) if is_known else None,
            checksum,
        )

    @property
    def n_samples(self) -> int:
        """Samples of every snapshot."""
        return int(self.label.size)

    def fields(self) -> dict[str, Any]:
        """Return what a `StoreSpec` takes of them."""
        return {
            "label": self.label,
            "classes": self.classes,
            "split": self.split,
            "input": self.input,
        }

    def attributes(self) -> dict[str, str]:
        """Return what the root attributes of a store say of them."""
        return {"data_checksum": self.checksum} if self.checksum else {}

    def validate_same(self, path: StorePath, header: Header) -> None:
        """Check that a store is of these samples.

        Raises
        ------
        StoreError
            If labels, splits or inputs differ.
        """
        split = np.full(self.n_samples, "train") if self.split is None else self.split
        known = {"label": header.coordinates["label"], "split": header.split}
        given: dict[str, NDArray[Any]] = {"label": self.label, "split": split}
        if self.input is not None or "input" in header.coordinates:
            known["x"], given["x"] = header.input, self._inputs()
        for name, values in given.items():
            if not np.array_equal(values, known[name]):
                raise _other_samples(path, name)
        classes = list(self.classes or ()) or None
        if header.attributes.get("classes") != classes:
            raise _other_samples(path, "names of classes")
        if header.attributes.get("data_checksum", "") != self.checksum:
            raise _other_samples(path, "x")

    def _inputs(self) -> NDArray[np.int64]:
        return np.arange(self.n_samples) if self.input is None else self.input


def number_recorded(x: Any, n_samples: int) -> NDArray[np.int64]:
    """Return the numbers of the inputs, after checking that there is one for each sample."""
    numbers = number_inputs(x.detach().cpu() if hasattr(x, "detach") else x)
    if numbers.size != n_samples:
        raise StoreError(
            f"x must have an input for each of the {n_samples} samples, found {numbers.size}"
        )
    return numbers


def _other_samples(path: StorePath, what: str) -> StoreError:
    return StoreError(
        f"{path}: the store that is there must be of the same samples, but its {what} differs from "
        "what was given; choose another path, or replace it with overwrite=True"
    )
