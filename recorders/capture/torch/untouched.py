"""Running a model in training without leaving a trace in it.

While a model is evaluated here, it has copies of its buffers and of its small parameters, and
whatever else its modules and hooks change in these, or hold as attributes, is put back.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import torch

from ibtools.errors import InputError, RecordingError
from ibtools.recorders.capture.random_states import random_states_kept

_COPIED = 2**16
"""Parameters of so many numbers at the most are copied: those that quantisers set when they are
called first are among them. Larger ones are watched."""

_HELD = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
"""The mappings of a module whose entries may change while it is called."""


@contextlib.contextmanager
def untouched(model: torch.nn.Module) -> Iterator[None]:
    """Evaluate a model, and leave it, its buffers, modes and all random states as they were.

    Inside, all modules are in eval mode, no gradients are computed, observers of quantisers are
    off, and what was compiled runs as it was written.
    """
    modules = list(model.modules())
    _validate(modules)
    watched = [(one, one._version) for one in model.parameters() if one.numel() > _COPIED]
    with torch.no_grad(), _random_states(model), _uncompiled():
        states = [_State(module) for module in modules]
        try:
            copies = _Copies()
            for module in modules:
                _prepare(module, copies)
            yield
        finally:
            for state in states:
                state.restore()
    if any(one._version != version for one, version in watched):
        raise RecordingError(
            "a model that is recorded must not change its parameters when it is called in eval "
            "mode, but one of more than 65536 numbers was changed; record a copy of the model "
            "(copy.deepcopy)"
        )


class _State:
    """What a module holds, without what is in tensors."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._attributes = module.__dict__
        self._held = dict(self._attributes)
        self._entries = [(name, dict(self._attributes[name])) for name in _HELD]

    def restore(self) -> None:
        """Put everything back, in the same order and the same mappings."""
        self._attributes.clear()
        self._attributes.update(self._held)
        for name, entries in self._entries:
            self._attributes[name].clear()
            self._attributes[name].update(entries)


class _Copies:
    """Copies of tensors, one of each, whichever modules share it."""

    def __init__(self) -> None:
        self._made: dict[int, torch.Tensor] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the copy of a tensor."""
        if id(tensor) not in self._made:
            copy = tensor.detach().clone()
            if isinstance(tensor, torch.nn.Parameter):
                copy = torch.nn.Parameter(copy, requires_grad=tensor.requires_grad)
            self._made[id(tensor)] = copy
        return self._made[id(tensor)]


def _prepare(module: torch.nn.Module, copies: _Copies) -> None:
    """Give a module copies, put it in eval mode, and switch off what observes.

    `Module.eval` is not called: some models change their weights in it.
    """
    module.training = False
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = copies.of(buffer)
    for name, parameter in module._parameters.items():
        if parameter is not None and parameter.numel() <= _COPIED:
            module._parameters[name] = copies.of(parameter)
    observing = module._buffers.get("observer_enabled")
    if observing is not None:
        observing.zero_()


def _validate(modules: list[torch.nn.Module]) -> None:
    """Check that nothing in the model escapes this."""
    for module in modules:
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(
                "a model that is recorded must be of Python modules, found TorchScript "
                f"({type(module).__name__}): its layers can't be seen; record the model before "
                "torch.jit.script or trace (of Brevitas, without BREVITAS_JIT=1)"
            )
        if any(torch.nn.parameter.is_lazy(one) for one in module._parameters.values()):
            raise InputError(
                "a model that is recorded must have all its parameters, but "
                f"{type(module).__name__} waits for its first batch; call the model once before"
            )


@contextlib.contextmanager
def _random_states(model: torch.nn.Module) -> Iterator[None]:
    """Put back the random states of Python, NumPy, and PyTorch on all devices of the model."""
    tensors = [*model.parameters(), *model.buffers()]
    devices = {one.device for one in tensors if one.device.type not in ("cpu", "meta")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        for kind in sorted({one.type for one in devices}):
            of_kind = [one for one in devices if one.type == kind]
            stack.enter_context(torch.random.fork_rng(devices=of_kind, device_type=kind))
        stack.enter_context(random_states_kept())
        yield


def _uncompiled() -> Any:
    """Run what was compiled as it was written; without loading the compiler if nothing was."""
    if "torch._dynamo" not in sys.modules:
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")
