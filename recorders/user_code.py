"""Code of the user's own: found by its name, and run so that its errors say where they are."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from ibtools.errors import IbtoolsError, InputError

_LONGEST = 300

_MODEL_FILES = (".h5", ".hdf5", ".keras", ".onnx", ".pb", ".pt", ".pth", ".tf", ".tflite")


def import_function(name: str) -> Callable[[], Any]:
    """Import "package.module:function", from the current folder too, after all others."""
    module_name, _, function_name = name.partition(":")
    _validate_name(name, module_name, function_name)
    function = getattr(_import_module(module_name, name), function_name, None)
    if not callable(function):
        raise InputError(
            f"{name}: module {module_name} must define a function {function_name}, which returns "
            f"a tf_keras model, but {'has none' if function is None else f'it is {function!r}'}"
        )
    return function  # type: ignore[no-any-return]


def validate_no_file(name: str) -> None:
    """Check that a network is not named by the file of a model, or of a program."""
    path = Path(name)
    if path.suffix == ".py":
        _validate_name(name, name, "")
    if path.suffix in _MODEL_FILES or (path / "saved_model.pb").exists():
        raise InputError(
            f"a network is built anew for every training by a function, but {name!r} is a file of "
            "one; write a function that returns "
            f"tf_keras.models.load_model({path.name!r}, compile=False), name it as module:function,"
            " and record one repeat, which starts as trained as the file is"
        )


@contextmanager
def running(name: str, what: str, *, with_ours: bool = False) -> Iterator[None]:
    """Say of an error in the user's code what was being done, and where in a file it is."""
    try:
        yield
    except IbtoolsError:
        raise
    except Exception as err:  # what the user's code may raise, nobody knows
        if with_ours and _is_raised_here(err):
            raise
        found = f"{type(err).__name__}: {_first_lines(err)}"
        raise InputError(f"{name}: {what}: {found}{_place(err, name)}") from err


def _is_raised_here(err: Exception) -> bool:
    """Whether the innermost code that an error comes from is of ibtools."""
    *_, (frame, _) = traceback.walk_tb(err.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("ibtools.")


def _validate_name(name: str, module_name: str, function_name: str) -> None:
    parts = (*module_name.split("."), function_name)
    if not all(part.isidentifier() for part in parts) or parts[-2] == "py":
        raise InputError(
            "a network is named as in the table, as dense:784-64-32-10, or as "
            f"package.module:function, but is {name!r}{_describe_file(module_name, function_name)}"
        )


def _describe_file(module_name: str, function_name: str) -> str:
    """Say how the function in a file is named."""
    folder, file = os.path.split(module_name)
    module, extension = os.path.splitext(file)
    if extension != ".py":
        return ""
    where = f", in the folder {folder}" if folder else ""
    return f"; name the module, not its file: {module}:{function_name or 'function'}{where}"


def _import_module(module_name: str, name: str) -> Any:
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    with running(name, f"{module_name} can't be imported"):
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as err:
            raise InputError(
                f"{name}: {module_name} can't be imported, because there is no module {err.name}; "
                "install it, or run in the folder that it is in"
            ) from err


def _first_lines(err: Exception) -> str:
    """Return what an error says, on one line and not too long."""
    return shorten(str(err), _LONGEST, placeholder=" ...") or "without a message"


def _place(err: Exception, name: str) -> str:
    """Say which line of the user's own file an error comes from, if it shows in the traceback."""
    module = sys.modules.get(name.partition(":")[0])
    file = getattr(module, "__file__", None)
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(err.__traceback__)
        if file is not None and frame.filename == file
    ]
    return f" ({Path(file).name}, line {lines[-1]})" if file is not None and lines else ""
