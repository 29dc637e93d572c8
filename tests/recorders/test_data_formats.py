"""Files that are damaged, of another kind, or malicious."""

import bz2
import gzip
import os
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.errors import InputError
from ibtools.recorders.data import checksum, load_data_set
from ibtools.recorders.data.cifar import N_VALUES, read_cifar_binary, read_cifar_python
from ibtools.recorders.data.distinct import count_distinct
from ibtools.recorders.data.idx import read_idx
from ibtools.recorders.data.libsvm import read_libsvm
from ibtools.recorders.data.npz import read_keras_npz
from ibtools.recorders.data.split import stratified_split
from tests.recorders.image_files import (
    binary_batch,
    idx_bytes,
    libsvm_bytes,
    python_2_batch,
    python_3_batch,
)

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0)), st.booleans())
def test_read_idx__round_trip(tmp_path_factory, array, compressed):
    path = tmp_path_factory.mktemp("idx") / "file"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if compressed else content)
    assert np.array_equal(read_idx(path, n_dimensions=3), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "magic number 00000803, but starts with nothing"),
        (b"\0\0\x08\x01" + bytes(20), "but starts with 00000801"),
        (b"\0\0\x0d\x03" + bytes(20), "but starts with 00000d03"),
        (b"<html>Not found</html>", "but starts with 3c68746d"),
        (idx_bytes(IMAGES)[:6], "the file has 6"),
        (idx_bytes(IMAGES)[:-1], "announces 2 x 3 x 4 values, which makes 40 bytes, .* has 39"),
        (idx_bytes(IMAGES) + b"\0", "which makes 40 bytes, but the file has 41"),
        (gzip.compress(idx_bytes(IMAGES), mtime=0)[:-9], "damaged or was not copied to its end"),
        (
            gzip.compress(idx_bytes(IMAGES), mtime=0)[:-4] + b"oops",
            "damaged or was not copied to its end",
        ),
        (gzip.compress(idx_bytes(IMAGES), mtime=0)[:12] + bytes(30), "damaged or was not copied"),
        (bz2.compress(idx_bytes(IMAGES))[:-9], "damaged or was not copied to its end"),
        (b"BZh9" + bytes(30), "damaged or was not copied to its end"),
    ],
)
def test_read_idx__damaged(path, content, message):
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(path, n_dimensions=3)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 5), st.just(7))), st.integers(0, 9))
def test_read_libsvm__round_trip(tmp_path_factory, x, label):
    path = tmp_path_factory.mktemp("libsvm") / "file"
    path.write_bytes(libsvm_bytes(x, [label] * len(x)))
    x_read, y_read = read_libsvm(path, n_features=7)
    assert np.array_equal(x_read, x)
    assert y_read.tolist() == [label] * len(x)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "5 1:2 2:0.5",
            "line 2: must be a label and index:value pairs, all whole .* '5 1:2 2:0.5'",
        ),
        ("5 1:2:3 4", "must be a label and index:value"),
        ("-1 1:2", "must be a label and index:value"),
        ("\n4 1:2", "line 2: must be a label and index:value"),
        (f"{10**30} 1:2", "must be a label and index:value pairs, all whole numbers from 0"),
        (f"5 {10**30}:2", "must be a label and index:value"),
        ("٣ 1:2", "must be a label and index:value"),
        ("5 0:1", "indices must ascend within 1 to 7"),
        ("5 8:1", "indices must ascend within 1 to 7"),
        ("5 2:1 2:1", "indices must ascend within 1 to 7"),
        ("5 1:256", "values must be 0 to 255, but one is 256"),
    ],
)
def test_read_libsvm__damaged(path, line, message):
    path.write_text(f"3 1:255 7:1\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_libsvm(path, n_features=7)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_read_libsvm__any_mark_and_any_line_end(path, encoding, end):
    path.write_bytes(end.join(["3 1:255 7:1 ", "0", "1 2:9", ""]).encode(encoding))
    x, y = read_libsvm(path, n_features=7)
    assert y.tolist() == [3, 0, 1]
    assert (x[0].tolist(), int(x.sum())) == ([255, 0, 0, 0, 0, 0, 1], 255 + 1 + 9)


def test_read_cifar_binary__not_whole_records(path):
    path.write_bytes(binary_batch(np.zeros((2, N_VALUES)), np.zeros(2))[:-1])
    with pytest.raises(
        InputError, match="records of 3073 bytes, but has 6145 bytes, 3072 too many"
    ):
        read_cifar_binary(path)


@pytest.mark.parametrize("write", [python_2_batch, python_3_batch])
def test_read_cifar_python__is_what_pickle_would_read(path, write):
    x = np.random.default_rng(0).integers(0, 256, (4, N_VALUES), np.uint8)
    path.write_bytes(write(x, np.array([3, 9, 0, 1])))
    assert np.array_equal(read_cifar_python(path)[0], x)
    assert read_cifar_python(path)[1].tolist() == [3, 9, 0, 1]


class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.mkdir, "mkdir"), (exec, "exec"), (np.load, "load"), (getattr, "getattr")],
)
def test_read_cifar_python__executes_nothing(path, protocol, function, name):
    victim = path.with_name("victim")
    path.write_bytes(pickle.dumps({"data": Evil(function, str(victim))}, protocol))
    with pytest.raises(InputError, match=f"pickle was refused: it names .*{name}"):
        read_cifar_python(path)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a pickle, or a damaged one"),
        (b"\0" * 20, "not a pickle, or a damaged one"),
        (
            python_2_batch(np.zeros((2, N_VALUES), np.uint8), [0, 1])[:-50],
            "not a pickle, or a damaged",
        ),
        (b"\x80\x02]K\x01b.", "not a pickle, or a damaged"),  # sets the state of a list
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "not a pickle, or a damaged"),  # instantiates a class
        (b"\x80\x02U\x01xQ.", "with a list of integers named 'labels'"),  # a persistent object
        (b"\x80\x02\x82\x01.", "it names extension 1"),  # the registry of extensions
        (pickle.dumps([1]), "with a list of integers named 'labels'"),
        (pickle.dumps({"labels": [0.5]}), "with a list of integers named 'labels'"),
        (pickle.dumps({"labels": [-1]}), "labels must be 0 to 9, but are -1 to -1"),
        (pickle.dumps({"labels": [1]}), "must hold 'data', an array of bytes"),
        (pickle.dumps({"labels": [1], "data": b"\0" * N_VALUES}), "must hold 'data', an array"),
        (python_3_batch(np.zeros((2, N_VALUES), np.int8), np.arange(2)), "array of bytes"),
        (python_3_batch(np.zeros((2, N_VALUES), object), np.arange(2)), "array of bytes"),
        (python_3_batch(np.zeros((2, 5), np.uint8), np.arange(2)), "array of bytes"),
        (python_3_batch(np.zeros((2, N_VALUES), np.uint8, "F"), np.arange(2)), "in C order"),
    ],
)
def test_read_cifar_python__damaged_or_no_batch(path, content, message):
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_cifar_python(path)


