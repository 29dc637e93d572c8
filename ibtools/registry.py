"""Registries: kinds of things by name, those of ibtools and those that other packages add.

A name leads to "module:attribute", which is imported only when the thing is used. Another package
adds a thing with an entry point in the group of its kind::

    [project.entry-points."ibtools.measures"]
    mine = "my_package.mine:Mine"
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from ibtools.errors import InputError, unknown_name


class Registry:
    """The things of one kind that can be named.

    Parameters
    ----------
    kind : str
        What such a thing is, for errors, such as "engine".
    group : str
        The group of entry points with which other packages add things of this kind.
    builtin : mapping of str to str
        Name and "module:attribute" of those that ibtools brings. They go before entry points of the
        same name.

    Examples
    --------
    >>> numbers = Registry("number", "ibtools.doctest", {"pi": "math:pi"})
    >>> numbers.names()
    ['pi']
    >>> numbers.load("pi")
    3.141592653589793
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._builtin = dict(builtin)

    def names(self) -> list[str]:
        """Return all names: those of ibtools in their order, then others' in alphabetic order."""
        return [*self._builtin, *sorted(self._added())]

    def find(self, name: str) -> str:
        """Return where a thing is found, "module:attribute"; nothing is imported.

        Raises
        ------
        UnknownNameError
            If there is none of that name; the message lists those that there are.
        """
        if name in self._builtin:
            return self._builtin[name]
        added = self._added()
        if name not in added:
            raise unknown_name(self.kind, name, self.names())
        return added[name].value

    def load(self, name: str) -> object:
        """Import a thing.

        Raises
        ------
        UnknownNameError
            If there is none of that name; the message lists those that there are.
        InputError
            If another package announces it, but it can't be imported.
        """
        target = self.find(name)
        if name in self._builtin:
            return load_attribute(target)
        point = self._added()[name]
        try:
            return load_attribute(target)
        except (ImportError, AttributeError) as err:
            package = point.dist.name if point.dist else "a package"
            raise InputError(
                f"the {self.kind} {name!r} is announced by {package} as {target}, but can't be "
                f"imported: {err}; mend or uninstall that package"
            ) from err

    def _added(self) -> dict[str, EntryPoint]:
        """Return what other packages add, by name."""
        points = entry_points(group=self.group)
        return {point.name: point for point in points if point.name not in self._builtin}


def load_attribute(target: str) -> object:
    """Import what "module:attribute" names."""
    module, _, attribute = target.partition(":")
    found: object = getattr(importlib.import_module(module), attribute)
    return found
