"""Where image data sets are found, what is checked, and the data sets that need no files."""

import bz2
import gzip
import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.data import DATA_SETS, checksum, load_data_set
from ibtools.recorders.data.image_sets import IMAGE_SETS
from ibtools.recorders.data.images import load_images
from ibtools.recorders.data.own_images import load_image_folder
from ibtools.recorders.data.published import PUBLISHED, digest_parts
from ibtools.recorders.data.split import stratified_split
from tests.real_data import real_data_folder
from tests.recorders.image_files import (
    SMALL_CIFAR,
    SMALL_FASHION,
    SMALL_MNIST,
    batches,
    binary_batch,
    libsvm_bytes,
    planes,
    python_2_batch,
    python_3_batch,
    random_images,
    write_idx,
)

REAL_SHA256 = {
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
}
REAL_CHECKSUM = "sha256:b90e833b821ecfe68a7596e1b1d6d836acfa4204d250bce192c47d713a654820"


@pytest.fixture(scope="module")
def real_folder() -> Path:
    return real_data_folder()


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty home, no folder of data, and a proxy that refuses every connection."""
    home = tmp_path / "home"
    (home / ".keras" / "datasets").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("IBTOOLS_DATA", raising=False)
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    # urllib keeps what it made of the proxies when it is first asked: not beyond this test.
    monkeypatch.setattr("urllib.request._opener", None)
    return home / ".keras" / "datasets"


def write_npz(folder, name, parts):
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(folder / name, **dict(zip(names, parts, strict=True)))


@pytest.fixture
def publish(monkeypatch):
    """Let the small images of a test be those that were published under a name."""

    def published(images, seed=0, first=None):
        parts = random_images(images, seed)
        if first is not None:
            parts[0].flat[: len(first)] = first
        monkeypatch.setitem(PUBLISHED, images.name, tuple(digest_parts(parts).values()))
        return parts

    return published


def assert_holds(data, parts):
    x_train, y_train, x_test, y_test = parts
    x = np.concatenate([x_train, x_test]).astype(np.float32) / np.float32(255)
    assert data.x.dtype == np.float32
    assert np.array_equal(data.x, x)
    assert np.array_equal(data.y, np.concatenate([y_train, y_test]))
    assert np.array_equal(data.is_test, np.repeat([False, True], [len(y_train), len(y_test)]))
    assert data.checksum == checksum(x, data.y)


def test_mnist__is_the_canonical_one(real_folder):
    data = load_data_set("MNIST", folder=real_folder)
    for name, digest in REAL_SHA256.items():
        content = gzip.decompress((real_folder / "mnist" / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == digest
    assert data.checksum == REAL_CHECKSUM
    assert data.description == "MNIST"
    assert data.x.shape == (70000, 28, 28, 1)
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert np.array_equal(data.is_test, np.arange(70000) >= 60000)


def test_mnist__entropies(real_folder):
    data = load_data_set("MNIST", folder=real_folder)
    images = np.rint(data.x * 255).astype(np.uint8).reshape(70000, 784)
    assert len({image.tobytes() for image in images}) == 70000
    p = np.bincount(data.y) / 70000
    assert -(p * np.log2(p)).sum() == pytest.approx(3.319837, abs=5e-7)


def test_mnist__is_found_through_the_environment(real_folder):
    assert load_data_set("MNIST").checksum == REAL_CHECKSUM


def test_mnist__is_not_taken_for_fashion_mnist(real_folder):
    with pytest.raises(
        InputError,
        match=r"must be those of Fashion-MNIST .*, but are those of MNIST; put .* folder",
    ):
        load_data_set("Fashion-MNIST", folder=real_folder / "mnist")


@pytest.mark.parametrize("subfolder", ["", "mnist"])
@pytest.mark.parametrize("form", ["idx", "idx.gz", "npz", "libsvm", "libsvm.bz2"])
def test_load_images__mnist_in_every_format(tmp_path, publish, form, subfolder):
    parts = publish(SMALL_MNIST)
    folder = tmp_path / subfolder
    folder.mkdir(exist_ok=True)
    if form == "idx":
        write_idx(folder, parts, compress=bytes, suffix="")
    elif form == "idx.gz":
        write_idx(folder, parts)
    elif form == "npz":
        write_npz(folder, "mnist.npz", [part.squeeze() for part in parts])
    else:
        for name, x, y in (("mnist", *parts[:2]), ("mnist.t", *parts[2:])):
            content = libsvm_bytes(x.reshape(len(x), 784), y)
            if form == "libsvm":
                (folder / name).write_bytes(content)
            else:
                (folder / f"{name}.bz2").write_bytes(bz2.compress(content))
    assert_holds(load_images(SMALL_MNIST, tmp_path), parts)


@pytest.mark.parametrize("form", ["binary", "python 2", "python 3", "keras 3", "npz", "libsvm"])
def test_load_images__cifar_10_in_every_format(tmp_path, publish, form):
    parts = publish(SMALL_CIFAR)
    writers = {"python 2": python_2_batch, "python 3": python_3_batch, "keras 3": python_2_batch}
    if form == "npz":  # labels as Keras gives them
        x_train, y_train, x_test, y_test = parts
        columns = (x_train, y_train[:, None], x_test, y_test[:, None])
        write_npz(tmp_path, "cifar10.npz", columns)
    elif form == "libsvm":
        for name, x, y in (("cifar10", *parts[:2]), ("cifar10.t", *parts[2:])):
            (tmp_path / f"{name}.bz2").write_bytes(bz2.compress(libsvm_bytes(planes(x), y)))
    elif form == "binary":
        (tmp_path / "cifar-10-batches-bin").mkdir()
        for name, x, y in batches(parts):
            (tmp_path / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(binary_batch(x, y))
    else:
        outer = tmp_path / ("cifar-10-batches-py-target" if form == "keras 3" else "")
        (outer / "cifar-10-batches-py").mkdir(parents=True)
        for name, x, y in batches(parts):
            (outer / "cifar-10-batches-py" / name).write_bytes(writers[form](x, y))
    assert_holds(load_images(SMALL_CIFAR, tmp_path), parts)


def test_load_images__subfolder_tells_data_sets_apart(tmp_path, publish):
    digits, clothes = publish(SMALL_MNIST, 1), publish(SMALL_FASHION, 2)
    (tmp_path / "fashion-mnist").mkdir()
    write_idx(tmp_path, digits)
    write_idx(tmp_path / "fashion-mnist", clothes)
    assert_holds(load_images(SMALL_MNIST, tmp_path), digits)
    assert_holds(load_images(SMALL_FASHION, tmp_path), clothes)


def test_load_images__known_by_content(tmp_path, publish):
    """Files that bear the names of MNIST's but hold another data set are not taken for it."""
    publish(SMALL_MNIST, 1)
    clothes = publish(SMALL_FASHION, 2)
    write_idx(tmp_path, clothes)
    with pytest.raises(
        InputError,
        match=r"those of MNIST as it was published, but are those of Fashion-MNIST; put each data "
        r"set into a subfolder, such as mnist, or record this one .*: --data .*\(data=\)$",
    ):
        load_images(SMALL_MNIST, tmp_path)
    assert_holds(load_images(SMALL_FASHION, tmp_path), clothes)


