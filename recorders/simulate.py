"""A store of known information, made without any network: for demos, tests and teaching."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import InputError
from ibtools.recorders.known_states import KnownStates
from ibtools.recorders.recorder_input import natural
from ibtools.schedule import parse_schedule
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import KNOWN
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.storage import StorePath
from ibtools.store.writer import Kept, RepeatWriter

BITS, UNITS = 8, 4
"""Of every layer: 32 bits are enough for a code of any state."""

_EXAMPLE = ("hidden_1", "hidden_2", "hidden_3", "output")
"""The layers of the training that is simulated where the user gives none."""

_Numbers = NDArray[np.float64]

_Curves = dict[str, tuple[_Numbers, _Numbers]]
"""H(T) and I(T;Y) of every layer, each (repeat, epoch)."""


@dataclass(frozen=True)
class _Inputs:
    """How many inputs there are of each class, and how many classes."""

    per_class: int
    n_classes: int

    @classmethod
    def of(cls, n_samples: int, n_classes: int) -> _Inputs:
        samples, classes = natural("samples", n_samples), natural("classes", n_classes)
        if classes < 2:
            raise InputError(f"classes must be 2 or more, found {classes}")
        if samples == 0 or samples % classes:
            raise InputError(
                f"samples must be a multiple of the {classes} classes, so that these are of equal "
                f"size, found {samples}"
            )
        return cls(samples // classes, classes)

    @property
    def entropy_y(self) -> float:
        """H(Y) in bits."""
        return math.log2(self.n_classes)

    def span(self, mi_ty: _Numbers) -> tuple[_Numbers, _Numbers]:
        """Return the least and the most H(T) that there can be beside I(T;Y), in bits."""
        least, most = np.empty_like(mi_ty), np.empty_like(mi_ty)
        for at in np.ndindex(mi_ty.shape):
            told = round(float(mi_ty[at]) / self.entropy_y * self.per_class)
            states = KnownStates(self.per_class, self.n_classes, told)
            least[at] = states.entropy_t
            most[at] = math.log2(self.per_class) + states.mi_ty
        return least, most


def simulate_store(
    path: StorePath,
    layers: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    *,
    samples: int = 1024,
    classes: int = 2,
    repeats: int = 3,
    epochs: int = 1000,
    schedule: str | Iterable[int] = "log:30",
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Write a store whose information is known: its layers are random functions of the input.

    Parameters
    ----------
    path : path or URL
        Where to; nothing may be there.
    layers : mapping of str to (array_like, array_like), optional
        Of each layer H(T), which is I(X;T), and I(T;Y), in bits: numbers, or arrays that broadcast
        to (repeat, epoch). By default those of a training that fits first and compresses then.
    samples, classes : int, optional
        How many different inputs there are, and in how many classes of equal size.
    repeats : int, optional
        How many.
    epochs, schedule : optional
        The epochs, as for ``ibtools record``.
    seed : int, optional
        Of what is drawn.
    overwrite : bool, optional
        Replace the ibtools store that is at `path`.

    Raises
    ------
    InputError
        If no layer can have what is asked of it, or a number is out of range.
    StoreExistsError
        If something is at `path`.

    Notes
    -----
    What comes nearest to the numbers asked for is recorded: I(T;Y) to within H(Y) / 2 over the
    samples of a class, then H(T). What that is exactly follows from how many samples are in each
    state, and is kept in the store: `known_entropy_t` and `known_mi_ty` (repeat, epoch, layer), in
    bits. The estimator `exact` finds it. Layers are drawn independently of each other, so that none
    is computed from the one before it.

    See Also
    --------
    ibtools.record_arrays : A store of real layers.

    Examples
    --------
    >>> import tempfile, ibtools
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = f"{folder.name}/known.zarr"
    >>> ibtools.simulate_store(path, {"half": (3.0, 0.5)}, samples=64, repeats=1, schedule=[0])
    >>> ibtools.open_store(path).known_mi_ty.values.ravel()
    array([0.5])
    >>> folder.cleanup()
    """
    inputs = _Inputs.of(samples, classes)
    n_repeats, seed = natural("repeats", repeats), natural("seed", seed)
    recorded = parse_schedule(schedule, epochs=natural("epochs", epochs))
    shape = (n_repeats, len(recorded))
    wanted = _example(inputs, shape, seed) if layers is None else _spread(layers, shape)
    for name, (entropy_t, mi_ty) in wanted.items():
        _validate_possible(name, entropy_t, mi_ty, inputs)
    spec = StoreSpec(
        layers=tuple(LayerSpec(name, UNITS, "simulated", BITS) for name in wanted),
        repeats=tuple(range(n_repeats)),
        epochs=recorded,
        trained_epochs=recorded,
        label=np.arange(samples) % classes,
        input=np.arange(samples),
        attributes={"experiment": "simulated"},
        configuration={"samples": samples, "classes": classes, "seed": seed},
        inputs="population",
        is_chain=False,
        known=True,
    )
    group = create_store(path, spec, overwrite=overwrite)
    for repeat in spec.repeats:
        writer = RepeatWriter(group, repeat)
        for epoch, snapshot in _snapshots(wanted, spec, inputs, repeat, seed):
            writer.add_kept(epoch, snapshot)
        writer.finish("trained")


