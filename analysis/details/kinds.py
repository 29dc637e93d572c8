"""Details by name: a kind, and its options after hyphens."""

from collections.abc import Sequence

from ibtools.analysis.details.about import About
from ibtools.analysis.details.protocol import Detail, PlainDetail
from ibtools.analysis.measures.registry import DETAILS
from ibtools.errors import IbtoolsError, InputError

DetailLike = str | Detail
"""A detail, or its name."""


def detail_class(name: str) -> type[PlainDetail]:
    """Return the class of the detail of a name.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    InputError
        If it is another package's, and can't be imported or is no class.
    """
    kind = name.partition("-")[0]
    return About if kind == About.kind else DETAILS.load(kind)


def known_detail_class(name: str) -> type[PlainDetail] | None:
    """Return the class of the detail that results are of, or None if there is none here."""
    try:
        return detail_class(name)
    except IbtoolsError:
        return None


def parse_detail(name: str) -> Detail:
    """Build a detail from its name; options that are left out at the end have their defaults.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    InputError
        If an option is none or out of range, or a name is not enough.

    Examples
    --------
    >>> parse_detail("permutations-20").name
    'permutations-20-0'
    """
    return detail_class(name).from_options(name.partition("-")[2])


def full_name(what: DetailLike) -> str:
    """Return the name of a detail with all options; as it is given where that is all there is.

    Examples
    --------
    >>> full_name("permutations"), full_name("by-popcount")
    ('permutations-1000-0', 'by-popcount')
    """
    if not isinstance(what, str):
        return what.name
    try:
        return parse_detail(what).name
    except IbtoolsError:
        return what


def get_details(what: DetailLike | Sequence[DetailLike]) -> tuple[Detail, ...]:
    """Return the details that are asked for, each name once, in the order given.

    Raises
    ------
    UnknownNameError
        If a name is not in `DETAILS`.
    InputError
        If there is none.
    """
    asked = what if isinstance(what, Sequence) and not isinstance(what, str) else [what]
    chosen = [parse_detail(one) if isinstance(one, str) else one for one in asked]
    if not chosen:
        raise InputError(
            f"at least one detail is needed, found none; known: {', '.join(DETAILS.names())}, "
            "About(...)"
        )
    return tuple({one.name: one for one in chosen}.values())


def validate_named(kinds: Sequence[Detail]) -> None:
    """Check that details can be opened by their names, once they are written.

    Raises
    ------
    InputError
        If one is in no registry.
    """
    for kind in kinds:
        if known_detail_class(kind.name) is None:
            raise InputError(
                f"a detail that is written must be in a registry, so that its variables are known "
                f"when it is opened, but {kind.kind!r} is in none; add it with an entry point in "
                f"{DETAILS.group!r}, or compute it in memory: ibtools.details"
            )
