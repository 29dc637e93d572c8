"""scikit-learn's handwritten digits: a small image data set that needs no download."""

from pathlib import Path

import numpy as np

from ibtools.errors import InputError
from ibtools.extras import lacking
from ibtools.recorders.data.data_set import DataSet
from ibtools.recorders.data.split import stratified_split
from ibtools.store.inputs import checksum

_LARGEST = np.float32(16)


def load_digits(_: Path | None = None) -> DataSet:
    """Load the digits of scikit-learn: (sample, 8, 8, 1), 17 grey levels divided by 16 exactly."""
    try:
        from sklearn import datasets
    except ModuleNotFoundError as err:
        raise InputError(lacking("the data set digits", ["scikit-learn"], "digits")) from err
    images, labels = datasets.load_digits(return_X_y=True)
    x = (images.astype(np.float32) / _LARGEST).reshape(-1, 8, 8, 1)
    y = labels.astype(np.int64)
    is_test = stratified_split(y, "digits")
    return DataSet("digits", x, y, is_test, checksum(x, y), n_classes=10, published="digits")