def test_load_images__one_value_changed_or_parts_mixed(tmp_path, publish):
    digits, clothes = publish(SMALL_MNIST, 1), publish(SMALL_FASHION, 2)
    write_idx(tmp_path, (digits[0], clothes[1], *digits[2:]))
    with pytest.raises(
        InputError, match=r"but are training images of MNIST, training labels of Fashion-MNIST, "
    ):
        load_images(SMALL_MNIST, tmp_path)
    digits[2][3, 4, 5] ^= 1
    write_idx(tmp_path, digits)
    with pytest.raises(InputError, match=r"training labels of MNIST, test images of none known"):
        load_images(SMALL_MNIST, tmp_path)
    write_idx(tmp_path, random_images(SMALL_MNIST, 3))
    with pytest.raises(InputError, match="but are of no data set that is known; put"):
        load_images(SMALL_MNIST, tmp_path)


def test_published__digests_are_those_of_the_published_files(real_folder):
    """MD5 of the uncompressed IDX files, whose SHA-256 is checked above."""
    found = {
        hashlib.md5(
            gzip.decompress((real_folder / "mnist" / f"{name}.gz").read_bytes())
        ).hexdigest()
        for name in REAL_SHA256
    }
    assert found == set(PUBLISHED["MNIST"])
    known = [digest for digests in PUBLISHED.values() for digest in digests]
    assert len(set(known)) == len(known) == 4 + 4 + 4 + 6


