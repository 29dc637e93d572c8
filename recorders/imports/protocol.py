"""What a format of activations is, and what is read of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Imported:
    """A snapshot that another program has recorded.

    Parameters
    ----------
    repeat : int
        Its number in the source, from 0. All of a repeat come one after the other.
    epoch : int
        How many epochs were trained, ascending in a repeat.
    layers : mapping of str to ndarray, (sample, unit, ...)
        In the order of the network.
    scalars : mapping of str to float, optional
        Losses and the like.
    """

    repeat: int
    epoch: int
    layers: Mapping[str, NDArray[Any]]
    scalars: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ActivationFormat:
    """A format of files with activations.

    Parameters
    ----------
    looks : str
        What such a source is, in half a line.
    recognises : callable
        Tells whether a file or folder looks like it.
    read : callable
        Takes the path and which network of several is wanted; yields `Imported`.
    """

    looks: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, tuple[int, int]], Iterator[Imported]]


def numbered(arrays: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Name the layers of a program that numbers them."""
    return {f"layer_{number}": array for number, array in enumerate(arrays, start=1)}
