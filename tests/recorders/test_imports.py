"""Activations that other programs have recorded, in files made by hand."""

import io
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import ibtools
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.recorders.data.pickles import Recorded, read_array, read_pickle
from ibtools.recorders.imports import FORMATS, import_activations
from ibtools.recorders.imports.torch_files import read_torch

LABEL = np.arange(8) % 2


def layer(epoch: int, n_units: int = 3) -> np.ndarray:
    return np.random.default_rng(epoch).random((8, n_units)).astype("float32")


def bring_in(tmp_path: Path, source: Path, **options):
    path = tmp_path / "store.zarr"
    import_activations(path, source, label=LABEL, quiet=True, **options)
    return ibtools.open_store(path)


def values_of(dataset, name: str, epoch: int, repeat: int = 0) -> np.ndarray:
    one = dataset.sel(layer=name, epoch=epoch, repeat=repeat)
    return one["activation"].values[:, : int(one["n_units"])]


def idnns(**changes) -> dict:
    """What IDNNs saves of two repeats of one network at epochs 0, 1 and 7."""
    ws = [[[[[layer(10 * k + e), layer(e, 2)] for e in (0, 1, 7)]]] for k in (0, 1)]
    losses = np.arange(6.0).reshape(2, 1, 1, 3)
    return {
        "ws": ws,
        "params": {"epochsInds": np.array([0, 1, 7]), "DataName": "var_u"},
        "loss_train": losses,
        "loss_test": np.zeros((2, 1, 1, 3)),
        "information": np.array([[{"IXT": 1.0}]], dtype=object),
        **changes,
    }


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_import_activations__idnns(tmp_path, protocol):
    source = tmp_path / "data.pickle"
    source.write_bytes(pickle.dumps(idnns(), protocol))
    found = bring_in(tmp_path, source, layers={"layer_1": "hidden", "layer_2": "output"})
    assert found.attrs["experiment"] == "IDNNs"
    assert found["epoch"].values.tolist() == [0, 1, 7]
    assert found["repeat"].values.tolist() == [0, 1]
    np.testing.assert_array_equal(values_of(found, "hidden", 7, 1), layer(17))
    np.testing.assert_array_equal(values_of(found, "output", 1), layer(1, 2))
    loss = found["train_loss"].sel(repeat=1, trained_epoch=[0, 1, 7])
    np.testing.assert_array_equal(loss, [3, 4, 5])
    assert found["test_loss"].isnull().all()


def test_import_activations__idnns_of_python_2(tmp_path):
    """Texts and the bytes of arrays are the strings of Python 2."""

    def as_python_2(value):
        if isinstance(value, dict):
            return {key.encode(): as_python_2(one) for key, one in value.items()}
        return value.encode() if isinstance(value, str) else value

    source = tmp_path / "data.pickle"
    source.write_bytes(pickle.dumps(as_python_2(idnns()), 4))
    np.testing.assert_array_equal(values_of(bring_in(tmp_path, source), "layer_1", 7), layer(7))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": 1}, "'ws', the activations, and 'params'"),
        (idnns(ws=[[[[None, None, None]]]]), "there must be a snapshot, but there is none"),
        (idnns(ws=[[[[["x"]]]]]), "must be a list of arrays"),
        (idnns(ws=[[]]), r"there are 0 architectures, found \(0, 0\)"),
        (idnns(ws=[[[3]]]), "must hold a list of snapshots"),
    ],
)
def test_import_activations__idnns_errors(tmp_path, data, message):
    source = tmp_path / "data.pickle"
    source.write_bytes(pickle.dumps(data, 2))
    with pytest.raises(InputError, match=message):
        bring_in(tmp_path, source)


def ibsgd(folder: Path, epoch: int, **changes) -> Path:
    folder.mkdir(exist_ok=True)
    data = {
        "weights_norm": [np.float32(1.5), np.float32(2.5)],
        "gradmean": [0.1, 0.2],
        "activity_tst": [layer(epoch), layer(epoch, 2)],
    }
    saved = {"ACTIVATION": "tanh", "epoch": epoch, "data": data | changes}
    saved["loss"] = {"trn": np.float32(0.5), "tst": np.float64(0.75)}
    (folder / f"epoch{epoch:08d}").write_bytes(pickle.dumps(saved, 2))
    return folder


