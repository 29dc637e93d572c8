"""Layers of PyTorch models: the codes of their quantisers, and the training as if nobody looked."""

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchao")
pytest.importorskip("brevitas")

import torch
from torch import nn

import ibtools
from ibtools.errors import GridError, InputError, StoreError, UnknownNameError
from ibtools.store.decode import dequantise
from tests.recorders.torch_models import (
    BUILDERS,
    LAYERS,
    SAMPLES,
    build_brevitas,
    inputs,
    plain,
    train,
)

pytestmark = [  # what torchao 0.18 and Brevitas 0.13 do that torch 2.13 advises against
    pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
]

KINDS = list(BUILDERS)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def trained(kind: str) -> nn.Module:
    model = BUILDERS[kind]()
    torch.manual_seed(1)
    train(model, 3)
    return model


def values_of(layer: ibtools.LayerValues) -> np.ndarray:
    if layer.values.dtype == np.float32:
        return layer.values
    return dequantise(layer.values, *layer.grid)


def test_capture__codes_are_the_values_that_the_model_computes(kind: str, trained: nn.Module):
    found = ibtools.TorchCapture(trained, LAYERS[kind])(inputs())
    values = ibtools.TorchCapture(trained, LAYERS[kind], values=True)(inputs())
    assert list(found) == LAYERS[kind]
    quantised = {name for name, layer in found.items() if layer.values.dtype != np.float32}
    expected = {"float": set(), "pt2e": {"act1", "act2"}}.get(kind, set(LAYERS[kind]))
    assert quantised == expected
    for name, layer in found.items():
        assert values[name].values.dtype == np.float32
        np.testing.assert_array_equal(values_of(layer), values[name].values)
        assert len(np.unique(layer.values)) > 2


def test_capture__exact_of_codes_is_that_of_the_values(
    kind: str, trained: nn.Module, tmp_path: Path
):
    """I(X;T) and I(T;Y) to the last bit."""
    results = []
    for values in (False, True):
        capture = ibtools.TorchCapture(trained, LAYERS[kind], values=values)
        path = tmp_path / f"{values}.zarr"
        snapshots = [(0, 0, capture(inputs()))]
        ibtools.record_arrays(
            path, snapshots, label=np.arange(SAMPLES) % 3, epochs=[0], repeats=[0]
        )
        results.append(ibtools.analyze(ibtools.open_store(path)).compute())
        assert {one.status for one in ibtools.check(path, quiet=True).checks} <= {
            "ok",
            "note",
            "not checked",
        }
    for name in ("mi_xt", "mi_ty", "entropy_t", "n_states", "n_singletons", "mi_ty_null"):
        np.testing.assert_array_equal(results[0][name], results[1][name])


def state_of(model: nn.Module) -> dict[str, Any]:
    """Everything that a snapshot must leave alone."""
    tensors = {
        name: (id(one), one.detach().clone())
        for name, one in (*model.named_parameters(), *model.named_buffers())
    }
    gradients = {
        name: None if one.grad is None else (id(one.grad), one.grad.clone())
        for name, one in model.named_parameters()
    }
    modules = {
        name: (one.training, sorted(one.__dict__), len(one._forward_hooks), list(one._buffers))
        for name, one in model.named_modules()
    }
    plain_attributes = {
        name: {
            key: value
            for key, value in one.__dict__.items()
            if isinstance(value, bool | int | float | str | None)
        }
        for name, one in model.named_modules()
    }
    return {
        "tensors": tensors,
        "gradients": gradients,
        "modules": modules,
        "attributes": plain_attributes,
        "grad": torch.is_grad_enabled(),
        "random": (torch.get_rng_state(), random.getstate(), repr(np.random.get_state())),  # noqa: NPY002
    }


