"""Files of data from strangers: one line each, and no more memory than they should have."""

import bz2
import gzip
import io
import os
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ibtools.errors import InputError
from ibtools.recorders.data import cifar, compression, load_data_set
from ibtools.recorders.data.cifar import read_cifar_python
from ibtools.recorders.data.compression import read_bytes
from ibtools.recorders.data.idx import read_idx
from ibtools.recorders.data.libsvm import read_libsvm
from ibtools.recorders.data.npz import load_npz

MOST = 2**28
"""Bytes that refusing a file may take."""


@pytest.fixture(autouse=True)
def bounded():
    """Fail what takes too much memory."""
    tracemalloc.start(1)
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST


@pytest.fixture
def small(monkeypatch):
    """Let files unpack to a mebibyte only, so that bombs are small."""
    monkeypatch.setattr(compression, "FREE_BYTES", 2**20)


@pytest.mark.parametrize("opener", [gzip.open, bz2.open])
def test_read_bytes__a_bomb(tmp_path, small, opener):
    with opener(tmp_path / "images", "wb", compresslevel=1) as file:
        for _ in range(8):
            file.write(bytes(2**20))
    with pytest.raises(InputError, match=r"must unpack to at most \d+, found \d+ or more; unpack"):
        read_bytes(tmp_path / "images")


@pytest.mark.parametrize("opener", [gzip.open, bz2.open])
def test_read_bytes__what_unpacks_to_little_may_be_all_zeros(tmp_path, opener):
    path = tmp_path / "x"
    with opener(path, "wb") as file:
        file.write(bytes(2**22))
    assert read_bytes(path) == bytes(2**22)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_read_bytes__what_is_no_file(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(InputError, match="must be a file, found something else"):
        read_bytes(tmp_path / "x")


def test_read_bytes__a_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"abc")
    (tmp_path / "x").symlink_to("elsewhere")
    assert read_bytes(tmp_path / "x") == b"abc"


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2, 28, 28), (0, 1, 2**31)])
def test_read_idx__announces_more_than_it_holds(tmp_path, shape):
    path = tmp_path / "images"
    path.write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3I", *shape) + bytes(100))
    with pytest.raises(InputError, match=rf"announces {shape[0]} x .* but the file has 116"):
        read_idx(path, n_dimensions=3)


@pytest.mark.parametrize(
    "line", ["1 1000000000000:1", "1 785:1", "1 0:1", "1 1:1000000000000", "1 5:1 4:1", "-1 1:1"]
)
def test_read_libsvm__numbers_out_of_range(tmp_path, line):
    (tmp_path / "mnist").write_text(f"0 1:1\n{line}\n")
    with pytest.raises(InputError, match="mnist, line 2: "):
        read_libsvm(tmp_path / "mnist", n_features=784)


def test_read_libsvm__lines_without_number(tmp_path):
    (tmp_path / "mnist").write_bytes(b"0\n" * 2**20)
    with pytest.raises(InputError, match=r"must unpack to at most .*, found 822084368 or more"):
        read_libsvm(tmp_path / "mnist", n_features=784)