@pytest.mark.parametrize("form", ["idx", "npz", "binary", "libsvm"])
def test_load_image_folder__any_images_in_the_files_of_a_known_set(tmp_path, form):
    images = SMALL_CIFAR if form == "binary" else SMALL_MNIST
    parts = random_images(images)
    folder = tmp_path / "mine"
    folder.mkdir()
    if form == "idx":
        parts = tuple(part[:, 3:] if part.ndim == 4 else part for part in parts)
        write_idx(folder, parts)
    elif form == "npz":
        write_npz(folder, "mnist.npz", [part.squeeze() for part in parts])
    elif form == "binary":
        for name, x, y in batches(parts):
            (folder / f"{name}.bin").write_bytes(binary_batch(x, y))
    else:
        for name, x, y in (("mnist", *parts[:2]), ("mnist.t", *parts[2:])):
            (folder / name).write_bytes(libsvm_bytes(x.reshape(len(x), 784), y))
    data = load_data_set(str(folder))
    assert_holds(data, parts)
    assert (data.name, data.n_classes) == ("mine/", 10)
    assert data.description == "mine/, of unknown content"


def test_load_image_folder__says_what_it_turns_out_to_be(tmp_path, publish):
    write_idx(tmp_path, publish(SMALL_FASHION))
    data = load_image_folder(tmp_path)
    assert data.description == f"{tmp_path.name}/, the content of Fashion-MNIST"


def test_load_image_folder__a_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    write_idx(tmp_path / "digits", random_images(SMALL_MNIST))
    assert load_data_set("digits").x.shape == (1797, 8, 8, 1)
    assert load_data_set("./digits").x.shape == (40, 28, 28, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xa, ya, xb, yb: (xa, ya[:-1], xb, yb), r"training part must be .* \(29,\)$"),
        (lambda xa, ya, xb, yb: (xa, ya, xb[:0], yb[:0]), "the test part must be images"),
        (lambda xa, ya, xb, yb: (xa, ya, xb[:, 1:], yb), "must have one size, but are"),
        (
            lambda xa, ya, xb, yb: (xa, ya * 2, xb, yb * 2),
            "as there are 10, but are 0 to 18; number",
        ),
        (lambda xa, ya, xb, yb: (xa, ya * 0, xb, yb * 0), "two classes or more, but all are 0"),
    ],
)
def test_load_image_folder__refuses(tmp_path, change, message):
    write_idx(tmp_path, change(*random_images(SMALL_MNIST)))
    with pytest.raises(InputError, match=message):
        load_image_folder(tmp_path)


def test_load_image_folder__needs_one_layout(tmp_path):
    with pytest.raises(InputError, match=r"one layout \(train-images.*\), but holds none of these"):
        load_data_set(str(tmp_path))
    parts = random_images(SMALL_MNIST)
    write_idx(tmp_path, parts)
    write_npz(tmp_path, "mnist.npz", [part.squeeze() for part in parts])
    with pytest.raises(InputError, match=r"but holds train-images-.*\.gz and mnist\.npz"):
        load_data_set(str(tmp_path))


def test_load_data_set__a_path_and_a_folder(tmp_path):
    write_idx(tmp_path, random_images(SMALL_MNIST))
    for name in (str(tmp_path), str(tmp_path / "mine.npz")):
        with pytest.raises(InputError, match="itself: leave out the folder of data files"):
            load_data_set(name, folder=tmp_path)


def test_scale_bytes__is_exact_division(tmp_path, publish):
    parts = publish(SMALL_MNIST, first=np.arange(256))
    write_idx(tmp_path, parts)
    x = load_images(SMALL_MNIST, tmp_path).x.ravel()[:256]
    assert x.tolist() == [float(np.float32(byte) / np.float32(255)) for byte in range(256)]
    assert len(set(x.tolist())) == 256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda xa, ya, xb, yb: (xa[:-1], ya[:-1], xb, yb),
            r"must be 30 x 28 x 28, but are 29 x 28.*; a part of it, .*: --data FOLDER",
        ),
        (
            lambda xa, ya, xb, yb: (xa, ya, xb[:0], yb[:0]),
            "test images of MNIST must be 10 x .* 0 x",
        ),
        (lambda xa, ya, xb, yb: (xa, ya[:-1], xb, yb), "30 training images, but 29 labels"),
        (
            lambda xa, ya, xb, yb: (xa, ya, xb[:, 1:], yb),
            "must be 10 x 28 x 28, but are 10 x 27 x 28",
        ),
        (
            lambda xa, ya, xb, yb: (xa, ya, xb, yb + 1),
            "must be 0 to 9, but the test labels are 1 to 10",
        ),
    ],
)
def test_load_images__refuses_what_is_not_the_data_set(tmp_path, change, message):
    write_idx(tmp_path, change(*random_images(SMALL_MNIST)))
    with pytest.raises(InputError, match=message):
        load_images(SMALL_MNIST, tmp_path)