def assert_same(before: Any, after: Any) -> None:
    assert type(before) is type(after)
    if isinstance(before, torch.Tensor):
        assert before.dtype == after.dtype
        assert torch.equal(before, after)
    elif isinstance(before, dict):
        assert list(before) == list(after)
        for name in before:
            assert_same(before[name], after[name])
    elif isinstance(before, tuple | list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    else:
        assert before == after


def test_capture__leaves_everything_as_it_was(kind: str):
    """Parameters, buffers, gradients, modes, hooks and random states, to the last bit."""
    model = BUILDERS[kind]()
    torch.manual_seed(1)
    train(model, 2)
    if hasattr(model, "bn") and kind != "pt2e":
        model.bn.eval()  # a mixture of modes
    capture = ibtools.TorchCapture(model, LAYERS[kind], batch_size=20)
    before = state_of(model)
    capture(inputs())
    assert_same(before, state_of(model))


def test_capture__a_training_goes_on_as_if_nobody_looked(kind: str):
    """Recorded after every step, and within a step, it has the losses and the end of a free one."""
    ends = []
    for recorded in (False, True):
        model = BUILDERS[kind]()
        torch.manual_seed(1)
        capture = ibtools.TorchCapture(model, LAYERS[kind], batch_size=20)

        def look(step: int, capture=capture, recorded=recorded) -> None:
            if recorded:
                capture(inputs())

        losses = train(model, 3, after=look, between=look)
        ends.append((losses, state_of(model)))
    assert ends[0][0] == ends[1][0]
    for name in ("tensors", "gradients"):
        for one, other in zip(ends[0][1][name].values(), ends[1][1][name].values(), strict=True):
            assert_same(one and one[1], other and other[1])
    assert_same(ends[0][1]["random"], ends[1][1]["random"])
    assert_same(ends[0][1]["modules"], ends[1][1]["modules"])
    assert_same(ends[0][1]["attributes"], ends[1][1]["attributes"])


def test_capture__before_the_first_step_leaves_brevitas_unset():
    """Its scales are set by the first batches of the training, not by what is recorded."""
    ends = []
    for recorded in (False, True):
        model = build_brevitas()
        torch.manual_seed(1)
        if recorded:
            ibtools.TorchCapture(model, LAYERS["brevitas"])(inputs() * 7)
        train(model, 2)
        ends.append({name: one.clone() for name, one in model.state_dict().items()})
    assert_same(ends[0], ends[1])


@pytest.mark.parametrize("batch_size", [1, 7, 48, 1000, None])
def test_capture__is_the_same_in_any_batches(kind: str, trained: nn.Module, batch_size: int | None):
    if kind == "pt2e" and batch_size == 1:
        pytest.skip("the graph was exported for two samples and more")
    expected = ibtools.TorchCapture(trained, LAYERS[kind])(inputs())
    if kind == "pt2e" and SAMPLES % (batch_size or SAMPLES) == 1:
        pytest.skip("a batch of one")
    found = ibtools.TorchCapture(trained, LAYERS[kind], batch_size=batch_size)(inputs())
    for name, layer in expected.items():
        if layer.values.dtype == np.float32:
            np.testing.assert_allclose(found[name].values, layer.values, rtol=1e-5, atol=1e-6)
        else:
            # sums of floats round by the batch, and may be moved over the edge of a step
            steps = found[name].values.astype(int) - layer.values
            assert np.abs(steps).max() <= 1
            assert np.count_nonzero(steps) <= 0.01 * steps.size
            np.testing.assert_array_equal(found[name].scale, layer.scale)


def test_capture__float_layers_are_those_of_eval_mode():
    model = BUILDERS["float"]()
    train(model, 2)
    found = ibtools.TorchCapture(model, ["fc", "act2", "output"])(inputs())
    model.eval()
    with torch.no_grad():
        hidden = model.fc(model.act1(model.bn(model.conv(inputs()))).flatten(1))
        np.testing.assert_array_equal(
            found["fc"].values, hidden.numpy()
        )  # before it is overwritten
        np.testing.assert_array_equal(found["act2"].values, hidden.relu().numpy())
        np.testing.assert_array_equal(found["output"].values, model(inputs()).numpy())


def test_capture__pt2e_names_quantisers_too(tmp_path: Path):
    model = BUILDERS["pt2e"]()
    train(model, 2)
    numbered = ibtools.TorchCapture(model, "activation_post_process_*")(inputs())
    named = ibtools.TorchCapture(model, ["act1", "act2"])(inputs())
    for layer in named.values():
        assert any(np.array_equal(layer.values, other.values) for other in numbered.values())
    eager = ibtools.TorchCapture(BUILDERS["float"](), ["fc"])(inputs())
    assert set(eager) == {"fc"}


def test_capture__pt2e_is_its_eval_mode():
    from torchao.quantization.pt2e import move_exported_model_to_eval

    model = BUILDERS["pt2e"]()
    train(model, 2)
    found = ibtools.TorchCapture(model, ["output"])(inputs())
    for module in model.modules():
        if hasattr(module, "observer_enabled"):
            module.disable_observer()
    with torch.no_grad():
        expected = move_exported_model_to_eval(model)(inputs())
    np.testing.assert_array_equal(found["output"].values, expected.numpy())


@pytest.mark.parametrize("return_quant_tensor", [False, True])
def test_capture__brevitas_returns_a_quant_tensor_or_not(return_quant_tensor: bool):
    import brevitas.nn as qnn
    from brevitas.quant.shifted_scaled_int import ShiftedUint8ActPerTensorFloat

    torch.manual_seed(0)
    options = {"return_quant_tensor": return_quant_tensor}
    model = nn.Sequential(
        qnn.QuantIdentity(bit_width=8, **options),
        qnn.QuantLinear(8, 8, bias=True, weight_bit_width=4),
        qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, **options),
        qnn.QuantReLU(bit_width=3, **options),
    )
    x = torch.randn(SAMPLES, 8)
    for _ in range(3):
        model(x)
    found = ibtools.TorchCapture(model, "*", exclude="1")(x)
    model.eval()
    for layer, bits in zip(found.values(), (8, 8, 3), strict=True):
        assert (layer.bits, layer.values.dtype) == (bits, np.uint8)
    with torch.no_grad():
        expected = plain(model(x)).numpy()
    np.testing.assert_array_equal(values_of(found["3"]), expected)


