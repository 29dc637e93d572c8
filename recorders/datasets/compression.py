"""Files that may be compressed."""

import bz2
import gzip
import zlib
from pathlib import Path

from ibtools.errors import InputError

SUFFIXES = ("", ".gz", ".bz2")
"""What a file's name may end with."""

_DECOMPRESS = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress}


def read_bytes(path: Path) -> bytes:
    """Read a plain, gzip or bz2 file.

    The first bytes tell which it is, because browsers unpack files without renaming them.

    Raises
    ------
    InputError
        If the compressed file is damaged or ends early.
    """
    content = path.read_bytes()
    for magic, decompress in _DECOMPRESS.items():
        if content.startswith(magic):
            try:
                return decompress(content)
            except (EOFError, OSError, ValueError, zlib.error) as err:
                raise InputError(
                    f"{path}: the compressed file is damaged or was not copied to its end ({err}); "
                    "copy or download it again"
                ) from err
    return content
