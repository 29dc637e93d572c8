import pytest

from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.capture.names import choose_names

KNOWN = ["encoder", "encoder.0", "encoder.0.act", "encoder.1.block.act", "encoder.1.act", "head"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["head"], [], ["head"]),
        (["encoder.*.act"], [], ["encoder.0.act", "encoder.1.act"]),
        (["encoder.**.act"], [], ["encoder.0.act", "encoder.1.block.act", "encoder.1.act"]),
        (["head", "encoder.?"], [], ["encoder.0", "head"]),
        (["**"], ["encoder", "**.act"], ["encoder.0", "head"]),
        (["*"], [], ["encoder", "head"]),
    ],
)
def test_choose_names__by_pattern(include: list[str], exclude: list[str], expected: list[str]):
    assert choose_names(KNOWN, include, exclude) == expected


def test_choose_names__refuses_what_matches_nothing():
    with pytest.raises(UnknownNameError, match=r"'hed'; did you mean 'head'\? Known: encoder, "):
        choose_names(KNOWN, ["head", "hed"])
    with pytest.raises(UnknownNameError, match=r"unknown layer 'tail\.\*'"):
        choose_names(KNOWN, ["head"], ["tail.*"])
    with pytest.raises(InputError, match="at least one that is not excluded"):
        choose_names(KNOWN, ["head"], ["head"])