def test_capture__of_wide_accumulators_is_values():
    import brevitas.nn as qnn
    from brevitas.quant import Int8Bias

    model = nn.Sequential(
        qnn.QuantIdentity(return_quant_tensor=True),
        qnn.QuantLinear(8, 4, bias=True, bias_quant=Int8Bias, return_quant_tensor=True),
    )
    x = torch.randn(SAMPLES, 8)
    model(x)
    found = ibtools.TorchCapture(model, "1")(x)
    assert found["1"].values.dtype == np.float32


def test_capture__switched_off_quantisers_give_values():
    model = BUILDERS["fake_quantize"]()
    train(model, 1)
    model.act2[1].disable_fake_quant()
    found = ibtools.TorchCapture(model, ["act1.1", "act2.1"])(inputs())
    assert [layer.values.dtype for layer in found.values()] == [np.uint8, np.float32]


@pytest.mark.parametrize("kind", ["float", "fake_quantize", "brevitas"])
@pytest.mark.parametrize("how", ["outside", "inside", "in place"])
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_capture__of_a_compiled_model_is_that_of_the_plain_one(kind: str, how: str, backend: str):
    """What the compiler made of the model trains it; for the capture, it runs in Python."""
    if backend == "inductor" and shutil.which("g++") is None:
        pytest.skip("inductor needs a C++ compiler")
    model = BUILDERS[kind]()
    train(model, 2)
    for module in model.modules():
        if hasattr(module, "observer_enabled"):
            module.disable_observer()
    expected = ibtools.TorchCapture(model, LAYERS[kind])(inputs())
    compiled: Any = model
    if how == "outside":
        compiled = torch.compile(model, backend=backend)
    elif how == "inside":
        model.act2 = torch.compile(model.act2, backend=backend)
    else:
        model.compile(backend=backend)
    compiled.eval()
    with torch.no_grad():
        compiled(inputs())
    found = ibtools.TorchCapture(compiled, LAYERS[kind])(inputs())
    assert list(found) == LAYERS[kind]
    for name, layer in expected.items():
        np.testing.assert_array_equal(found[name].values, layer.values)


def test_capture__of_bfloat16_models_is_values():
    model = BUILDERS["float"]().to(torch.bfloat16)
    found = ibtools.TorchCapture(model, ["act2"])(inputs().to(torch.bfloat16))
    assert found["act2"].values.dtype == np.float32
    low = torch.from_numpy(found["act2"].values)
    assert torch.equal(low.to(torch.bfloat16).float(), low)


def test_capture__several_arguments_and_another_call():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.Identity()

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.act(a + 2 * b)

        def encode(self, a: torch.Tensor) -> torch.Tensor:
            return self.act(a)

    model, a, b = Two(), np.ones((5, 2), "f4"), torch.arange(10.0).reshape(5, 2)
    capture = ibtools.TorchCapture(model, "act", batch_size=2)
    for given in ((a, b), {"b": b, "a": a}):
        np.testing.assert_array_equal(capture(given)["act"].values, a + 2 * b.numpy())
    encoding = ibtools.TorchCapture(model, "act", forward=lambda model, a: model.encode(a))
    np.testing.assert_array_equal(encoding(b)["act"].values, b)


def test_capture__layers_are_in_the_order_of_the_network_with_names_of_the_store():
    model = BUILDERS["float"]()
    capture = ibtools.TorchCapture(model, {"last": "output", "first": "act1"}, exclude=())
    assert list(capture(inputs())) == ["first", "last"]
    assert set(capture.layers) == {"first", "last"}


class Odd(nn.Module):
    """A module that does what it is told with its inputs."""

    def __init__(self, call) -> None:
        super().__init__()
        self.act, self.unused = nn.Identity(), nn.Identity()
        self.lstm = nn.LSTM(4, 3)
        self.call = call

    def forward(self, x: torch.Tensor) -> Any:
        return self.call(self, x)


