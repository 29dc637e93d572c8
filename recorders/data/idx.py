"""IDX, the format of MNIST and Fashion-MNIST.

A file starts with the bytes 0, 0, the type of the values (8 for unsigned bytes) and the number of
dimensions. The sizes of the dimensions follow, each in four bytes, big-endian, and then the values
in C order [1]_.

References
----------
.. [1] Y. LeCun, C. Cortes & C. Burges, "The MNIST database of handwritten digits",
   http://yann.lecun.com/exdb/mnist/.
"""

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import read_bytes

_UNSIGNED_BYTES = 8


def read_idx(path: Path, *, n_dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, plain or compressed: (sample, ...), uint8, read-only."""
    content = read_bytes(path)
    magic = bytes((0, 0, _UNSIGNED_BYTES, n_dimensions))
    if content[:4] != magic:
        raise InputError(
            f"{path}: an IDX file of bytes in {n_dimensions} dimension(s) must start with the "
            f"magic number {magic.hex()}, but starts with {content[:4].hex() or 'nothing'}"
        )
    start = 4 + 4 * n_dimensions
    shape = tuple(np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">u4").tolist())
    if len(content) != start + prod(shape):
        raise InputError(
            f"{path}: the header announces {' x '.join(map(str, shape))} values, which makes "
            f"{start + prod(shape)} bytes, but the file has {len(content)}; copy it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
