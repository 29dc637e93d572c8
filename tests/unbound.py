"""Stores without checksums, as copies and earlier versions of ibtools leave them."""

import shutil
from pathlib import Path

from ibtools.store.checksums import GROUP
from ibtools.store.groups import consolidate


def unbind(path: Path) -> Path:
    """Take a store's checksums away, so that what is changed in it is not found by them."""
    if (path / GROUP).exists():
        shutil.rmtree(path / GROUP)
        consolidate(path)
    return path
