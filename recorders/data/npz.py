"""NumPy's ``.npz`` archives: Keras' layout of image data sets, and the user's own data."""

import lzma
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import validate_unpacked
from ibtools.recorders.data.data_set import DataSet, scale_bytes, validate_classes
from ibtools.recorders.data.distinct import to_float32
from ibtools.recorders.data.split import stratified_split
from ibtools.store.inputs import checksum

KERAS_NAMES = ("x_train", "y_train", "x_test", "y_test")
"""The arrays of Keras' ``mnist.npz``."""

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

_MOST_MEMBERS = 64

_DAMAGED = (
    EOFError,
    TypeError,
    ValueError,
    NotImplementedError,  # a compression that zipfile lacks
    RuntimeError,  # a password is needed
    SyntaxError,  # a header of numpy that is none
    struct.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged archive raises."""

_OWN_NAMES = ("x", "y", "split", "is_test")


def read_keras_npz(path: Path) -> tuple[NDArray[Any], ...]:
    """Read an archive of Keras' layout.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    tuple of ndarray
        x_train, y_train, x_test and y_test; labels that Keras stores as (sample, 1) are (sample,).

    Raises
    ------
    InputError
        If the file is no such archive.
    """
    arrays = read_arrays(path)
    _validate_names(path, arrays, required=KERAS_NAMES)
    for name in ("y_train", "y_test"):
        if arrays[name].shape[1:] == (1,):
            arrays[name] = arrays[name][:, 0]
    return tuple(arrays[name] for name in KERAS_NAMES)


def load_npz(path: Path) -> DataSet:
    """Load the user's own data.

    Parameters
    ----------
    path : path
        An archive of

        * ``x``, (sample, ...): numbers. Unsigned bytes are divided by 255, as images are; other
          numbers are kept, as float32.
        * ``y``, (sample,): integers from 0, without gaps, of two classes or more.
        * optionally either ``split``, (sample,), "train" or "test", or ``is_test``, (sample,),
          bool. Without, a fixed fifth of each class is for testing.

    Returns
    -------
    DataSet
        It has the name of the file, without its folder.

    Raises
    ------
    InputError
        If an array is missing, unknown, or not as described, or float32 makes samples equal that
        are not.

    Examples
    --------
    >>> import tempfile
    >>> rng = np.random.default_rng(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.npz"
    ...     np.savez(path, x=rng.normal(size=(10, 3)), y=np.repeat([0, 1], 5))
    ...     data = load_npz(path)
    >>> data.name, data.x.shape, data.n_classes, int(data.is_test.sum())
    ('mine.npz', (10, 3), 2, 2)
    """
    arrays = read_arrays(path)
    _validate_names(path, arrays, required=("x", "y"), optional=_OWN_NAMES)
    _validate_lengths(path, arrays)
    y = validate_classes(arrays["y"], str(path))
    is_test = _is_test(path, arrays, y)
    x = _inputs(path, arrays["x"])
    return DataSet(path.name, x, y, is_test, checksum(x, y), n_classes=int(y.max()) + 1)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an archive, after checking what it unpacks to."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            _validate_members(path, file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return dict(archive)
    except InputError:
        raise
    except _DAMAGED as err:
        raise InputError(
            f"{path}: must be an .npz archive of plain arrays, as numpy.savez writes it ({err}); "
            "if it was downloaded, delete it and download it again"
        ) from err


def _validate_members(path: Path, file: BinaryIO) -> None:
    """Check what an archive unpacks to, before it is; nothing of it is ever written to a file."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no zip archive")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        n_bytes = sum(one.file_size for one in members)
        n_stored = path.stat().st_size
        validate_unpacked(n_bytes, n_stored, str(path), "save it with numpy.savez if it is yours")
        if len({one.filename for one in members}) < len(members) or len(members) > _MOST_MEMBERS:
            raise ValueError(f"it holds {len(members)} members, some of one name or too many")
        for one in members:
            with archive.open(one) as member:
                _validate_header(one, member)


def _validate_header(info: zipfile.ZipInfo, member: IO[bytes]) -> None:
    """Check that a member holds what its header announces, for which numpy makes room first."""
    version = np.lib.format.read_magic(member)
    if version not in _READ_HEADER:
        raise ValueError(f"{info.filename} has version {version} of numpy's format")
    shape, _, dtype = _READ_HEADER[version](member)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects, which are never loaded")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or member.tell() + n_bytes != info.file_size:
        raise ValueError(
            f"{info.filename} announces {shape} values of {dtype}, {n_bytes} bytes, but has "
            f"{info.file_size - member.tell()}"
        )


def _validate_names(
    path: Path,
    arrays: dict[str, NDArray[Any]],
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...] | None = None,
) -> None:
    """Check which arrays there are; without `optional`, there may be any others."""
    found = ", ".join(arrays) or "nothing"
    missing = [name for name in required if name not in arrays]
    if missing:
        keras = "; Keras' layout is read from a folder: give that" * (
            set(KERAS_NAMES) <= set(arrays)
        )
        raise InputError(f"{path}: must hold {', '.join(missing)}, but holds {found}{keras}")
    if optional is not None and not set(arrays) <= set(optional):
        raise InputError(f"{path}: may hold only {', '.join(optional)}, but holds {found}")
    if {"split", "is_test"} <= set(arrays):
        raise InputError(f"{path}: may hold either split or is_test, but holds both")


def _validate_lengths(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Check that there are samples, and that all arrays have one entry for each."""
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    others = [array.shape for name, array in arrays.items() if name != "x"]
    x = arrays["x"]
    if x.ndim < 2 or any(shape != x.shape[:1] for shape in others):
        raise InputError(
            f"{path}: x must be (sample, ...) and the others (sample,), but the shapes are "
            f"{shapes}; a single feature is x[:, numpy.newaxis], labels in a column are y[:, 0], "
            "one-hot labels y.argmax(axis=1)"
        )
    if x.size == 0:
        raise InputError(f"{path}: there must be samples and features, but the shapes are {shapes}")


def _inputs(path: Path, x: NDArray[Any]) -> NDArray[np.float32]:
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        raise InputError(f"{path}: x must be real numbers of at most 64 bits, but is {x.dtype}")
    if x.dtype == np.uint8:
        return scale_bytes(x)
    return to_float32(x, str(path))


def _is_test(
    path: Path, arrays: dict[str, NDArray[Any]], y: NDArray[np.int64]
) -> NDArray[np.bool_]:
    if "is_test" in arrays:
        is_test = arrays["is_test"]
        if is_test.dtype != np.bool_:
            raise InputError(f"{path}: is_test must be bool, but is {is_test.dtype}")
        return is_test
    if "split" not in arrays:
        return stratified_split(y, "npz")
    parts = sorted({str(part) for part in arrays["split"].tolist()})
    if parts != ["test", "train"]:
        raise InputError(f"{path}: split must hold 'train' and 'test', but holds {parts}")
    return np.asarray(arrays["split"] == "test", np.bool_)
