"""Registries: kinds of things by name, those of ibtools and those that other packages add.

A name leads to "module:attribute", which is imported only when the thing is used. Another package
adds a thing with an entry point in the group of its kind::

    [project.entry-points."ibtools.measures"]
    mine = "my_package.mine:Mine"
"""

import importlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from ibtools.errors import InputError, unknown_name

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
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
    of : type, optional
        What every such thing is an instance of; not looked at by default.

    Examples
    --------
    >>> numbers = Registry("number", "ibtools.doctest", {"pi": "math:pi"})
    >>> numbers.names()
    ['pi']
    >>> numbers.load("pi")
    3.141592653589793
    """

    def __init__(
        self, kind: str, group: str, builtin: Mapping[str, str], of: type[Thing] | None = None
    ) -> None:
        self.kind = kind
        self.of = of
        self.group = group
        self.builtin = dict(builtin)

    def names(self) -> list[str]:
        """Return all names: those of ibtools in their order, then others' in alphabetic order."""
        return [*self.builtin, *sorted(self._added())]

    def find(self, name: str) -> str:
        """Return where a thing is found, "module:attribute"; nothing is imported.

        Raises
        ------
        UnknownNameError
            If there is none of that name; the message lists those that there are.
        """
        if name in self.builtin:
            return self.builtin[name]
        added = self._added()
        if name not in added:
            raise unknown_name(self.kind, name, self.names())
        return added[name].value

    def package_of(self, name: str) -> str:
        """Return the package that adds a thing; empty if ibtools does, or nobody."""
        point = None if name in self.builtin else self._added().get(name)
        return point.dist.name if point and point.dist else ""

    def load(self, name: str) -> Thing:
        """Import a thing.

        Raises
        ------
        UnknownNameError
            If there is none of that name; the message lists those that there are.
        InputError
            If another package announces it, but it can't be imported or is something else.
        """
        found = self._import(name)
        if self.of is not None and not isinstance(found, self.of):
            article = "an" if self.of.__name__[0] in "AEIO" else "a"
            raise InputError(
                f"{self.kind} {name!r} must be {article} {self.of.__name__}, found "
                f"{type(found).__name__}; correct the entry point of the package that adds it: "
                f"{self.find(name)}"
            )
        return cast(Thing, found)

    def load_all(self) -> dict[str, Thing]:
        """Import all things by name, but for those of other packages that are broken.

        What is wrong with these is said when they are asked for.
        """
        found = {}
        for name in self.names():
            with suppress(InputError):
                found[name] = self.load(name)
        return found

    def _import(self, name: str) -> object:
        target = self.find(name)
        if name in self.builtin:
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
        return {point.name: point for point in points if point.name not in self.builtin}


def load_attribute(target: str) -> Any:
    """Import what "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
