"""PyTorch models in all the ways of quantising that are captured, and a training of them."""

import copy
import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

SAMPLES = 48


def inputs(seed: int = 0) -> torch.Tensor:
    return torch.randn(SAMPLES, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


LABEL = torch.arange(SAMPLES) % 3


class Net(nn.Module):
    """A small network of everything that has a state: dropout, batch norm, an in-place ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.act1 = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.drop = nn.Dropout(0.3)
        self.fc, self.act2 = nn.Linear(4 * 36, 8), nn.ReLU(inplace=True)
        self.output = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.act1(self.bn(self.conv(x))).flatten(1)
        return self.output(self.act2(self.fc(self.drop(hidden))))


def build_float() -> nn.Module:
    torch.manual_seed(0)
    return Net()


def _fake_quantize(**options: Any) -> nn.Module:
    from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver

    return FakeQuantize(observer=MovingAverageMinMaxObserver, **options)


def build_fake_quantize() -> nn.Module:
    """FakeQuantize after each activation: unsigned per tensor, per channel, signed of 4 bits."""
    from torch.ao.quantization import FakeQuantize, MovingAveragePerChannelMinMaxObserver

    model = build_float()
    model.act1 = nn.Sequential(
        nn.ReLU(),
        FakeQuantize(
            observer=MovingAveragePerChannelMinMaxObserver,
            quant_min=0,
            quant_max=255,
            ch_axis=1,
            qscheme=torch.per_channel_affine,
        ),
    )
    model.act2 = nn.Sequential(nn.ReLU(), _fake_quantize(quant_min=0, quant_max=255))
    model.output = nn.Sequential(
        model.output,
        _fake_quantize(
            quant_min=-8, quant_max=7, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric
        ),
    )
    return model


def build_eager_qat() -> nn.Module:
    """torch.ao's eager QAT: quantisers attached to modules as hooks."""
    from torch.ao.quantization import get_default_qat_qconfig, prepare_qat

    model = build_float()
    model.qconfig = get_default_qat_qconfig("x86")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prepare_qat(model.train())


def build_fx_qat() -> nn.Module:
    """torch.ao's FX QAT: a graph of modules, with numbered quantisers between them."""
    from torch.ao.quantization import get_default_qat_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_qat_fx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mapping = get_default_qat_qconfig_mapping("x86")
        return prepare_qat_fx(build_float().train(), mapping, (inputs(),))


def _build_pt2e() -> nn.Module:
    """torchao's PT2E: a graph, whose quantisers are numbered."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    shapes = ({0: torch.export.Dim("batch", min=2)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(build_float().train(), (inputs(),), dynamic_shapes=shapes)
        quantizer = X86InductorQuantizer()
        quantizer.set_global(get_default_x86_inductor_quantization_config(is_qat=True))
        return prepare_qat_pt2e(exported.module(), quantizer)


def build_brevitas(*, return_quant_tensor: bool = False) -> nn.Module:
    """Brevitas: a scale of each channel, 4 bits unsigned, and 8 bits signed."""
    import brevitas.nn as qnn

    torch.manual_seed(0)
    model = Net()
    options: dict[str, Any] = {"return_quant_tensor": return_quant_tensor}
    model.conv = qnn.QuantConv2d(1, 4, 3, weight_bit_width=4)
    model.act1 = qnn.QuantReLU(
        bit_width=8,
        scaling_per_output_channel=True,
        per_channel_broadcastable_shape=(1, 4, 1, 1),
        scaling_stats_permute_dims=(1, 0, 2, 3),
        **options,
    )
    model.fc = qnn.QuantLinear(4 * 36, 8, bias=True, weight_bit_width=4)
    model.act2 = qnn.QuantReLU(bit_width=4, **options)
    model.output = nn.Sequential(nn.Linear(8, 3), qnn.QuantIdentity(bit_width=8, **options))
    return model


@functools.cache
def _built_pt2e() -> nn.Module:
    return _build_pt2e()


def build_pt2e() -> nn.Module:
    """A copy of one that was exported, which takes seconds."""
    return copy.deepcopy(_built_pt2e())


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "float": build_float,
    "fake_quantize": build_fake_quantize,
    "eager_qat": build_eager_qat,
    "fx_qat": build_fx_qat,
    "pt2e": build_pt2e,
    "brevitas": build_brevitas,
}

LAYERS = {
    "float": ["act1", "act2", "output"],
    "fake_quantize": ["act1.1", "act2.1", "output.1"],
    "eager_qat": ["conv", "fc", "output"],
    "fx_qat": ["conv", "fc", "output"],
    "pt2e": ["act1", "act2", "output"],
    "brevitas": ["act1", "act2", "output.1"],
}


def train(
    model: nn.Module,
    steps: int,
    after: Callable[[int], None] = lambda step: None,
    between: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Train some steps on batches; `between` is called between a forward pass and its backward."""
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for step in range(steps):
        chosen = torch.randperm(SAMPLES)[:16]
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(plain(model(inputs()[chosen])), LABEL[chosen])
        between(step)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        after(step)
    return losses


def plain(output: Any) -> torch.Tensor:
    """The tensor of an output that may be a QuantTensor."""
    return getattr(output, "value", output)
