"""The files of metadata of a store, found and judged before zarr parses any."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ibtools.errors import StoreError
from ibtools.store.validation.bounds import METADATA_BYTES, NODES
from ibtools.store.validation.metadata import NODE, parse_node

_RESULTS = {"information": 2, "details": 3}
"""Folders with results, and how deep the arrays are below them."""

_RESTORE = "; restore it from a copy of the store"


def read_nodes(place: Path, path: object) -> dict[str, dict[str, Any]]:
    """Read and judge all metadata that are parsed of a folder, by their paths: "" is the root's.

    They are those of the store, and of its results.
    """
    found: dict[str, dict[str, Any]] = {}
    for folder in _folders(place):
        name = "" if folder is place else folder.relative_to(place).as_posix()
        node = _judge(folder, f"{path}: {name}" if name else f"{path}")
        if node is not None:
            found[name] = node
        if len(found) > NODES:
            raise StoreError(
                f"{path}: must hold at most {NODES} arrays and groups, found more; it was not "
                "written by ibtools: check the path"
            )
    return found


def read_bounded(file: Path, most: int, where: str) -> bytes | None:
    """Read a regular file, at most a byte more than it may have; None if there is none.

    Raises
    ------
    StoreError
        If it is a folder, a link that leads nowhere, or something that has no end.
    """
    try:
        mode = os.stat(file).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "something else"
            raise StoreError(f"{where}: {file.name} must be a file, found {kind}{_RESTORE}")
        with open(file, "rb") as opened:
            return opened.read(most + 1)
    except FileNotFoundError:
        if file.is_symlink():
            raise StoreError(
                f"{where}: {file.name} must be a file, found a link to {os.readlink(file)!r}, "
                f"which is not there{_RESTORE}"
            ) from None
        return None
    except NotADirectoryError:
        return None
    except OSError as err:
        raise StoreError(
            f"{where}: {file.name} must be a file that can be read, but {err.strerror}; give "
            "permission, or restore it from a copy of the store"
        ) from err


def _judge(folder: Path, where: str) -> dict[str, Any] | None:
    raw = read_bounded(folder / NODE, METADATA_BYTES, where)
    return None if raw is None else parse_node(raw, f"{where}: {NODE}")


def _folders(place: Path) -> Iterator[Path]:
    """Yield the folders whose metadata zarr would parse."""
    yield place
    for folder in _below(place):
        yield folder
        if folder.name in _RESULTS:
            yield from _deep(folder, _RESULTS[folder.name])


def _deep(folder: Path, depth: int) -> Iterator[Path]:
    for below in _below(folder):
        yield below
        if depth > 1:
            yield from _deep(below, depth - 1)


def _below(folder: Path) -> list[Path]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= NODES:
                    raise StoreError(
                        f"{folder}: must hold at most {NODES} files and folders, found more; it "
                        "was not written by ibtools: check the path"
                    )
                if not entry.is_file():
                    found.append(folder / entry.name)
    except (FileNotFoundError, NotADirectoryError):  # deleted meanwhile; or no folder
        return []
    except OSError as err:
        raise StoreError(
            f"{folder}: must be a folder that can be read, but {err.strerror}; give permission, or "
            "restore it from a copy of the store"
        ) from err
    return found
