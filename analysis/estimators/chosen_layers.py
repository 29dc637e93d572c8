"""Results of some of the layers of a store: an estimator, and which layers it is asked of.

Such results are a group of their own, called as the estimator and the layers:
``exact-layers-hidden_1-output``, or ``exact-without-wide`` where naming the others is shorter. They
are those that an analysis of all layers has of these, bounds that are global among them: a range of
all layers, epochs and repeats is known without reading the layers.
"""

import re
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ibtools.analysis.estimators.derived import DerivedEstimator
from ibtools.errors import InputError, unknown_name

LONGEST_LIST = 80
"""Characters of the names of layers, up to which they are named rather than those left out."""

LONGEST_NAME = 200
"""Characters of the name of results, which file systems must hold."""

_PLAIN = frozenset(string.ascii_letters + string.digits + "_")
NETWORK_LAYERS = "network_layers"
"""The attribute of results of some layers that names all layers of their network."""

_SPECIFICATION = re.compile("(.+?)-(layers|without)-(.+)", re.DOTALL)
_ESCAPED = re.compile(rb"\.(\.|[0-9a-f]{2})")


@dataclass(frozen=True)
class OfLayers(DerivedEstimator):
    """An estimator of some of the layers of a store.

    Parameters
    ----------
    base : Estimator
        What is computed of each.
    layers : tuple of str
        Their names.
    left_out : bool, optional
        Whether it is all others that are analysed.

    Examples
    --------
    >>> from ibtools.analysis.estimators.exact import Exact
    >>> OfLayers(Exact(), ("hidden_1", "block.0/relu")).specification
    'exact-layers-hidden_1-block..0.2frelu'
    """

    layers: tuple[str, ...]
    left_out: bool = False

    @property
    def specification(self) -> str:
        """The specification of what is computed, and the layers."""
        words = "-".join(_escape(name) for name in self.layers)
        return f"{self.base.specification}-{'without' if self.left_out else 'layers'}-{words}"

    def positions(self, known: Sequence[str]) -> tuple[int, ...]:
        """Return which of the layers of a store they are, ascending.

        Raises
        ------
        UnknownNameError
            If the store has no layer of a name.
        """
        for name in self.layers:
            if name not in known:
                raise unknown_name("layer", name, known)
        return tuple(i for i, name in enumerate(known) if (name in self.layers) != self.left_out)


def divide_layers(specification: str) -> tuple[str, str]:
    """Return what is computed of each layer, and what names the layers, if anything does.

    Examples
    --------
    >>> divide_layers("exact-layers-output"), divide_layers("exact")
    (('exact', '-layers-output'), ('exact', ''))
    """
    found = _SPECIFICATION.fullmatch(specification)
    base = found[1] if found else specification
    return base, specification[len(base) :]


def parse_layers(specification: str, parse: Callable[[str], Any]) -> OfLayers | None:
    """Build what `OfLayers` calls so; None if a specification names no layers.

    Parameters
    ----------
    specification : str
        Of results.
    parse : callable
        Builds an estimator from what stands before the layers.

    Raises
    ------
    InputError
        If the layers are not written as `OfLayers` writes them.
    """
    found = _SPECIFICATION.fullmatch(specification)
    if found is None:
        return None
    base, kind, words = found.groups()
    layers = tuple(_unescape(word, specification) for word in words.split("-"))
    return OfLayers(parse(base), layers, kind == "without")


def choose_layers(estimator: Any, layers: Iterable[str] | None, known: Iterable[Any]) -> Any:
    """Return an estimator of some of the layers of a store, under the one name that they have.

    Parameters
    ----------
    estimator : Estimator
        Of all layers, or of those that its specification names.
    layers : iterable of str, or str, or None
        Which; None for what the estimator says.
    known : iterable of str
        The layers of the store.

    Returns
    -------
    Estimator
        An `OfLayers`; of all layers, what it is of.

    Raises
    ------
    UnknownNameError
        If the store has no layer of a name.
    InputError
        If no layer is left, if they are chosen twice, or if their names are too many for a file.
    """
    names = [str(name) for name in known]
    if isinstance(estimator, OfLayers):
        if layers is not None:
            raise InputError(
                f"layers must be chosen once, found {estimator.specification} and layers besides; "
                "leave out one of them"
            )
        base, positions = estimator.base, estimator.positions(names)
    elif layers is None:
        return estimator
    else:
        wanted = (layers,) if isinstance(layers, str) else tuple(layers)
        base, positions = estimator, OfLayers(estimator, wanted).positions(names)
    if not positions:
        raise InputError(
            f"at least one layer must be chosen, found none; known: {', '.join(names)}"
        )
    return _named_shortest(base, positions, names)


def _named_shortest(base: Any, positions: Sequence[int], names: Sequence[str]) -> Any:
    """Name the layers, or those left out if these are fewer and the list would be long."""
    others = tuple(name for index, name in enumerate(names) if index not in set(positions))
    if not others:
        return base
    found = OfLayers(base, tuple(names[index] for index in positions))
    rest = OfLayers(base, others, left_out=True)
    n_characters = len(found.specification) - len(base.specification)
    if n_characters > LONGEST_LIST and len(rest.specification) < len(found.specification):
        found = rest
    if len(found.specification) > LONGEST_NAME:
        raise InputError(
            f"results of {len(positions)} of {len(names)} layers would be called by their names, "
            f"which take {len(found.specification)} characters, more than {LONGEST_NAME}; choose "
            "fewer layers and analyse several times, or all"
        )
    return found


def chosen_positions(estimator: Any, known: Sequence[str]) -> tuple[int, ...]:
    """Return which layers of a store an estimator is of, ascending."""
    if isinstance(estimator, OfLayers):
        return estimator.positions(known)
    return tuple(range(len(known)))


def by_layers(estimators: Iterable[Any], known: Sequence[str]) -> dict[tuple[int, ...], list[int]]:
    """Return which of some estimators, by position, are of the same layers of a store."""
    found: dict[tuple[int, ...], list[int]] = {}
    for index, one in enumerate(estimators):
        found.setdefault(chosen_positions(one, known), []).append(index)
    return found


def of_any_layer(estimator: Any) -> Any:
    """Return what is computed of each layer, whichever they are."""
    return estimator.base if isinstance(estimator, OfLayers) else estimator


def _escape(name: str) -> str:
    """Write a name with letters, digits, underscores and dots.

    Examples
    --------
    >>> _escape("hidden_1"), _escape("a.b c")
    ('hidden_1', 'a..b.20c')
    """
    written = {ord("."): ".."}
    return "".join(
        chr(byte) if chr(byte) in _PLAIN else written.get(byte, f".{byte:02x}")
        for byte in name.encode(errors="surrogatepass")
    )


def _unescape(word: str, specification: str) -> str:
    def plain(found: re.Match[bytes]) -> bytes:
        return b"." if found[1] == b"." else bytes.fromhex(found[1].decode())

    name = _ESCAPED.sub(plain, word.encode(errors="surrogatepass")).decode(errors="replace")
    if not word or _escape(name) != word:
        raise InputError(
            f"layers must be written as in exact-layers-hidden_1-output, found {specification!r}; "
            "choose them with --layers (layers=...)"
        )
    return name
