"""scikit-learn's handwritten digits: a small image data set that needs no download."""

import numpy as np

from ibtools.errors import InputError
from ibtools.recorders.datasets.data_set import DataSet, checksum
from ibtools.recorders.datasets.split import stratified_split

_LARGEST = np.float32(16)


def load_digits() -> DataSet:
    """Load the digits that are installed with scikit-learn.

    Returns
    -------
    DataSet
        1797 images, (sample, 8, 8, 1), of 17 grey levels scaled to [0, 1] by dividing by 16, which
        is exact. A fixed fifth of each class is for testing.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ModuleNotFoundError as err:
        raise InputError(
            "the data set digits comes with scikit-learn, which is not installed; "
            "install it with: pip install 'ibtools-nn[record]'"
        ) from err
    images, labels = datasets.load_digits(return_X_y=True)
    x = (images.astype(np.float32) / _LARGEST).reshape(-1, 8, 8, 1)
    y = labels.astype(np.int64)
    is_test = stratified_split(y, "digits")
    return DataSet("digits", x, y, is_test, checksum(x, y), n_classes=10, published="digits")
