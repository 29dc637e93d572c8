"""What a `Recorder` takes of the loop that it stands in: the same loop with it and without.

The loop works on a few matrices for some milliseconds an epoch, as a small training does, and has a
snapshot of 4096 samples x 31 units after each. With PyTorch installed, `python -m
benchmarks.recorder` also trains a ResNet-18 on 10 000 images of CIFAR's size and records three of
its layers: what a snapshot takes beside its forward pass.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ibtools
from benchmarks.table import Row

WIDTHS = {"hidden_1": 10, "hidden_2": 7, "hidden_3": 5, "hidden_4": 4, "hidden_5": 3, "output": 2}
N_SAMPLES = 4096


def run_loop(epochs: int, on_epoch: Callable[[int, dict[str, Any]], None]) -> float:
    """Return the seconds that a loop takes an epoch, after some to warm up."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(400, 400))
    first = {name: rng.random((N_SAMPLES, width)) * 200 for name, width in WIDTHS.items()}
    warm_up = epochs // 4
    for epoch in range(1, epochs + warm_up + 1):
        if epoch == warm_up + 1:
            start = time.perf_counter()
        for _ in range(3):
            weights = np.tanh(weights @ weights / 400)
        layers = {name: (code + epoch / 20).astype(np.uint8) for name, code in first.items()}
        on_epoch(epoch, layers)
    return (time.perf_counter() - start) / epochs


def rows(epochs: int = 400) -> list[Row]:
    """Measure the small loop with and without a recorder, milliseconds an epoch."""
    without = run_loop(epochs, lambda epoch, layers: None)
    with tempfile.TemporaryDirectory() as folder:
        recorder = ibtools.Recorder(
            Path(folder) / "run.zarr", label=np.arange(N_SAMPLES) % 2, quiet=True
        )

        own: list[float] = []

        def record(epoch: int, layers: dict[str, Any]) -> None:
            start = time.thread_time()
            recorder.epoch(epoch, train_loss=1 / epoch)
            recorder.snapshot(epoch, layers)
            own.append(time.thread_time() - start)

        recorded = run_loop(epochs, record)
        recorder.close()
    in_thread = float(np.median(own))
    what = f"an epoch of a loop with a Recorder, {N_SAMPLES} x 31 a snapshot (baseline: without)"
    of_it = "of it, processor time of the loop's own thread (baseline: the epoch without)"
    return [
        Row(what, 1e3 * recorded, 1e3 * without, "ms"),
        Row(of_it, 1e3 * in_thread, 1e3 * without, "ms"),
    ]


def resnet_rows(n_images: int = 10_000) -> list[Row]:
    """Measure an epoch of a ResNet-18 with and without a snapshot of three layers, in seconds."""
    import torch
    from torch import nn

    from benchmarks.resnet import resnet18

    torch.manual_seed(0)
    images, label = torch.randn(n_images, 3, 32, 32), torch.randint(0, 10, (n_images,))
    model, loss = resnet18(), nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)

    def train() -> None:
        model.train()
        for start in range(0, n_images, 128):
            optimiser.zero_grad()
            batch = slice(start, start + 128)
            loss(model(images[batch]), label[batch]).backward()
            optimiser.step()

    def forward() -> dict[str, np.ndarray]:
        model.eval()
        kept: dict[str, list[np.ndarray]] = {}
        hooks = [
            getattr(model, name).register_forward_hook(
                lambda _, __, out, name=name: kept.setdefault(name, []).append(out.numpy())
            )
            for name in ("layer3", "pool", "output")
        ]
        with torch.no_grad():
            for start in range(0, n_images, 500):
                model(images[start : start + 500])
        for hook in hooks:
            hook.remove()
        return {name: np.concatenate(parts) for name, parts in kept.items()}

    start = time.perf_counter()
    train()
    epoch = time.perf_counter() - start
    layers = forward()
    with tempfile.TemporaryDirectory() as folder:
        recorder = ibtools.Recorder(Path(folder) / "run.zarr", label=label.numpy(), quiet=True)
        recorder.snapshot(0, layers)
        recorder.flush()
        start = time.perf_counter()
        recorder.snapshot(1, layers)
        taken = time.perf_counter() - start
        train()
        recorder.epoch(2)
        with_recorder = time.perf_counter() - start
        recorder.close()
    n_units = sum(layer[0].size for layer in layers.values())
    what = f"ResNet-18, {n_images} images, {n_units} float units: an epoch with a snapshot"
    return [
        Row(f"{what} (baseline: without)", with_recorder, epoch, "s"),
        Row(f"{what}: the snapshot alone (baseline: the epoch)", taken, epoch, "s"),
    ]


if __name__ == "__main__":
    from benchmarks.table import print_table

    measured = rows()
    if importlib.util.find_spec("torch"):
        measured += resnet_rows()
    print_table(measured)