@pytest.mark.parametrize(
    ("call", "layer", "error", "message"),
    [
        (lambda m, x: m.act(m.act(x)), "act", InputError, "called once .* is called 2 times"),
        (lambda m, x: m.act(x), "unused", InputError, "must be called when the model is"),
        (lambda m, x: m.lstm(x), "lstm", InputError, "must return a tensor, found tuple"),
        (lambda m, x: m.act(x[:2]), "act", InputError, r"the 6 samples .* found shape \(2, 4\)"),
        (lambda m, x: m.act(x.sum()), "act", InputError, r"the 6 samples .* found shape \(\)"),
        (lambda m, x: m.act(x.long()), "act", InputError, "return floats, found int64"),
        (lambda m, x: m.act(x / 0 * 0), "act", StoreError, "no NaN, found one at sample 0, unit 0"),
        (lambda m, x: m.act(x.double() + 1e-12), "act", None, ""),
    ],
)
def test_capture__says_what_is_wrong_with_a_layer(call, layer: str, error, message: str):
    capture = ibtools.TorchCapture(Odd(call), layer)
    x = torch.ones(6, 4)
    if error is None:
        assert capture(x)[layer].values.dtype == np.float64  # judged by what records it
        return
    with pytest.raises(error, match=f"layer '{layer}'.*{message}"):
        capture(x)


def test_capture__leaves_no_hooks_when_it_fails():
    model = Odd(lambda m, x: m.act(x.sum()))
    before = state_of(model)
    with pytest.raises(InputError, match="samples"):
        ibtools.TorchCapture(model, "act")(torch.ones(6, 4))
    assert_same(before, state_of(model))


def test_capture__says_what_is_wrong_with_a_model_or_its_inputs():
    model = BUILDERS["float"]()
    with pytest.raises(UnknownNameError, match=r"unknown layer 'act3'; .* Known: conv, bn, act1"):
        ibtools.TorchCapture(model, ["act3"])
    with pytest.raises(InputError, match=r"'hidden' must be one module, found act1, act2"):
        ibtools.TorchCapture(model, {"hidden": "act?"})
    with pytest.raises(InputError, match="batch_size must be at least 1"):
        ibtools.TorchCapture(model, "act1", batch_size=0)
    with pytest.raises(InputError, match=r"a torch\.nn\.Module, found function"):
        ibtools.TorchCapture(lambda x: x, "act1")
    capture = ibtools.TorchCapture(model, "act1")
    for wrong in ((inputs(), inputs()[:3]), torch.tensor(1.0), inputs()[:0]):
        with pytest.raises(InputError, match="as many samples, found shapes"):
            capture(wrong)
    scripted = torch.jit.script(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(InputError, match="found TorchScript"):
        ibtools.TorchCapture(scripted, "0")(torch.ones(2, 3))
    lazy = nn.Sequential(nn.LazyLinear(2))
    with pytest.raises(InputError, match="LazyLinear waits for its first batch"):
        ibtools.TorchCapture(lazy, "0")(torch.ones(2, 3))


def test_capture__a_quantiser_without_a_range_is_refused():
    capture = ibtools.TorchCapture(BUILDERS["fake_quantize"](), ["act2.1"])
    with pytest.raises(
        InputError, match=r"quantiser 'act1\.1' must have a range, but has seen no batch"
    ):
        capture(inputs())


def test_capture__a_quantiser_that_is_not_used_needs_no_range():
    model = BUILDERS["fake_quantize"]()
    train(model, 1)
    model.unused = BUILDERS["fake_quantize"]().act2[1]
    before = state_of(model)
    assert set(ibtools.TorchCapture(model, "act2.1")(inputs())) == {"act2.1"}
    assert_same(before, state_of(model))


def test_capture__inputs_are_copied():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2))
    x = torch.randn(6, 3)
    before = x.clone()
    array = x.numpy().copy()
    array.flags.writeable = False
    for given in (x, array):
        found = ibtools.TorchCapture(model, "0")(given)
        np.testing.assert_array_equal(found["0"].values, before.relu().numpy())
    assert torch.equal(x, before)