@given(st.binary(max_size=60), st.integers(0, 400))
@example(noise=b"\\", place=72)  # an escape that Python warns of
def test_read_cifar_python__any_bytes_are_refused_as_bad_input(tmp_path_factory, noise, place):
    path = tmp_path_factory.getbasetemp() / "noise"
    good = python_2_batch(np.zeros((1, N_VALUES), np.uint8), [7])
    path.write_bytes(good[:place] + noise + good[place + len(noise) :])
    try:
        x, y = read_cifar_python(path)
    except InputError:
        return
    assert x.shape == (len(x), N_VALUES)
    assert y.dtype == np.int64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": np.zeros(2)}, "must hold y_train, x_test, y_test, but holds x_train"),
        ({}, "must hold x_train, .* but holds nothing"),
    ],
)
def test_read_keras_npz__lacks_arrays(path, arrays, message):
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        read_keras_npz(path.with_suffix(".npz"))


def own(**changes):
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(20, 3)), "y": np.arange(20) % 4} | changes


def load_own(tmp_path, arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return load_data_set(str(tmp_path / "mine.npz"))


def test_load_npz__floats_are_kept(tmp_path):
    arrays = own()
    data = load_own(tmp_path, arrays)
    assert data.name == "mine.npz"
    assert np.array_equal(data.x, arrays["x"].astype(np.float32))
    assert data.n_classes == 4
    assert np.array_equal(data.is_test, stratified_split(arrays["y"], "npz"))
    assert np.bincount(data.y[data.is_test]).tolist() == [1, 1, 1, 1]
    assert data.checksum == checksum(data.x, data.y)


def test_load_npz__bytes_are_scaled_and_other_integers_kept(tmp_path):
    x = np.arange(60, dtype=np.uint8).reshape(20, 3)
    assert np.array_equal(load_own(tmp_path, own(x=x)).x, x / np.float32(255))
    assert np.array_equal(load_own(tmp_path, own(x=x.astype(int))).x, x)
    assert load_own(tmp_path, own(x=x > 5)).x.max() == 1


def test_load_npz__split(tmp_path):
    is_test = np.arange(20) % 3 == 0
    assert np.array_equal(load_own(tmp_path, own(is_test=is_test)).is_test, is_test)
    split = np.where(is_test, "test", "train")
    assert np.array_equal(load_own(tmp_path, own(split=split)).is_test, is_test)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros(20)}, r"shapes are x \(20,\), y \(20,\); a single feature is x\[:, numpy"),
        ({"x": np.zeros((19, 3))}, r"shapes are x \(19, 3\), y \(20,\)"),
        (
            {"y": np.zeros((20, 1), int)},
            r"the others \(sample,\).*, labels in a column are y\[:, 0\]",
        ),
        ({"x": np.zeros((0, 3)), "y": np.zeros(0, int)}, "must be samples and features"),
        ({"x": np.zeros((20, 0))}, "must be samples and features"),
        ({"x": np.full((20, 3), "a")}, "x must be real numbers of at most 64 bits, but is <U1"),
        ({"x": np.full((20, 3), 1j)}, "x must be real numbers .*, but is complex128"),
        ({"x": np.ones((20, 3), np.longdouble)}, "x must be real numbers of at most 64 bits"),
        ({"x": np.float16([[np.inf]] * 20)}, r"x\[0\] is not; leave .*, or scale them"),
        ({"x": np.where(np.arange(60).reshape(20, 3) == 31, np.nan, 0)}, r"x\[10\] is not"),
        ({"x": np.full((20, 3), 1e300)}, r"finite in float32, but x\[0\] is not"),
        ({"y": np.arange(20) / 2}, r"y must be integers, but is float64; if all are whole, save"),
        ({"y": np.full(20, np.nan)}, "y must be integers, but is float64"),
        ({"y": np.arange(20) % 2 > 0}, r"y must be integers, but is bool; number them with numpy"),
        ({"y": np.array(["cat", "dog"] * 10)}, "y must be integers, but is <U3; number them with"),
        ({"y": np.eye(2)[np.arange(20) % 2]}, r"one-hot labels y.argmax\(axis=1\)"),
        ({"y": np.zeros(20, int)}, "y must have two classes or more, but all are 0"),
        ({"y": np.arange(20) % 2 * 400_000_000}, "as there are 2, but are 0 to 400000000; number"),
        ({"y": np.uint64([0, 2**63] * 10)}, "but are 0 to 9223372036854775808; number them"),
        (
            {"y": np.arange(20) % 4 + 1},
            "labels must be 0 to 3, as there are 4, but are 1 to 4; number",
        ),
        ({"y": np.arange(20) % 4 - 1}, "but are -1 to 2"),
        ({"y": np.arange(20) % 2 * 2}, "labels must be 0 to 1, as there are 2, but are 0 to 2"),
        ({"spilt": np.zeros(20)}, "may hold only x, y, split, is_test, but holds x, y, spilt"),
        ({"split": np.full(20, "train")}, r"must hold 'train' and 'test', but holds \['train'\]"),
        ({"split": np.full(20, "valid")}, r"but holds \['valid'\]"),
        ({"is_test": np.zeros(20, int)}, "is_test must be bool, but is int64"),
        ({"is_test": np.zeros(20, bool)}, "must have training and test samples"),
        ({"is_test": np.zeros(20, bool), "split": np.full(20, "train")}, "but holds both"),
        ({"x": np.full((20, 3), None)}, "must be an .npz archive of plain arrays"),
    ],
)
def test_load_npz__refuses(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load_own(tmp_path, own(**changes))


@pytest.mark.parametrize(
    ("x", "before", "after"),
    [
        (1 + 1e-9 * np.arange(20), 20, 1),
        (1e-60 * np.arange(20), 20, 1),
        (2**30 + np.arange(20), 20, 1),
        (np.uint64(2**63) + np.arange(20, dtype=np.uint64), 20, 1),
        (np.repeat([0.0, -0.0, 1.0, 1 + 1e-9, 2.0], 4), 4, 3),
        (np.where(np.arange(20) < 2, 2**24 + np.arange(20), np.arange(20)), 20, 19),
    ],
)
def test_load_npz__refuses_what_float32_merges(tmp_path, x, before, after):
    message = rf"of {before} different ones in {x.dtype} it leaves {after}; scale each feature"
    with pytest.raises(InputError, match=message):
        load_own(tmp_path, own(x=x[:, np.newaxis], y=np.arange(20) % 2))


@pytest.mark.parametrize(
    "x",
    [
        np.arange(20) / 7,
        np.arange(20) // 2 * 1e-9 + 1e-9,
        2**40 * np.arange(20),
        -0.0 * np.ones(20),
    ],
)
def test_load_npz__keeps_what_float32_only_rounds(tmp_path, x):
    data = load_own(tmp_path, own(x=x[:, np.newaxis]))
    assert np.array_equal(data.x[:, 0], x.astype(np.float32))


def test_count_distinct__as_numpy_counts():
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64", "int64", "uint8", "bool", ">f8"):
        x = rng.integers(0, 2, (3000, 2, 5)).astype(dtype)
        assert count_distinct(x) == len(np.unique(x.reshape(3000, 10), axis=0))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text", b"\x80\x02]."])
def test_load_npz__no_archive(tmp_path, content):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mine.npz: must be an .npz archive"):
        load_data_set(str(path))


def test_load_npz__keras_layout(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=1, y_train=2, x_test=3, y_test=4)
    with pytest.raises(InputError, match=r"Keras' layout is read from a folder: give that$"):
        load_data_set(str(tmp_path / "mnist.npz"))


def test_load_npz__a_single_array(tmp_path):
    with (tmp_path / "mine.npz").open("wb") as file:
        np.save(file, np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"must be an .npz archive"):
        load_data_set(str(tmp_path / "mine.npz"))


def test_load_npz__truncated(tmp_path):
    np.savez_compressed(tmp_path / "mine.npz", **own())
    content = (tmp_path / "mine.npz").read_bytes()
    (tmp_path / "mine.npz").write_bytes(content[:-20])
    with pytest.raises(InputError, match=r"must be an .npz archive"):
        load_data_set(str(tmp_path / "mine.npz"))


def test_load_npz__no_file(tmp_path):
    with pytest.raises(InputError, match=r"mine.npz: there is no such file"):
        load_data_set(str(tmp_path / "mine.npz"))