def test_import_activations__ibsgd(tmp_path):
    for epoch in (9, 0):
        source = ibsgd(tmp_path / "rawdata", epoch)
    found = bring_in(tmp_path, source)
    assert found["epoch"].values.tolist() == [1, 10]
    np.testing.assert_array_equal(values_of(found, "layer_2", 10), layer(9, 2))
    first = found.sel(repeat=0, trained_epoch=1)
    assert (first["train_loss"], first["test_loss"]) == (0.5, 0.75)
    assert (first["weights_norm_2"], first["gradmean_1"]) == (2.5, 0.1)


def test_import_activations__ibsgd_errors(tmp_path):
    source = ibsgd(tmp_path / "rawdata", 0, activity_tst=[1])
    with pytest.raises(InputError, match="epoch00000000: must be a dictionary with 'data'"):
        bring_in(tmp_path, source)


def deep_bottleneck(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for epoch in (10, 2):
            group = file.create_group(str(epoch))
            group["activations/0"] = layer(epoch)
            group["activations/10"] = layer(epoch, 2)
            group["accuracy/training"] = 0.5
            group["loss/training"] = 0.5
            group["loss/test"] = 0.25
            group["gradmean"] = [1.0, 2.0]
    return path


def test_import_activations__deep_bottleneck(tmp_path):
    found = bring_in(tmp_path, deep_bottleneck(tmp_path / "dump.h5"))
    assert found["epoch"].values.tolist() == [3, 11]
    assert found["layer"].values.tolist() == ["layer_1", "layer_2"]
    np.testing.assert_array_equal(values_of(found, "layer_2", 11), layer(10, 2))
    last = found.sel(repeat=0, trained_epoch=11)
    assert (last["train_accuracy"], last["test_loss"], last["gradmean_2"]) == (0.5, 0.25, 2)
    assert last["train_loss"].isnull()


def test_import_activations__hdf5_that_leads_elsewhere(tmp_path):
    h5py = pytest.importorskip("h5py")
    source = deep_bottleneck(tmp_path / "dump.h5")
    with h5py.File(source, "a") as file:
        file["10/activations/11"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(InputError, match="is a link to elsewhere, which is not followed"):
        bring_in(tmp_path, source)


def test_import_activations__hdf5_that_is_far_too_large(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "dump.h5", "w") as file:
        file.create_dataset("0/activations/0", (2**20, 2**20), "f4", chunks=(8, 8))
    with pytest.raises(InputError, match=r"activations/0: .* must unpack to at most"):
        bring_in(tmp_path, tmp_path / "dump.h5")


def test_import_activations__without_h5py(tmp_path, monkeypatch):
    (tmp_path / "dump.h5").write_bytes(b"\x89HDF")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match="not installed; install it with: pip install h5py"):
        bring_in(tmp_path, tmp_path / "dump.h5")


def test_import_activations__not_hdf5(tmp_path):
    pytest.importorskip("h5py")
    (tmp_path / "dump.h5").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not an HDF5 file, or a damaged one"):
        bring_in(tmp_path, tmp_path / "dump.h5")


class Storage:
    """Stands for a storage while a tensor is pickled as PyTorch does."""

    def __init__(self, kind: str, key: str, n: int) -> None:
        self.pid = ("storage", Named(f"torch {kind}"), key, "cpu", n)


class Named:
    """Pickles as a name of a module."""

    def __init__(self, name: str) -> None:
        self.name = name


class Tensor:
    """Pickles as the call that makes a tensor."""

    def __init__(self, storage: Storage, offset, size, strides) -> None:
        self.parts = (storage, offset, size, strides, False, ())


class TorchPickler(pickle._Pickler):
    """Writes what torch.save writes, without PyTorch."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            module, name = obj.name.split()
            self.write(f"c{module}\n{name}\n".encode())
        elif isinstance(obj, Tensor):
            self.save(Named("torch._utils _rebuild_tensor_v2"))
            self.save(obj.parts)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def torch_file(path: Path, saved, storages: dict[str, bytes], **more: bytes) -> Path:
    file = io.BytesIO()
    TorchPickler(file, 2).dump(saved)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run/data.pkl", file.getvalue())
        for key, content in storages.items():
            archive.writestr(f"run/data/{key}", content)
        for name, content in more.items():
            archive.writestr(f"run/{name}", content)
    return path


def test_read_torch__strides_offsets_and_dtypes(tmp_path):
    values = np.arange(12, dtype="<f4")
    half = np.array([1.5, -2.0], "<f4").view("<u4")
    storages = {
        "0": values.tobytes(),
        "1": (half >> 16).astype("<u2").tobytes(),
        "2": np.array([[1, 0]], "u1").tobytes(),
    }
    floats = Storage("FloatStorage", "0", 12)
    saved = {
        "whole": Tensor(floats, 0, (4, 3), (3, 1)),
        "turned": Tensor(floats, 2, (2, 3), (1, 4)),
        "inner": {"bf": Tensor(Storage("BFloat16Storage", "1", 2), 0, (2,), (1,))},
        "mask": Tensor(Storage("BoolStorage", "2", 2), 0, (1, 2), (2, 1)),
        "loss": 0.5,
        "name": "words",
    }
    found = read_torch(torch_file(tmp_path / "a.pt", saved, storages))
    assert list(found) == ["whole", "turned", "inner.bf", "mask", "loss"]
    np.testing.assert_array_equal(found["whole"], values.reshape(4, 3))
    np.testing.assert_array_equal(found["turned"], [[2, 6, 10], [3, 7, 11]])
    np.testing.assert_array_equal(found["inner.bf"], [1.5, -2.0])
    np.testing.assert_array_equal(found["mask"], [[True, False]])
    assert found["loss"] == 0.5


def test_read_torch__what_torch_saves(tmp_path):
    torch = pytest.importorskip("torch")
    saved = {
        "hidden": torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).T),
        "half": torch.ones(2, 2, dtype=torch.bfloat16),
        "codes": torch.tensor([[7]], dtype=torch.uint16),
    }
    torch.save(saved, tmp_path / "a.pt")
    found = read_torch(tmp_path / "a.pt")
    np.testing.assert_array_equal(found["hidden"], np.arange(6.0).reshape(2, 3).T)
    assert found["half"].dtype == np.float32
    assert found["codes"].dtype == np.uint16


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (((5,), (1,)), "outside its storage"),
        (((2, 2), (3, 1)), "outside its storage"),
        (((2,), (-1,)), "no size or strides"),
        (((2,), (1, 1)), "no size or strides"),
        (((2**40,), (0,)), "must unpack to at most"),
    ],
)
def test_read_torch__hostile_tensors(tmp_path, tensor, message):
    saved = {"x": Tensor(Storage("FloatStorage", "0", 4), 0, *tensor)}
    path = torch_file(tmp_path / "a.pt", saved, {"0": bytes(16)})
    with pytest.raises(InputError, match=message) as caught:
        read_torch(path)
    assert len(str(caught.value).splitlines()) == 1


def test_read_torch__other_files(tmp_path):
    plain = {"x": Tensor(Storage("QInt8Storage", "0", 4), 0, (4,), (1,))}
    with pytest.raises(InputError, match=r"holds values of torch\.QInt8Storage"):
        read_torch(torch_file(tmp_path / "a.pt", plain, {"0": bytes(4)}))
    lacking = {"x": Tensor(Storage("FloatStorage", "0", 4), 0, (4,), (1,))}
    with pytest.raises(InputError, match="run/data/0 is missing"):
        read_torch(torch_file(tmp_path / "b.pt", lacking, {}))
    with pytest.raises(InputError, match="must hold a dictionary of tensors"):
        read_torch(torch_file(tmp_path / "c.pt", [1], {}))
    (tmp_path / "d.pt").write_bytes(b"\x80\x02.")
    with pytest.raises(InputError, match=r"of PyTorch 1\.6 or later"):
        read_torch(tmp_path / "d.pt")
    with zipfile.ZipFile(tmp_path / "e.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/data.pkl", bytes(2**20))
    with pytest.raises(InputError, match=r"must be an archive as torch\.save writes it"):
        read_torch(tmp_path / "e.pt")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("name", ["data.pickle", "rawdata/epoch00000000", "runs/1.pt"])
def test_import_activations__nothing_is_executed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if name.endswith(".pt"):
        torch_file(path, {"x": Evil()}, {})
    else:
        path.write_bytes(pickle.dumps({"ws": Evil(), "data": Evil()}, 2))
    with pytest.raises((InputError, StoreError)):
        bring_in(tmp_path, path if name == "data.pickle" else path.parent)
    assert not Path("evil").exists()


def test_read_pickle__records_calls_and_hashes_nothing_large():
    found = read_pickle(pickle.dumps({"x": Evil()}), "it")["x"]
    assert isinstance(found, Recorded)
    assert found.name.endswith(".mkdir")
    assert found.arguments == ("evil",)
    nested = b"\x80\x02}N" + b"q\0h\0\x86" * 60 + b"K\1s."
    for content in (nested, pickle.dumps({(1, 2): 3}), pickle.dumps({1, 2}), b"\x80\x02\x82\x01."):
        with pytest.raises(InputError, match="it: "):
            read_pickle(content, "it")


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("dtype", ["f4", ">f8", "u1", "?", "i8"])
def test_read_array__what_numpy_pickles(protocol, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for one in (array, np.asfortranarray(array), array[1, 2]):
        found = read_array(read_pickle(pickle.dumps(one, protocol), "it"))
        np.testing.assert_array_equal(found, one)
    assert read_array(read_pickle(pickle.dumps(np.array([None, "x"]), protocol), "it")) is None


def test_import_activations__a_folder_of_npz(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    for epoch in (20, 3):
        numbers = {"train_accuracy": 0.5, "grad.norm": np.float64(epoch), "epoch": epoch}
        np.savez(folder / f"run7_epoch{epoch}.npz", a=layer(epoch), b=layer(1, 2), **numbers)
    found = bring_in(tmp_path, folder, attributes={"optimiser": "sgd"})
    assert found["epoch"].values.tolist() == [3, 20]
    assert found["layer"].values.tolist() == ["a", "b"]
    np.testing.assert_array_equal(values_of(found, "a", 20), layer(20))
    assert found["grad_norm"].sel(repeat=0, trained_epoch=20) == 20
    assert found.attrs["optimiser"] == "sgd"


def test_import_activations__folders_of_hdf5_and_torch(tmp_path):
    h5py = pytest.importorskip("h5py")
    content = layer(4).tobytes()
    for suffix in ("h5", "pt"):
        (tmp_path / suffix).mkdir()
    with h5py.File(tmp_path / "h5" / "4.h5", "w") as file:
        file["net/a"] = layer(4)
        file["note"] = "words"
    tensor = Tensor(Storage("FloatStorage", "0", 24), 0, (8, 3), (3, 1))
    torch_file(tmp_path / "pt" / "4.pt", {"net": {"a": tensor}}, {"0": content})
    for suffix in ("h5", "pt"):
        found = bring_in(tmp_path, tmp_path / suffix, overwrite=True)
        np.testing.assert_array_equal(values_of(found, "net.a", 4), layer(4))


def test_import_activations__a_further_repeat(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    np.savez(folder / "1.npz", a=layer(1))
    bring_in(tmp_path, folder)
    assert bring_in(tmp_path, folder, repeat=1)["repeat"].values.tolist() == [0, 1]


def test_import_activations__errors(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        bring_in(tmp_path, tmp_path / "nothing")
    with pytest.raises(InputError, match=r"must be one of IDNNs: a pickle of IDNNs.*; name it"):
        bring_in(tmp_path, tmp_path)
    with pytest.raises(UnknownNameError, match="unknown format 'ibsg'; did you mean 'ibsgd'"):
        bring_in(tmp_path, tmp_path, format="ibsg")
    np.savez(tmp_path / "1.npz", a=layer(1), y=LABEL)
    with pytest.raises(InputError, match=r"y must be \(sample, unit, ...\) .* name the layers"):
        bring_in(tmp_path, tmp_path)
    with pytest.raises(UnknownNameError, match="unknown layer 'c'"):
        bring_in(tmp_path, tmp_path, layers=["c"])
    np.savez(tmp_path / "epoch_1.npz", a=layer(1))
    with pytest.raises(InputError, match=r"is of the same epoch as 1\.npz"):
        bring_in(tmp_path, tmp_path)
    (tmp_path / "epoch_1.npz").unlink()
    np.savez(tmp_path / "last.npz", a=layer(1))
    with pytest.raises(InputError, match=r"last\.npz: its name must end in the number"):
        bring_in(tmp_path, tmp_path)


@pytest.mark.parametrize("name", FORMATS.names())
def test_formats__refuse_what_is_something_else(tmp_path, name):
    (tmp_path / "x").write_bytes(b"x")
    for source in (tmp_path / "x", tmp_path):
        with pytest.raises((InputError, OSError)):
            bring_in(tmp_path, source, format=name)