def npz(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(values, *, shape: str | None = None, descr: str | None = None) -> bytes:
    """Return an array as a member, whose header may announce another shape and type."""
    file = io.BytesIO()
    np.save(file, values)
    content = file.getvalue()
    if shape is None and descr is None:
        return content
    header = {"descr": descr or values.dtype.str, "fortran_order": False}
    text = f"{header!r}"[:-1] + f", 'shape': {shape or values.shape}}}"
    text = text.ljust(-(-(len(text) + 11) // 64) * 64 - 11) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + values.tobytes()


X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2

ARCHIVES = {
    "a bomb": (lambda: {"x.npy": npy(np.zeros((2**18, 1))), "y.npy": npy(Y)}, "unpack to at most"),
    "announces 2**60": (lambda: {"x.npy": npy(X, shape=f"({2**60}, 2)")}, "announces"),
    "announces less than 0": (lambda: {"x.npy": npy(X, shape="(-20, -2)")}, "announces"),
    "announces other values": (lambda: {"x.npy": npy(X, descr="<f4")}, "announces"),
    "objects": (lambda: {"x.npy": npy(X, descr="|O")}, "Python objects, which are never loaded"),
    "no header": (lambda: {"x.npy": b"x" * 100}, "must be an .npz archive"),
    "a long header": (lambda: {"x.npy": npy(X, shape="(20, 2)" + " " * 60_000)}, "must be an .npz"),
    "another version": (lambda: {"x.npy": b"\x93NUMPY\3\0" + npy(X)[8:]}, "version"),
    "a hundred members": (lambda: {f"{n}.npy": npy(Y) for n in range(100)}, "100 members"),
    "a path that leads elsewhere": (
        lambda: {"../../x.npy": npy(X), "y.npy": npy(Y)}, "must hold x, but holds"
    ),
}  # fmt: skip


@pytest.mark.parametrize("archive", ARCHIVES)
def test_load_npz__hostile_archives(tmp_path, small, archive):
    make, match = ARCHIVES[archive]
    path = npz(tmp_path / "mine.npz", make())
    with pytest.raises(InputError, match=match) as caught:
        load_npz(path)
    assert len(str(caught.value).splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["mine.npz"]


def test_load_npz__members_over_each_other(tmp_path):
    """Two entries of the directory that lead to one member, or have one name."""
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy(X))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.npy", npy(X))
    with pytest.raises(InputError, match="2 members, some of one name"):
        load_npz(path)


@pytest.mark.parametrize("offset", [6, 8])
def test_load_npz__what_zipfile_can_not_read(tmp_path, offset):
    """Encrypted, or of an unknown compression."""
    path = npz(tmp_path / "mine.npz", {"x.npy": npy(X), "y.npy": npy(Y)})
    raw = bytearray(path.read_bytes())
    for signature, shift in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        start = raw.find(signature)
        while start >= 0:
            raw[start + offset + shift] |= 1 if offset == 6 else 0x63
            start = raw.find(signature, start + 1)
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=r"must be an \.npz archive"):
        load_npz(path)


def test_load_npz__what_numpy_writes(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.asfortranarray(X), y=Y)
    np.savez(tmp_path / "b.npz", x=X.astype("float32"), y=Y, split=["train", "test"] * 10)
    for name in ("a.npz", "b.npz"):
        assert load_data_set(str(tmp_path / name)).x.shape == (20, 2)


def nested_key(n: int) -> bytes:
    """Return a pickle of a dict, whose key is a tuple of itself twice, n times."""
    return b"\x80\x02}N" + b"q\0h\0\x86" * n + b"K\1s."


PICKLES = {
    "remembers by a number of 2**31": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "remembers by a number of text": b"Np2147483647\n.",
    "hashes 2**60 times": nested_key(60),
    "doubles": b"\x80\x02N" + b"2\x86" * 60 + b".",
    "announces 2**62 bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "announces a frame of 2**62 bytes": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "a number of 10**5 digits": b"I" + b"9" * 10**5 + b"\n.",
    "lists in lists": b"\x80\x02" + b"]" * 2**12 + b"a" * (2**12 - 1) + b".",
}


@pytest.mark.parametrize("one", PICKLES)
def test_read_cifar_python__what_costs_without_a_call(tmp_path, monkeypatch, one):
    monkeypatch.setattr(cifar, "_MOST_OPERATIONS", 2**12)
    path = tmp_path / "data_batch_1"
    path.write_bytes(PICKLES[one])
    with pytest.raises(InputError, match="data_batch_1: ") as caught:
        read_cifar_python(path)
    assert len(str(caught.value).splitlines()) == 1


def test_read_cifar_python__operations_of_a_batch_are_within_the_bounds(tmp_path):
    batch = {b"labels": [1] * 10_000, b"data": np.zeros((10_000, 3072), "uint8")}
    names = [f"image_{n}.png" for n in range(10_000)]
    path = tmp_path / "data_batch_1"
    for protocol in (3, 4):
        path.write_bytes(pickle.dumps({**batch, b"filenames": names}, protocol))
        assert len(read_cifar_python(path)[1]) == 10_000
    assert sum("TUPLE" in op.name for op, _, _ in pickletools.genops(path.read_bytes())) < 16
