"""Published data sets, known by their content.

Files of several data sets have the same names, shapes and labels 0 to 9. So what was read is
compared with the MD5 digests of the files as they were published, uncompressed. They are computed
from the arrays, so that every format of the same data has the same.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Parts = tuple[NDArray[Any], ...]
"""x_train, y_train, x_test, y_test, as they were read: images of bytes, (sample, row, column) or
(sample, row, column, colour), and labels."""

PUBLISHED: dict[str, tuple[str, ...]] = {
    "MNIST": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    "Fashion-MNIST": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    "KMNIST": (
        "92be26ec9822e900ac425d0a0aa84ced",
        "949e75301f8813e0dc5800dcc320fc52",
        "bf305b8cd328700fbc17f5acbc2856d2",
        "9f55f451c0988b028eccdf7d5cc265ab",
    ),
    "CIFAR-10": (
        "5dd7e06a14cb22eb9f671a540d1b7c25",
        "5ea93a67294ea407fff1d09f752e9692",
        "942cd6a4bcdd0dd3c604fbe906cb4421",
        "ae636b3ba5c66a11e91e8cb52e771fcb",
        "53f37980c15c3d472c316c40844f3f0d",
        "803d5f7f4d78ea53de84dbe85f74fb6d",
    ),
}
"""MD5 digests of the files of each: of grey images the IDX files (training images and labels, test
images and labels), of coloured ones CIFAR-10's binary batches."""

_GREY = ("training images", "training labels", "test images", "test labels")
_BATCH_SIZE = 10_000


def digest_parts(parts: Parts) -> dict[str, str]:
    """Compute the MD5 digests of the files in which images are published.

    Parameters
    ----------
    parts : tuple of ndarray
        Images, uint8, and labels, 0 to 255.

    Returns
    -------
    dict of str to str
        By what each file holds, in the order of `PUBLISHED`.

    Examples
    --------
    >>> images, labels = np.zeros((2, 28, 28), np.uint8), np.array([7, 1])
    >>> digest_parts((images, labels, images, labels))["test labels"]
    '488e7fba1aab6112b9710826f0a9c6b3'
    """
    x_train, y_train, x_test, y_test = parts
    if x_train.shape[3:] in ((), (1,)):
        digests = [_idx_digest(array) for array in (x_train, y_train, x_test, y_test)]
        return dict(zip(_GREY, digests, strict=True))
    batches = {
        f"training batch {number}": _batch_digest(x_train[start:][:_BATCH_SIZE], y_train[start:])
        for number, start in enumerate(range(0, len(x_train), _BATCH_SIZE), 1)
    }
    return {**batches, "test batch": _batch_digest(x_test, y_test)}


def identify(digests: Mapping[str, str]) -> str | None:
    """Return the name of the published data set that has all of these digests, if one has."""
    found = tuple(digests.values())
    return next((name for name, known in PUBLISHED.items() if known == found), None)


def describe_parts(digests: Mapping[str, str]) -> str:
    """Say which part is of which published data set, as far as it is known."""
    origins = {part: _origins(digest) for part, digest in digests.items()}
    if not any(origins.values()):
        return "of no data set that is known"
    return ", ".join(f"{part} of {names or 'none known'}" for part, names in origins.items())


def _origins(digest: str) -> str:
    return " and ".join(name for name, known in PUBLISHED.items() if digest in known)


def _idx_digest(array: NDArray[Any]) -> str:
    """Digest an array as an IDX file; one of images has three dimensions."""
    shape = array.shape[:3]
    header = bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()
    return _digest(header, np.ascontiguousarray(array, np.uint8))


def _batch_digest(x: NDArray[np.uint8], y: NDArray[Any]) -> str:
    """Digest images, with as many of the labels, as a binary batch of CIFAR-10."""
    planes = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    return _digest(np.column_stack([y[: len(x)], planes]).astype(np.uint8))


def _digest(*contents: Any) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
