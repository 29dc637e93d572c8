"""What ibtools raises.

::

    IbtoolsError
      StoreError (also ValueError): a store, or what was about to be written to it, breaks the
        contract
        StoreExistsError: the path is taken
        StoreVersionError: the store's format is newer than this ibtools
        UnknownResultsError: results that a package computed which is not installed
        GridError: a recorded value is not on the quantiser's grid
        ClaimLostError: another recording writes what this one was writing
      InputError (also ValueError): a setting is out of its range
      UnknownNameError (also ValueError): a name that no table knows
      RecordingError: a training could not be recorded
      ClusterError: a cluster was lost, or has no workers any more

The command line prints an `IbtoolsError` or an error of storage
(`ibtools.store.storage.storage_errors`) as one line and exits with code 1;
anything else keeps its traceback, because it is a bug.
"""

import difflib
from collections.abc import Iterable

from ibtools.shown import short_names, visible

MOST_NAMES = 30
"""Known names that an error lists."""


class IbtoolsError(Exception):
    """What ibtools foresaw: the message says what must hold, what was found, what to do.

    As text it is one visible line, whatever names and paths are in it.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


class StoreError(IbtoolsError, ValueError):
    """A store, or what was about to be written to it, breaks the store contract."""


class StoreExistsError(StoreError):
    """Something is already at the path, and overwriting was not asked for."""


class StoreVersionError(StoreError):
    """The store was written in a newer format than this ibtools reads."""


class UnknownResultsError(StoreError):
    """Results hold what only a package declares that is not installed here."""


class ClaimLostError(StoreError):
    """Another recording has taken over what this one was writing."""


class InputError(IbtoolsError, ValueError):
    """A setting is out of its range, or contradicts another."""


class GridError(StoreError):
    """A value of a quantised layer does not lie on the grid that is stored beside it."""


class UnknownNameError(IbtoolsError, ValueError):
    """A name that is in none of the tables it is looked up in."""


class RecordingError(IbtoolsError):
    """A training could not be recorded."""


class ClusterError(IbtoolsError):
    """A cluster was lost, or its workers were, again and again."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not in a table.

    Parameters
    ----------
    kind : str
        What the name is for, such as "experiment".
    name : str
        The name that was asked for.
    known : iterable of str
        The names in the table.

    Returns
    -------
    UnknownNameError
        Ready to be raised; the message lists the known names and suggests the closest.

    Examples
    --------
    >>> print(unknown_name("layer", "ouput", ["hidden_1", "output"]))
    unknown layer 'ouput'; did you mean 'output'? Known: hidden_1, output
    """
    names = list(known)
    lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    hint = f"; did you mean {lower[close[0]]!r}?" if close else "."
    listed = short_names(names)[:MOST_NAMES]
    further = f" and {len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES)
    return UnknownNameError(f"unknown {kind} {name!r}{hint} Known: {', '.join(listed)}{further}")
