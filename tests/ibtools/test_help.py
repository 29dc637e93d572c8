"""What `help()` of the public names opens with: a signature that can be read."""

import inspect
import pydoc

import pytest

import ibtools

COLUMNS, MOST_LINES = 80, 20


def public_functions() -> dict[str, object]:
    """Return functions, and the methods of classes, by their names."""
    found: dict[str, object] = {}
    for name in ibtools.__all__:
        try:
            thing = getattr(ibtools, name)
        except ImportError:  # a framework that is not installed
            continue
        found[name] = thing
        if inspect.isclass(thing):
            own = {key: one for key, one in vars(thing).items() if inspect.isfunction(one)}
            found |= {f"{name}.{key}": one for key, one in own.items() if not key.startswith("_")}
    return found


@pytest.mark.parametrize(("name", "thing"), public_functions().items())
def test_help__opens_with_a_signature_that_can_be_read(name: str, thing: object):
    text = pydoc.plain(pydoc.render_doc(thing))
    assert "Union[" not in text
    assert "numpy._typing" not in text
    try:
        signature = str(inspect.signature(thing))
    except ValueError:  # of an exception
        return
    assert len(signature) < COLUMNS * MOST_LINES, signature
    assert "collections.abc" not in signature