def _spread(layers: Mapping[str, tuple[ArrayLike, ArrayLike]], shape: tuple[int, int]) -> _Curves:
    """Return what is asked of every layer, each (repeat, epoch)."""
    spread = {}
    for name, pair in layers.items():
        try:
            entropy_t, mi_ty = (np.asarray(one, np.float64) for one in pair)
            spread[name] = np.broadcast_to(entropy_t, shape), np.broadcast_to(mi_ty, shape)
        except (TypeError, ValueError) as err:
            raise InputError(
                f"layer {name!r} must have H(T) and I(T;Y), two numbers or arrays that broadcast "
                f"to (repeat, epoch) = {shape}, found {pair!r:.60}"
            ) from err
    return spread


def _validate_possible(name: str, entropy_t: _Numbers, mi_ty: _Numbers, inputs: _Inputs) -> None:
    is_possible = (mi_ty >= 0) & (mi_ty <= inputs.entropy_y)
    if not is_possible.all():
        raise InputError(
            f"layer {name!r}: I(T;Y) must be 0 to H(Y) = {inputs.entropy_y:.4g} bits, found "
            f"{mi_ty[~is_possible][0]}"
        )
    least, most = inputs.span(mi_ty)
    slack = inputs.entropy_y / inputs.per_class  # I(T;Y) is rounded to samples, H(T) follows
    is_possible = (entropy_t >= least - slack) & (entropy_t <= most + slack)
    if not is_possible.all():
        at = tuple(index[0] for index in np.nonzero(~is_possible))
        raise InputError(
            f"layer {name!r}: where I(T;Y) is {mi_ty[at]:.4g}, H(T) must be {least[at]:.4g} to "
            f"{most[at]:.4g} bits, found {entropy_t[at]}; that is what layers of this kind can have"
        )


def _example(inputs: _Inputs, shape: tuple[int, int], seed: int) -> _Curves:
    """Return a training that fits first and compresses then, the later the layer, the more."""
    rng = np.random.default_rng([seed, *shape])
    progress = np.linspace(0, 1, shape[1]) + rng.uniform(-0.02, 0.02, shape)
    fitted, compressed = np.clip(2 * progress, 0, 1), np.clip(1.5 * progress - 0.5, 0, 1)
    wanted = {}
    for depth, name in enumerate(_EXAMPLE):
        first, last = 0.5 - 0.1 * depth, 0.98 - 0.02 * depth
        mi_ty = inputs.entropy_y * (first + (last - first) * fitted)
        least, most = inputs.span(mi_ty)
        share = (0.95 - 0.12 * depth) * (1 - 0.25 * depth * compressed)
        wanted[name] = least + share * (most - least), mi_ty
    return wanted


def _snapshots(
    wanted: _Curves,
    spec: StoreSpec,
    inputs: _Inputs,
    repeat: int,
    seed: int,
) -> Iterator[tuple[int, dict[str, Kept]]]:
    """Draw the snapshots of a repeat, epoch after epoch."""
    for column, epoch in enumerate(spec.epochs):
        snapshot = {}
        for index, layer in enumerate(spec.layers):
            entropy_t, mi_ty = (float(one[repeat, column]) for one in wanted[layer.name])
            states = KnownStates.nearest(
                entropy_t, mi_ty, per_class=inputs.per_class, n_classes=inputs.n_classes
            )
            rng = np.random.default_rng([seed, repeat, column, index])
            kept = Kept.of(LayerValues(_codes(states.draw(rng), rng), 1.0, 0), layer, "codes")
            known = dict(zip(KNOWN, (states.entropy_t, states.mi_ty), strict=True))
            snapshot[layer.name] = Kept(kept.arrays, {**kept.rows, **known})
        yield epoch, snapshot


def _codes(states: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Give each state a row of codes of its own, (sample, unit)."""
    _, numbers = np.unique(states, return_inverse=True)
    words = rng.choice(2 ** (BITS * UNITS), numbers.max() + 1, replace=False)
    codes: NDArray[np.uint8] = (words[numbers, np.newaxis] >> BITS * np.arange(UNITS)).astype("u1")
    return codes
