"""Names as they are shown."""

import shlex
import subprocess
import sys

import numpy as np
import pytest

import ibtools
from ibtools.cli.names import split_names
from ibtools.cli.printing import tell_line
from ibtools.errors import InputError, StoreError, unknown_name
from ibtools.progress import progress_bar, write_line
from ibtools.shown import (
    display_width,
    padded,
    python_string,
    shell_command,
    short_names,
    shortened,
    visible,
)
from ibtools.table import format_table


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hidden_1", "hidden_1"),
        ("größe 层 🙂 שלום", "größe 层 🙂 שלום"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\u202e\u200b\u2066\ufeff\u2028\xa0", r"\u202e\u200b\u2066\ufeff\u2028\xa0"),
        ("\udcff", r"\udcff"),
        (7, "7"),
    ],
)
def test_visible(name, expected):
    assert visible(name) == expected


@pytest.mark.parametrize(
    ("name", "longest", "expected"),
    [
        (" 1 ", 40, r"\x201\x20"),
        ("  ", 40, r"\x20\x20"),
        ("x" * 40, 40, "x" * 40),
        ("x" * 20 + "y" * 21, 40, "x" * 20 + "…" + "y" * 19),
        ("层" * 6, 7, "层…层"),
        ("abcdefg" + "e\u0301" * 3, 5, "ab…e\u0301e\u0301"),
    ],
)
def test_shortened(name, longest, expected):
    assert shortened(name, longest) == expected
    assert display_width(expected) <= longest


def test_short_names__stay_different():
    names = [f"{'x' * 100}{number}{'y' * 100}" for number in range(80)]
    short = short_names([*names, "output"])
    assert len(set(short)) == 81
    assert max(map(len, short)) == 40
    assert short[-2:] == ["x" * 18 + "…" + "y" * 17 + " #80", "output"]


def test_padded__by_columns():
    assert [padded(one, 4) for one in ("ab", "层", "e\u0301", "long name")] == [
        "ab  ",
        "层  ",
        "e\u0301   ",
        "long name",
    ]


@pytest.mark.parametrize(
    "path", ["syn.zarr", "my store.zarr", "it's $HOME; `ls` *.zarr", "back\\slash", "-x", ""]
)
def test_shell_command__words_stay_words(path):
    assert shlex.split(shell_command("analyze", path)) == ["ibtools", "analyze", path]


def test_shell_command__what_cannot_be_seen_is_seen_by_bash():
    path = "a'\\ \x1b\n\u202eé"
    command = shell_command(path)
    assert command.isprintable()
    done = subprocess.run(
        ["bash", "-c", f"printf '%s' {command.removeprefix('ibtools ')}"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == path


def test_python_string__is_the_string():
    for text in ("syn.zarr", 'a "b" \\ \x1b\n\u202e\x7fé', "\udcff"):
        assert python_string(text).isprintable()
        assert eval(python_string(text)) == text


def test_errors__are_one_visible_line():
    assert str(InputError("a\nb \x1b[31m")) == r"a\nb \x1b[31m"
    assert str(unknown_name("layer", "\x07", ["x\n"])) == r"unknown layer '\x07'. Known: x\n"


def test_unknown_name__lists_no_more_than_can_be_read():
    error = str(unknown_name("layer", "outptu", [f"{'x' * 300}{n}" for n in range(80)]))
    assert error.endswith("#30 and 50 more") or error.endswith("and 50 more")
    assert len(error) < 1500


@pytest.mark.parametrize("name", ["", " ", "\t\n", "a\0", "\0b"])
def test_record_arrays__refuses_names_that_cannot_be_told(name, tmp_path):
    values = np.zeros((1, 1, 4, 2), "float32")
    with pytest.raises(StoreError, match=r"must have a character that can be seen and no null"):
        ibtools.record_arrays(tmp_path / "x.zarr", {name: values}, label=[0, 1, 0, 1])
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hidden_1,output", ["hidden_1", "output"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""x"", y"', ['say "x", y']),
        ('d"q,e', ['d"q', "e"]),
        ("new\nline", ["new\nline"]),
    ],
)
def test_split_names(given, expected):
    assert split_names(given) == expected


def test_tell_line__in_an_encoding_that_lacks_a_character():
    program = "from ibtools.cli.printing import tell_line; tell_line('层 \\x1b é')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "latin-1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.splitlines() == [rb"\u5c42 \x1b \xe9".replace(rb"\xe9", b"\xe9")]


def test_progress__shows_names_and_obeys_none(capfd):
    write_line("a\x1b[2Jb")
    with progress_bar(1, "x" * 300 + "\x1b", unit="step") as bar:
        bar.update()
    assert capfd.readouterr().err == "a\\x1b[2Jb\n"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (80, ["layer  units", "层     3", "a\\nb   10"]),
        (11, ["层", "  units 3", "a\\nb", "  units 10"]),
    ],
)
def test_format_table__in_columns_or_stacked(columns, expected, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert format_table(("layer", "units"), [("层", "3"), ("a\nb", "10")]) == expected


def test_tell_line__is_one_line(capsys):
    tell_line("a\nb")
    assert capsys.readouterr().out == "a\\nb\n"
