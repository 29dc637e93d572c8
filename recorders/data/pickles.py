"""Pickles of strangers, read without executing what they say.

Unpickling can call any function that the file names. Here it can't: what a pickle names becomes a
`Recorded`, what it calls a record of the call, and arrays are then read from the records of how
they would be made. So a file reaches neither numpy's constructors nor anything else.
"""

import io
import math
import pickle
import pickletools
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError

_DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
)
"""What reading a damaged pickle raises."""

_KEYS = (str, bytes, int, float, bool, type(None))
"""What may be hashed: a tuple that is made of itself again and again takes for ever."""

_PLAIN = re.compile(r"[biuf][1248]")
_NUMPY = ("numpy.core.", "numpy._core.")


@dataclass(frozen=True)
class Limits:
    """What a pickle may cost, though it calls nothing.

    Parameters
    ----------
    operations : int
        How many there may be.
    most : mapping of str to int, optional
        How many there may be of a kind, and the largest number that an object is remembered by.
    of : str, optional
        What the pickle is of, for errors.
    """

    operations: int = 2**24
    most: Mapping[str, int] = field(default_factory=dict)
    of: str = "such a file"


class Recorded:
    """Stands for whatever a pickle names, calls, or builds; does nothing but remember.

    Parameters
    ----------
    name : str
        Module and name, with a dot between.
    arguments : tuple, optional
        What it was called with.
    """

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None
        self.items: dict[Any, Any] = {}

    def __call__(self, *arguments: Any) -> "Recorded":
        """Remember a call."""
        return Recorded(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle._Unpickler):
    """Records the calls of a pickle instead of making them; hashes plain keys only."""

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    append: Callable[[Any], None]

    def __init__(self, content: bytes, accepts: Callable[[str], None] | None) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._accepts = accepts

    def find_class(self, module: str, name: str) -> Any:
        if self._accepts is not None:
            self._accepts(f"{module}.{name}")
        return Recorded(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Recorded:
        return Recorded("persistent", pid if isinstance(pid, tuple) else (pid,))

    def get_extension(self, code: int) -> None:
        raise InputError(f"it names extension {code}, and such a file has no use for it")

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _set_items(self.stack[-1], [key, value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        _set_items(self.stack[-1], items)

    def load_dict(self) -> None:
        items = self.pop_mark()
        made: dict[Any, Any] = {}
        _set_items(made, items)
        self.append(made)

    def load_hashed(self) -> None:
        raise InputError("it holds a set, and such a file has no use for it")

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.ADDITEMS[0]: load_hashed,
        pickle.FROZENSET[0]: load_hashed,
    }


def _set_items(target: Any, items: list[Any]) -> None:
    """Put keys and values, one after the other, into a dictionary, or what stands for one."""
    into = target.items if isinstance(target, Recorded) else target
    if not isinstance(into, dict):
        raise ValueError(f"it puts items into a {type(into).__name__}")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, _KEYS):
            raise ValueError(f"a key of a dictionary is a {type(key).__name__}")
        into[key] = value


def read_pickle(
    content: bytes,
    where: object,
    *,
    limits: Limits | None = None,
    accepts: Callable[[str], None] | None = None,
) -> Any:
    """Read a pickle; what it would make of names and calls are `Recorded`.

    Parameters
    ----------
    content : bytes
    where : object
        What to call it in errors.
    limits : Limits, optional
        What it may cost.
    accepts : callable, optional
        Refuses a name that the pickle has, "module.name", with an `InputError`.

    Returns
    -------
    object
        Numbers, texts (bytes of Python 2), lists, tuples, dictionaries, and `Recorded`.

    Raises
    ------
    InputError
        If it is none, is damaged, or costs more than the limits.
    """
    try:
        with warnings.catch_warnings():
            # Python warns of escapes in texts that only damaged bytes have
            warnings.simplefilter("ignore", DeprecationWarning)
            _validate_operations(content, limits or Limits())
            return _Unpickler(content, accepts).load()
    except InputError as err:
        raise InputError(f"{where}: the pickle was refused: {err}") from err
    except _DAMAGED as err:
        raise InputError(f"{where}: not a pickle, or a damaged one ({err})") from err


def get(mapping: Any, key: str) -> Any:
    """Look a key up that Python 2 wrote as bytes, and Python 3 as text; None if there is none."""
    items = mapping.items if isinstance(mapping, Recorded) else mapping
    return items.get(key.encode(), items.get(key)) if isinstance(items, dict) else None


def read_array(recorded: Any) -> NDArray[Any] | None:
    """Read an array, or a number of numpy's, from the record of how a pickle makes it.

    Returns
    -------
    ndarray or None
        Of plain numbers, read-only; None if it is anything else.
    """
    if not isinstance(recorded, Recorded):
        return None
    name = recorded.name
    for prefix in _NUMPY:
        name = name.removeprefix(prefix)
    parts: Any = None
    if name == "multiarray._reconstruct":
        parts = recorded.state[1:5] if isinstance(recorded.state, tuple) else None
    elif name == "numeric._frombuffer" and len(recorded.arguments) == 4:
        content, dtype, shape, order = recorded.arguments
        parts = shape, dtype, order == "F", content
    elif name == "multiarray.scalar" and len(recorded.arguments) == 2:
        parts = (), recorded.arguments[0], False, recorded.arguments[1]
    return None if parts is None or len(parts) != 4 else _make_array(*parts)


def _make_array(shape: Any, dtype: Any, in_fortran_order: Any, content: Any) -> NDArray[Any] | None:
    plain, raw = _read_dtype(dtype), _read_bytes(content)
    is_shape = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if plain is None or raw is None or not is_shape:
        return None
    if math.prod(shape) * plain.itemsize != len(raw):
        return None
    return np.frombuffer(raw, plain).reshape(shape, order="F" if in_fortran_order else "C")


def _read_dtype(recorded: Any) -> np.dtype[Any] | None:
    if not isinstance(recorded, Recorded) or recorded.name != "numpy.dtype":
        return None
    code, *_ = (*recorded.arguments, None)
    code = code.decode("latin1") if isinstance(code, bytes) else code
    if not isinstance(code, str) or not _PLAIN.fullmatch(code):
        return None
    state = recorded.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
    return np.dtype(code).newbyteorder(">" if order in (">", b">") else "<")


def _read_bytes(content: Any) -> bytes | None:
    """Return bytes, also those that protocol 2 of Python 3 writes as a text to be encoded."""
    if isinstance(content, Recorded) and content.name == "_codecs.encode":
        text, *_ = (*content.arguments, None)
        return text.encode("latin1") if isinstance(text, str) else None
    return bytes(content) if isinstance(content, bytes | bytearray) else None


def _validate_operations(content: bytes, limits: Limits) -> None:
    """Refuse what costs memory or time without end, though it calls nothing."""
    counts: Counter[str] = Counter()
    most = limits.most
    for operation, argument, _ in pickletools.genops(content):
        kind = next((one for one in most if one in operation.name), "")
        counts[kind] += 1
        largest = argument if kind == "PUT" and isinstance(argument, int) else 0
        if counts.total() > limits.operations:
            raise InputError(f"it has more than the {limits.operations} operations of {limits.of}")
        if kind and max(counts[kind], largest) > most[kind]:
            raise InputError(f"it has more {operation.name} than {limits.of} has use for")
