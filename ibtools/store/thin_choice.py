"""What a thin store keeps of its source: layers, epochs, and the partition or all that there is."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError, unknown_name
from ibtools.schedule import MOST_EPOCHS, parse_schedule
from ibtools.shown import counted
from ibtools.store.configuration import CONFIGURATION, configuration_of
from ibtools.store.growing import is_growing
from ibtools.store.header import Header
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import KNOWN, SCALARS, UNIT_GRIDS, Keep

THINNED = "thinned_from"
"""The attribute of a thin store that says in a sentence what it was thinned from, and how."""

_LEFT_OUT = "layers_left_out"
"""The attribute that names the layers of the network that are not in a store, and says why."""

_WHY = "left out when the store was thinned"

_SHAPES = "unit_shapes"


@dataclass(frozen=True, eq=False)
class ThinChoice:
    """What is kept of a store.

    Parameters
    ----------
    source : Header
        Of the store.
    keep : {"codes", "partition"}
        What of a snapshot.
    layers, epochs : ndarray, (layer,) and (epoch,), int
        Positions in the store, ascending.
    """

    source: Header
    keep: Keep
    layers: NDArray[np.intp]
    epochs: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        source: Header,
        *,
        keep: str | None,
        layers: Iterable[str] | None,
        epochs: str | Iterable[int] | None,
    ) -> Self:
        """Read what was asked for, as of `ibtools.thin_store`."""
        _validate_asked(source, keep, layers, epochs)
        names = [layer.name for layer in source.layers]
        recorded = source.coordinates["epoch"]
        return cls(
            source,
            "partition" if keep == "partition" else source.keep,
            np.arange(len(names)) if layers is None else _choose_layers(layers, names),
            np.arange(len(recorded)) if epochs is None else choose_epochs(epochs, recorded),
        )

    @property
    def has_all_layers(self) -> bool:
        """Whether no layer is left out."""
        return len(self.layers) == len(self.source.layers)

    def spec(self) -> StoreSpec:
        """Return what the thin store holds."""
        source = self.source
        known = source.coordinates
        return StoreSpec(
            layers=tuple(source.layers[index] for index in self.layers),
            repeats=tuple(known["repeat"].tolist()),
            epochs=tuple(known["epoch"][self.epochs].tolist()),
            trained_epochs=tuple(known["trained_epoch"].tolist()),
            label=known["label"],
            split=source.split,
            configuration=self._configuration(),
            attributes=self._attributes(),
            keep=self.keep,
            prefit=source.has("random_label"),
            recomputed=source.has("n_recomputed"),
            is_chain=None if self.has_all_layers else False,
            input=known.get("input"),
            growing=is_growing(source.attributes),
            scalars=tuple(source.attributes.get(SCALARS, ())),
            unit_grids=source.has(UNIT_GRIDS[0]),
            known=source.has(KNOWN[0]),
        )

    def sentence(self) -> str:
        """Say what the thin store was thinned from, and what was left out."""
        known, n_epochs = self.source.attributes, len(self.source.coordinates["epoch"])
        store = f"store {known.get('store_id', 'without an id')}"
        kept = [f"{known.get('experiment', 'unknown')}, {store}"]
        if self.keep != self.source.keep:
            kept.append("the partition in place of codes and values")
        if not self.has_all_layers:
            kept.append(f"{len(self.layers)} of {counted(len(self.source.layers), 'layer')}")
        if len(self.epochs) < n_epochs:
            kept.append(f"{len(self.epochs)} of {counted(n_epochs, 'recorded epoch')}")
        if THINNED in known:
            kept.append(f"that was thinned from {known[THINNED]}")
        return "; ".join(kept)

    def _configuration(self) -> dict[str, Any]:
        """Return that of the source, which says what is kept and which epochs are there."""
        found = configuration_of(self.source.attributes)
        if self.keep != self.source.keep:
            found["keep"] = self.keep
        if "recorded_epochs" in found:
            found["recorded_epochs"] = self.source.coordinates["epoch"][self.epochs].tolist()
        return found

    def _attributes(self) -> dict[str, Any]:
        """Return those of the source, but for what a new store says itself."""
        known = {
            name: value
            for name, value in self.source.attributes.items()
            if name not in ("format", "format_version", "store_id", "coordinates", CONFIGURATION)
        }
        if not self.has_all_layers:
            kept = {self.source.layers[index].name for index in self.layers}
            left = {one.name: _WHY for one in self.source.layers if one.name not in kept}
            before = json.loads(str(known.get(_LEFT_OUT, "{}")))
            known[_LEFT_OUT] = json.dumps({**before, **left})
            if _SHAPES in known:
                shapes = known[_SHAPES].items()
                known[_SHAPES] = {name: shape for name, shape in shapes if name in kept}
        return {**known, THINNED: self.sentence()}


def _validate_asked(
    source: Header, keep: str | None, layers: object | None, epochs: object | None
) -> None:
    if keep not in (None, "partition"):
        raise unknown_name("keep", str(keep), ("partition",))
    if keep is None and layers is None and epochs is None:
        raise InputError(
            "at least one thing must be left out: give --keep partition, --layers or --epochs "
            "(keep=, layers=, epochs=); to copy a store as it is, copy its folder"
        )
    if keep == "partition" == source.keep and layers is None and epochs is None:
        raise InputError(
            "the store keeps the partition only already, so that --keep partition leaves nothing "
            "out; give --layers or --epochs (layers=, epochs=)"
        )


def _choose_layers(layers: Iterable[str], names: list[str]) -> NDArray[np.intp]:
    chosen = [layers] if isinstance(layers, str) else list(layers)
    for name in chosen:
        if name not in names:
            raise unknown_name("layer", name, names)
    if not chosen:
        raise InputError("layers must name at least one layer that is kept, found none")
    return np.flatnonzero([name in chosen for name in names])


def choose_epochs(epochs: str | Iterable[int], recorded: NDArray[np.integer]) -> NDArray[np.intp]:
    """Choose some of the recorded epochs.

    Parameters
    ----------
    epochs : str or iterable of int
        A schedule, of which the nearest recorded epochs are taken, or a list of recorded ones.
    recorded : ndarray, (epoch,), int
        Those that there are, ascending.

    Returns
    -------
    ndarray, (epoch,), int
        Their positions, ascending.

    Raises
    ------
    InputError
        If it is neither, or an epoch of a list is not recorded.

    Examples
    --------
    >>> recorded = np.array([1, 6, 11, 16, 21])
    >>> recorded[choose_epochs("every:10", recorded)].tolist()
    [1, 11, 21]
    >>> recorded[choose_epochs([6, 21], recorded)].tolist()
    [6, 21]
    """
    first, last = int(recorded[0]), int(recorded[-1])
    if isinstance(epochs, str) and ":" in epochs:
        wanted = np.array(parse_schedule(epochs, epochs=max(last, 0), prefit=max(-first, 0)))
        after = np.searchsorted(recorded, wanted).clip(max=len(recorded) - 1)
        before = (after - 1).clip(min=0)
        is_nearer = wanted - recorded[before] <= recorded[after] - wanted
        return np.unique(np.where(is_nearer, before, after))
    listed = np.array(parse_schedule(epochs, epochs=MOST_EPOCHS, prefit=MOST_EPOCHS))
    if not np.isin(listed, recorded).all():
        missing = listed[~np.isin(listed, recorded)]
        raise InputError(
            f"epochs must be recorded, found {missing[0]}, which is not among the {len(recorded)} "
            f"that are, {first} to {last}; a schedule, such as every:100 or log:60, takes the "
            "nearest recorded ones"
        )
    return np.flatnonzero(np.isin(recorded, listed))
