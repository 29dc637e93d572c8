"""The stores of a run: one, or several parts where all of it at once would not fit on the disk."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibtools.errors import InputError
from ibtools.reproduction.experiments import Run
from ibtools.store.groups import is_taken

THIN = ".thin.zarr"
"""What the name of a store ends in whose codes are gone."""

_SUFFIX = ".zarr"


@dataclass(frozen=True)
class Part:
    """Some repeats of a run, with a store of their own.

    Parameters
    ----------
    run : Run
        Whose they are.
    settings : mapping
        What they are recorded with.
    folder : Path
        Where all stores are.
    name : str
        Of the store, without suffix.
    is_thinned : bool
        Whether codes go once all is analysed.
    """

    run: Run
    settings: Mapping[str, Any]
    folder: Path
    name: str
    is_thinned: bool = False

    @property
    def store(self) -> Path:
        """Where it is recorded to."""
        return self.folder / f"{self.name}{_SUFFIX}"

    @property
    def thin(self) -> Path:
        """Where its partitions go."""
        return self.folder / f"{self.name}{THIN}"

    @property
    def results(self) -> Path:
        """Where its results go: beside the recording, or apart where that is thinned."""
        return self.folder / f"{self.name}.results{_SUFFIX}" if self.is_thinned else self.store

    @property
    def has_codes(self) -> bool:
        """Whether its codes are there, or are still to come: it is thinned last of all."""
        return not is_taken(self.thin)

    @property
    def opened(self) -> Path:
        """The store that is there: with codes, or thin."""
        return self.store if self.has_codes else self.thin

    def thin_with(self, thin: Callable[[Path, Path], object] | None) -> None:
        """Put a thin store in the place of the store, which goes once that is whole.

        A store that is thin as it was recorded needs nothing that thins it.
        """
        if self.has_codes and thin is None:
            os.replace(self.store, self.thin)
        elif self.has_codes and thin is not None:
            unfinished = self.folder / f"{self.name}.thinning{_SUFFIX}"
            thin(self.store, unfinished)
            os.replace(unfinished, self.thin)
        if self.store.exists():
            shutil.rmtree(self.store)


def whole_of(run: Run, settings: Mapping[str, Any], folder: Path) -> Part:
    """Return a run as one part, which keeps its codes.

    Raises
    ------
    InputError
        If it was begun in several.
    """
    if there := _found(run, folder):
        raise InputError(
            f"{folder}: {run.title} was begun in parts ({', '.join(there.values())}), as with "
            "--disk; go on with --disk (disk=)"
        )
    return Part(run, settings, folder, run.title)


def parts_of(
    run: Run, settings: Mapping[str, Any], folder: Path, repeats: int, most: int
) -> tuple[Part, ...]:
    """Cut a run of some repeats into parts of at most so many, which are thinned.

    Those that are there stay as they are: their names say which repeats they have.
    """
    whole = Part(run, settings, folder, run.title, is_thinned=True)
    if is_taken(whole.opened):
        return (whole,)
    there, parts, first = _found(run, folder), [], int(settings.get("first_repeat", 0))
    end = first + repeats
    while first < end:
        name = there.get(first) or _name(run, first, min(most, end - first))
        own = {**settings, "first_repeat": first, "repeats": _count(name)}
        parts.append(Part(run, own, folder, name, is_thinned=True))
        first += _count(name)
    return tuple(parts)


def _name(run: Run, first: int, count: int) -> str:
    return f"{run.title}.{first}-{first + count - 1}"


def _count(name: str) -> int:
    first, last = name.rpartition(".")[2].split("-")
    return int(last) - int(first) + 1


def _found(run: Run, folder: Path) -> dict[int, str]:
    """Return the names of the parts that are in a folder, by their first repeat."""
    found = {}
    for path in folder.glob(f"{run.title}.*{_SUFFIX}"):
        name = path.name.removesuffix(THIN).removesuffix(_SUFFIX)
        first, dash, last = name.removeprefix(f"{run.title}.").partition("-")
        if first.isdigit() and dash and last.isdigit():
            found[int(first)] = name
    return dict(sorted(found.items()))
