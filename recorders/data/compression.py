"""Files that may be compressed, and what they may unpack to.

A few megabytes can unpack to any number of gigabytes. What is there uncompressed has taken its
place on the disk already; so what a file unpacks to is bounded by its own size.
"""

import bz2
import gzip
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

from ibtools.errors import InputError

SUFFIXES = ("", ".gz", ".bz2")
"""What a file's name may end with."""

MOST_TIMES = 64
"""How many times its own size a file may unpack to. Published images unpack to 2 to 6 times."""

FREE_BYTES = 2**26
"""What any file may unpack to."""

_Opener = Callable[[Path], gzip.GzipFile | bz2.BZ2File]

_OPEN: dict[bytes, _Opener] = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File}


def read_bytes(path: Path) -> bytes:
    """Read a plain, gzip or bz2 file.

    The first bytes tell which it is, because browsers unpack files without renaming them. A link is
    followed, wherever it leads: folders of data are often links to another disk, and what is there
    is only read. What unpacks to far more than is stored, as `most_unpacked` says, is refused.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path}: must be a file, found something else; copy it again")
    with path.open("rb") as file:
        start = file.read(3)
        opener = next((one for magic, one in _OPEN.items() if start.startswith(magic)), None)
        if opener is None:
            return start + file.read()
    n_stored = path.stat().st_size
    most = most_unpacked(n_stored)
    try:
        with opener(path) as unpacked:
            content = bytes(unpacked.read(most + 1))
    except (EOFError, OSError, ValueError, zlib.error) as err:
        raise InputError(
            f"{path}: the compressed file is damaged or was not copied to its end ({err}); "
            "copy or download it again"
        ) from err
    validate_unpacked(len(content), n_stored, str(path), "unpack it, if it is what it should be")
    return content


def most_unpacked(n_stored: int) -> int:
    """Return the bytes that so many stored ones may become."""
    return max(FREE_BYTES, MOST_TIMES * n_stored)


def validate_unpacked(n_bytes: int, n_stored: int, where: str, advice: str) -> None:
    """Check what stored bytes would become, before they do."""
    most = most_unpacked(n_stored)
    if n_bytes > most:
        raise InputError(
            f"{where}: {n_stored} bytes must unpack to at most {most}, found {n_bytes} or more; "
            f"{advice}"
        )