def test_capture__a_grid_of_each_batch_is_refused():
    class Ranged(nn.Module):
        """Quantises on the range of its own batch."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("fake_quant_enabled", torch.ones(1))
            self.register_buffer("scale", torch.ones(1))
            self.zero_point, self.quant_min, self.quant_max = torch.zeros(1), 0, 255
            self.qscheme, self.is_per_channel = torch.per_tensor_affine, False
            self.activation_post_process = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.scale[0] = x.abs().max() / 255
            return torch.round(x.abs() / self.scale) * self.scale

    model, x = nn.Sequential(Ranged()), torch.arange(1.0, 13.0).reshape(6, 2)
    with pytest.raises(GridError, match="layer '0' must be on one grid, whatever the batch"):
        ibtools.TorchCapture(model, "0", batch_size=2)(x)
    assert ibtools.TorchCapture(model, "0", batch_size=None)(x)["0"].values.max() == 255


def test_capture__a_quantiser_that_computes_otherwise_is_named():
    model = BUILDERS["fake_quantize"]()
    train(model, 1)
    model.act2.append(nn.Identity())
    model.act2[1].register_forward_hook(lambda module, args, output: output * 1.0001)
    with pytest.raises(GridError, match=r"layer 'act2\.1' must be on the grid .* nearest on it is"):
        ibtools.TorchCapture(model, "act2.1")(inputs())


def test_ibtools__loads_torch_when_it_is_used():
    program = "import sys, ibtools, ibtools.recorders.arrays; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_capture__pt2e_of_a_module_that_is_called_twice_is_refused():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.once = nn.ReLU(), nn.Tanh()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.once(self.act(x)))

    model = torch.export.export(Twice(), (torch.ones(3, 2),)).module()
    assert ibtools.TorchCapture(model, "once")(torch.ones(3, 2))["once"].values.shape == (3, 2)
    with pytest.raises(InputError, match=r"'act' must be called once .* is called 2 times"):
        ibtools.TorchCapture(model, "act")(torch.ones(3, 2))


def test_capture__a_module_with_two_names_is_called_twice():
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 3), shared, nn.Linear(3, 2), shared)
    with pytest.raises(InputError, match="'3' must be called once in a pass, but is called 2"):
        ibtools.TorchCapture(model, "3")(torch.ones(6, 4))


def test_capture__gives_each_channel_its_grid(tmp_path: Path):
    """A scale of each channel, as it goes into a store and out again."""
    model = build_brevitas()
    torch.manual_seed(1)
    train(model, 3)
    capture = ibtools.TorchCapture(model, ["act1"])
    layer = capture(inputs())["act1"]
    assert layer.scale.shape == (4, 1, 1)
    assert len(np.unique(layer.scale)) == 4
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(
        path, [(0, 1, {"act1": layer})], label=np.arange(SAMPLES) % 3, epochs=[1], repeats=[0]
    )
    values = ibtools.TorchCapture(model, ["act1"], values=["act1"])(inputs())["act1"].values
    found = ibtools.open_store(path).activation.isel(repeat=0, epoch=0, layer=0)
    np.testing.assert_array_equal(found, values.reshape(SAMPLES, -1))


def test_record_arrays__takes_tensors(tmp_path: Path):
    tensors = {
        "grad": torch.rand(6, 3, requires_grad=True),
        "half": torch.rand(6, 2, 2).to(torch.bfloat16),
        "codes": torch.arange(12, dtype=torch.uint8).reshape(6, 2),
    }
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(path, [(0, 0, tensors)], label=np.arange(6) % 2, epochs=[0], repeats=[0])
    found = ibtools.open_store(path).isel(repeat=0, epoch=0)
    assert found.bits.values.tolist() == [32, 32, 8]
    half = found.activation.sel(layer="half").values
    np.testing.assert_array_equal(half, tensors["half"].float().reshape(6, 4).numpy())


def test_capture__draws_nothing_from_the_training(tmp_path: Path):
    """A model that draws in eval mode too, from every source, leaves each as it was."""

    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            np.random.rand()  # noqa: NPY002
            return x + torch.rand_like(x) + random.random()

    model = nn.Sequential(Noisy(), nn.Dropout(0.5))
    before = state_of(model)
    ibtools.TorchCapture(model, "0")(torch.ones(6, 4))
    assert_same(before, state_of(model))


def test_capture__a_model_that_changes_large_parameters_is_refused():
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = (nn.Parameter(torch.ones(n)) for n in (4, 2**16 + 1))
            self.act, self.change_large = nn.Identity(), False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.small.mul_(2)
            if self.change_large:
                self.large.mul_(2)
            return self.act(x)

    model = Changing()
    before = state_of(model)
    ibtools.TorchCapture(model, "act")(torch.ones(6, 4))
    assert_same(before, state_of(model))
    model.change_large = True
    with pytest.raises(ibtools.IbtoolsError, match=r"must not change its parameters .*deepcopy"):
        ibtools.TorchCapture(model, "act")(torch.ones(6, 4))
