"""LIBSVM's text format, in which its site publishes MNIST and CIFAR-10.

Each line is a sample: the label, then ``index:value`` of the features that are not zero, the index
counted from 1 and ascending [1]_.

References
----------
.. [1] C.-C. Chang & C.-J. Lin, "LIBSVM: a library for support vector machines", ACM Trans. Intell.
   Syst. Technol. 2, 27, 2011; data at https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import read_bytes, validate_unpacked
from ibtools.text_file import split_lines

_LINE = re.compile(r"\d{1,9}(?: +\d{1,9}:\d{1,9})*\s*", re.ASCII)
_MAX_BYTE = 255


def read_libsvm(path: Path, *, n_features: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read images in LIBSVM's format: (sample, feature), 0 where no line names one, and labels."""
    content = read_bytes(path)
    n_values = n_features * (1 + content.count(b"\n"))
    validate_unpacked(n_values, len(content), str(path), "leave out samples without features")
    lines = split_lines(content, where=str(path))
    x = np.zeros((len(lines), n_features), np.uint8)
    y = np.zeros(len(lines), np.int64)
    for row, line in enumerate(lines):
        y[row], index, value = _parse_line(line, n_features, f"{path}, line {row + 1}")
        x[row, index] = value
    return x, y


def _parse_line(
    line: str, n_features: int, where: str
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Return label, indices from 0, and values."""
    if not _LINE.fullmatch(line):
        raise InputError(
            f"{where}: must be a label and index:value pairs, all whole numbers from 0, "
            f"but is {line[:40]!r}"
        )
    numbers = np.array(list(map(int, line.replace(":", " ").split())))
    index, value = numbers[1::2], numbers[2::2]
    if index.size and (index[0] < 1 or index[-1] > n_features or (np.diff(index) < 1).any()):
        raise InputError(f"{where}: indices must ascend within 1 to {n_features}")
    if index.size and value.max() > _MAX_BYTE:
        raise InputError(f"{where}: values must be 0 to {_MAX_BYTE}, but one is {value.max()}")
    return int(numbers[0]), index - 1, value
