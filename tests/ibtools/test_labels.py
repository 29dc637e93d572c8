import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ibtools.errors import StoreError
from ibtools.store.labels import name_classes, number_classes


@pytest.mark.parametrize(
    ("label", "numbers", "classes"),
    [
        ([0, 1, 2, 1], [0, 1, 2, 1], [0, 1, 2]),
        ([1, 2, 3, 1], [0, 1, 2, 0], [1, 2, 3]),
        ([-1, 1, 1, -1], [0, 1, 1, 0], [-1, 1]),
        (np.array([0, 2**63, 1], "uint64"), [0, 2, 1], [0, 1, 2**63]),
        ([0, 2**40], [0, 1], [0, 2**40]),
        ([True, False], [1, 0], [False, True]),
        (["cat", "owl", "cat"], [0, 1, 0], ["cat", "owl"]),
        (np.array(["b", "a"], object), [1, 0], ["a", "b"]),
        (pd.Series(["b", "a"], dtype="category"), [1, 0], ["a", "b"]),
        (pd.Series([5, 3], dtype="Int64"), [1, 0], [3, 5]),
        (xr.DataArray([7, 7], dims="sample"), [0, 0], [7]),
        (np.ma.array([4, 4, 2]), [1, 1, 0], [2, 4]),
    ],
)
def test_number_classes__of_anything_discrete(label, numbers, classes):
    found, names = number_classes(label)
    assert found.dtype == np.int64
    assert (found.tolist(), names.tolist()) == (numbers, classes)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([], r"one whole number or word per sample, found float64 of shape \(0,\)"),
        (3, r"of shape \(\)"),
        (np.eye(3, dtype=int), r"of shape \(3, 3\); one-hot rows .* label.argmax\(axis=1\)"),
        ([0.0, 1.0], r"found float64 of .* give label.astype\(int\); put continuous values into"),
        (np.array([1, "1"], object), "found object"),
        (np.array([1, None], object), "found object"),
        (np.array([0, 1], "M8[D]"), "found datetime64"),
        (np.ma.array([0, 1], mask=[False, True]), "must be known of every sample, found masked"),
    ],
)
def test_number_classes__refuses(label, message):
    with pytest.raises(StoreError, match=f"^the label .*{message}"):
        number_classes(label, name="the label")


def test_name_classes__only_what_the_store_names():
    assert name_classes(np.array([0, 7]), {"classes": ["a", "b"]}).tolist() == [0, 7]
    assert name_classes(np.array([1]), {"classes": [1, 2**63]}).tolist() == [str(2**63)]
    assert name_classes(np.array([0, 1]), {"classes": [False, True]}).tolist() == [0, 1]
    assert name_classes(np.array(["x", "y"]), {"classes": ["a", "b"]}).tolist() == ["x", "y"]
