"""Faults of what a store says of itself: a clear sentence, or the same numbers, never others."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults import trial
from benchmarks.faults.files import flip
from ibtools.errors import StoreError
from ibtools.store.checksums import BOUND_COORDINATES
from ibtools.store.groups import find_group, get_array

Damage = Callable[[Path, random.Random], None]

_NUMBERS = (0, -1, 2**60, 10**9, 1.5, "x", None, [], {})


def _places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where the values of a JSON document are, the way to each."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, below in inner:
        here = (*at, key)
        found += [here, *(_places(below, here) if isinstance(below, dict | list) else [])]
    return found


def edit_metadata(store: Path, draws: random.Random) -> None:
    """Put something else in the place of a value of a file of metadata."""
    file = draws.choice(sorted(store.rglob("zarr.json")))
    document = json.loads(file.read_text())
    *way, last = draws.choice(_places(document))
    node = document
    for key in way:
        node = node[key]
    node[last] = draws.choice(_NUMBERS)
    file.write_text(json.dumps(document))


def replace_metadata(store: Path, draws: random.Random) -> None:
    """Leave of a file of metadata a part, nothing, or what is none."""
    file = draws.choice(sorted(store.rglob("zarr.json")))
    content = file.read_text()
    part = content[: draws.randrange(len(content))]
    file.write_text(draws.choice(["", "[]", "null", "7", "{}", part]))


def change_coordinate(store: Path, draws: random.Random) -> None:
    """Give a coordinate another value, without which codes are misread."""
    group = find_group(store, "r+")
    assert group is not None
    array = get_array(group, draws.choice(BOUND_COORDINATES))
    values = array[...]
    at = draws.randrange(len(values))
    values[at] = "other" if values.dtype.kind in "TUO" else values[at] + draws.choice([-1, 1])
    array[...] = values


def damage_table(store: Path, draws: random.Random) -> None:
    """Flip a bit of the table of checksums."""
    files = [one for one in store.glob("checksums/crc32c/c/**/*") if one.is_file()]
    flip(draws.choice(sorted(files)), draws)


DAMAGES: dict[str, Damage] = {
    "a value of the metadata is another": edit_metadata,
    "a file of metadata is cut short, or none": replace_metadata,
    "a coordinate has another value": change_coordinate,
    "a bit of the checksums is flipped": damage_table,
}


def try_damage(damage: Damage, whole: Path, folder: Path, draws: random.Random) -> bool:
    """Damage a copy of a store; whether all that is read is right, or refused in one line."""
    store = folder / "s.zarr"
    shutil.copytree(whole, store)
    damage(store, draws)
    shutil.rmtree(store / "information", ignore_errors=True)
    try:
        if not trial.is_right(store):
            return False
        trial.analyze(store)
        return trial.results(store) == trial.results(whole)
    except StoreError as err:
        return "\n" not in str(err)