def test_load_images__refuses_values_that_are_no_bytes(tmp_path):
    x_train, *rest = random_images(SMALL_MNIST)
    write_npz(tmp_path, "mnist.npz", (x_train / 255, *rest))
    with pytest.raises(InputError, match=r"must be bytes \(uint8\) .* but are float64"):
        load_images(SMALL_MNIST, tmp_path)


def test_load_images__says_what_is_missing_of_a_part(tmp_path):
    write_idx(tmp_path, random_images(SMALL_MNIST))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"a part of MNIST; missing: t10k-labels-idx1-ubyte$"):
        load_images(SMALL_MNIST, tmp_path)


@pytest.mark.parametrize("images", IMAGE_SETS, ids=lambda images: images.name)
def test_load_data_set__folder_without_the_files(tmp_path, images):
    with pytest.raises(
        InputError, match=f"{images.name} is not in .*; put {images.layouts[0].files[0]}"
    ):
        load_data_set(images.name, folder=tmp_path)


def test_load_data_set__folder_that_is_none(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"must exist, but .*nowhere does not"):
        load_data_set("MNIST", folder=tmp_path / "nowhere")
    monkeypatch.setenv("IBTOOLS_DATA", str(tmp_path / "lost"))
    with pytest.raises(InputError, match=r"must exist, but .*lost \(IBTOOLS_DATA\) does not"):
        load_data_set("MNIST")


def test_load_images__keras_cache_comes_after_the_folder(
    no_network, publish, monkeypatch, tmp_path
):
    cached = publish(SMALL_MNIST, 1)
    write_npz(no_network, "mnist.npz", [part.squeeze() for part in cached])
    monkeypatch.setenv("IBTOOLS_DATA", "")
    assert_holds(load_images(SMALL_MNIST), cached)
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("IBTOOLS_DATA", str(folder))
    assert_holds(load_images(SMALL_MNIST), cached)
    own = publish(SMALL_MNIST, 2)
    write_idx(folder, own)
    assert_holds(load_images(SMALL_MNIST), own)


@pytest.mark.parametrize("name", ["MNIST", "Fashion-MNIST", "CIFAR-10"])
def test_load_data_set__download_fails(no_network, name):
    pytest.importorskip("tf_keras")  # which downloads
    message = (
        rf"{name} is not in .*datasets, and its download failed \(.*https://.*\); put .* names$"
    )
    with pytest.raises(InputError, match=message):
        load_data_set(name)


def test_load_data_set__without_tensorflow(no_network, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "ibtools.recorders.data.download", raising=False)
    monkeypatch.setitem(sys.modules, "tf_keras.utils", None)
    monkeypatch.setenv("IBTOOLS_DATA", str(tmp_path))
    with pytest.raises(
        InputError, match=r"\(IBTOOLS_DATA\) or .*without tf_keras.* no download; put"
    ):
        load_data_set("MNIST")


def test_load_images__finishes_an_interrupted_download(no_network, publish, monkeypatch, tmp_path):
    """What Keras got of four files stays; the others are downloaded, here from a folder."""
    parts = publish(SMALL_FASHION)
    site, cache = tmp_path / "site", no_network / "fashion-mnist"
    site.mkdir()
    cache.mkdir()
    write_idx(site, parts)
    name = "train-images-idx3-ubyte.gz"
    shutil.copy(site / name, cache / name)
    from ibtools.recorders.data import download

    for file in download._FILES["Fashion-MNIST"]:
        monkeypatch.setitem(file, "origin", (site / file["fname"]).as_uri())
    (site / name).unlink()
    assert_holds(load_images(SMALL_FASHION), parts)


def test_digits__is_scikit_learns():
    data = load_data_set("digits")
    assert data.x.shape == (1797, 8, 8, 1)
    assert np.array_equal(np.unique(data.x * 16), np.arange(17))
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.is_test.sum() == 359
    assert data.checksum.startswith("sha256:8b3b6ae908634")


def test_digits__without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"not installed; .* pip install .*\[digits\]"):
        load_data_set("digits")


def test_stratified_split__names_split_differently():
    y = np.arange(1000) % 3
    first, second = stratified_split(y, "a"), stratified_split(y, "b")
    assert not np.array_equal(first, second)
    assert np.bincount(y[first]).tolist() == np.bincount(y[second]).tolist() == [67, 67, 67]


def test_load_data_set__unknown_names_all():
    with pytest.raises(UnknownNameError, match="did you mean 'MNIST'") as caught:
        load_data_set("MINST")
    assert all(name in str(caught.value) for name in [*DATA_SETS.names(), ".npz"])
