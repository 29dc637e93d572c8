"""Layers chosen by dotted names and patterns."""

import re
from collections.abc import Iterable, Mapping, Sequence

from ibtools.errors import InputError, unknown_name


def choose_names(
    known: Sequence[str], include: Iterable[str], exclude: Iterable[str] = ()
) -> list[str]:
    """Choose names by patterns.

    Parameters
    ----------
    known : sequence of str
        The names that there are, such as "encoder.0.act".
    include, exclude : iterable of str
        Names or patterns: `*` stands for any characters but dots, `**` for any, `?` for one.

    Returns
    -------
    list of str
        What is included and not excluded, in the order of `known`.

    Raises
    ------
    UnknownNameError
        If a pattern matches none of the names.
    InputError
        If nothing is left.

    Examples
    --------
    >>> known = ["encoder.0", "encoder.0.act", "encoder.1.act", "head"]
    >>> choose_names(known, ["encoder.*.act", "head"], exclude=["encoder.1.*"])
    ['encoder.0.act', 'head']
    """
    included, excluded = (_matching(known, list(one)) for one in (include, exclude))
    chosen = [name for name in known if name in included and name not in excluded]
    if not chosen:
        raise InputError(
            f"layers must name at least one that is not excluded, found {list(include)} without "
            f"{list(exclude)}"
        )
    return chosen


def names_in_store(
    known: list[str], layers: str | Iterable[str] | Mapping[str, str], exclude: list[str]
) -> dict[str, str]:
    """Return the names in the store by those of the chosen layers."""
    if not isinstance(layers, Mapping):
        return {name: name for name in choose_names(known, listed(layers), exclude)}
    chosen = {one: choose_names(known, [pattern], ()) for one, pattern in layers.items()}
    for one, found in chosen.items():
        if len(found) > 1:
            raise InputError(
                f"layer {one!r} must be one module, found {', '.join(found)} by {layers[one]!r}"
            )
    excluded = set(choose_names(known, exclude)) if exclude else set()
    return {name: one for one, (name,) in chosen.items() if name not in excluded}


def chosen_as_values(names: Mapping[str, str], values: bool | str | Iterable[str]) -> set[str]:
    """Return the layers that are recorded as values; named as in the model, or in the store."""
    if isinstance(values, bool):
        return set(names) if values else set()
    asked = set(choose_names(list({**names, **dict.fromkeys(names.values(), "")}), listed(values)))
    return {name for name, known_as in names.items() if {name, known_as} & asked}


def listed(names: str | Iterable[str]) -> list[str]:
    """Return one name or several as a list."""
    return [names] if isinstance(names, str) else list(names)


def _matching(known: Sequence[str], patterns: Sequence[str]) -> set[str]:
    found = set()
    for pattern in patterns:
        expression = re.compile(_as_expression(pattern))
        matching = {name for name in known if expression.fullmatch(name)}
        if not matching:
            raise unknown_name("layer", pattern, known)
        found |= matching
    return found


def _as_expression(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    wild = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    return "".join(wild.get(part, re.escape(part)) for part in parts)
