"""Faults of files: each must be found, named, and mended, or change nothing."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults import trial
from ibtools.errors import StoreError
from ibtools.recorders.repair import repair_store
from ibtools.store.checksums import BOUND_COORDINATES
from ibtools.store.schema import STORE_VARIABLES

_BOUND = [
    one.name
    for one in STORE_VARIABLES
    if one.dims[0] == "repeat" and one.name not in BOUND_COORDINATES
]

Damage = Callable[[Path, random.Random], None]


def _pick(store: Path, draws: random.Random, among: str = "*") -> Path:
    """Choose a file of what was recorded, every variable with equal chance."""
    names = {file.relative_to(store).parts[0] for file in store.glob(f"{among}/c/**/*")}
    name = draws.choice([one for one in _BOUND if one in names])
    return draws.choice(sorted(file for file in (store / name / "c").rglob("*") if file.is_file()))


def delete(store: Path, draws: random.Random) -> None:
    """Delete a file."""
    _pick(store, draws).unlink()


def make_folder(store: Path, draws: random.Random) -> None:
    """Put a folder where a file was."""
    file = _pick(store, draws)
    file.unlink()
    file.mkdir()


def make_dangling(store: Path, draws: random.Random) -> None:
    """Put a link that leads nowhere where a file was."""
    file = _pick(store, draws)
    file.unlink()
    file.symlink_to(file.with_name("nowhere"))


def empty(store: Path, draws: random.Random) -> None:
    """Leave nothing in a file."""
    _pick(store, draws).write_bytes(b"")


def truncate(store: Path, draws: random.Random) -> None:
    """Cut a file short."""
    file = _pick(store, draws)
    content = file.read_bytes()
    file.write_bytes(content[: draws.randrange(len(content))])


def flip_bit(store: Path, draws: random.Random) -> None:
    """Flip a bit of a file."""
    flip(_pick(store, draws), draws)


def flip(file: Path, draws: random.Random) -> None:
    """Flip a bit of this file."""
    content = bytearray(file.read_bytes())
    bit = draws.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def overwrite_page(store: Path, draws: random.Random) -> None:
    """Put zeros where a page of a file was."""
    file = _pick(store, draws, "code")
    content = bytearray(file.read_bytes())
    start = draws.randrange(len(content)) // 4096 * 4096
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))
    file.write_bytes(content)


def swap(store: Path, draws: random.Random) -> None:
    """Exchange two files of a variable."""
    first = _pick(store, draws)
    array = store / first.relative_to(store).parts[0] / "c"
    second = draws.choice([one for one in array.rglob("*") if one.is_file() and one != first])
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def bring_back(store: Path, draws: random.Random) -> None:
    """Put an older file of the same place, from another recording, where a newer one was."""
    first = _pick(store, draws, "code")
    others = [one for one in (store / "code" / "c").rglob("*") if one.is_file() and one != first]
    shutil.copy(draws.choice(others), first)


DAMAGES: dict[str, Damage] = {
    "a file is deleted": delete,
    "a folder is where a file was": make_folder,
    "a dangling link is where a file was": make_dangling,
    "a file is empty": empty,
    "a file is cut short": truncate,
    "a bit is flipped": flip_bit,
    "a page is zeros": overwrite_page,
    "two files are swapped": swap,
    "an older file is back": bring_back,
}


def try_damage(damage: Damage, whole: Path, folder: Path, draws: random.Random) -> bool:
    """Damage a copy of a store; whether no wrong number is read, and all is there in the end."""
    store = folder / "s.zarr"
    shutil.copytree(whole, store)
    damage(store, draws)
    try:
        noticed = not trial.is_right(store)
    except StoreError:
        noticed = False
    try:
        trial.analyze(store)
    except StoreError as err:
        if "\n" in str(err):
            return False
    repair_store(store, quiet=True)
    trial.record(store)
    trial.analyze(store)
    same = trial.recorded(store) == trial.recorded(whole)
    return same and not noticed and trial.results(store) == trial.results(whole)
