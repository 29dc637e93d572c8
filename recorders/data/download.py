"""Keras' download of image data sets, into Keras' cache.

Keras' own loaders would download as well, but that of CIFAR-10 unpickles what it downloaded.
"""

from pathlib import Path
from typing import Any

from tf_keras.utils import get_file

import ibtools.recorders.capture.keras  # noqa: F401  # loads TensorFlow quietly
from ibtools.errors import InputError

_SITE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_CIFAR_10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"

_FILES: dict[str, list[dict[str, Any]]] = {
    "MNIST": [
        {"fname": "mnist.npz", "origin": f"{_SITE}/mnist.npz", "file_hash": _MNIST_SHA256},
    ],
    "Fashion-MNIST": [
        {"fname": name, "origin": f"{_SITE}/{name}", "cache_subdir": "datasets/fashion-mnist"}
        for name in (
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        )
    ],
    "CIFAR-10": [
        {
            "fname": "cifar-10-batches-py",
            "origin": "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "untar": True,
            "file_hash": _CIFAR_10_SHA256,
        }
    ],
}
"""Arguments of get_file for each file: the addresses, names and SHA-256 digests that Keras uses."""


def download(name: str) -> Path:
    """Download an image data set, unless Keras' cache has it, and return its folder."""
    for file in _FILES[name]:
        try:
            path = Path(get_file(**file))
        except Exception as err:  # Keras raises a bare Exception for what urllib tells it
            raise InputError(f"its download failed ({err})") from err
    return path if path.is_dir() else path.parent
