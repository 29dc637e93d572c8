"""Text files that a user made: which encoding they are in, and where a line ends."""

import codecs
import re

from ibtools.errors import InputError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LINE_END = re.compile("\r\n|\n|\r")


def split_lines(content: bytes, *, where: str) -> list[str]:
    r"""Decode a text file and cut it into lines.

    Parameters
    ----------
    content : bytes
        Of the whole file: UTF-8, or UTF-16 or UTF-32 with a byte order mark, which is no part of
        the text.
    where : str
        What the file is called in an error.

    Returns
    -------
    list of str
        Lines without their ends, which may be those of Unix, Windows, or old Macintoshes. Nothing
        else ends a line. Blank lines at the end of the file are left out.

    Raises
    ------
    InputError
        If it is in another encoding, or no text at all.

    Examples
    --------
    >>> split_lines("cat\r\ndog\r\n\r\n".encode("utf-8-sig"), where="pets.csv")
    ['cat', 'dog']
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        raise InputError(
            f"{where}: must be text in UTF-8, but byte {content[err.start]:#04x} in line {line} is "
            "not; save the file as UTF-8"
        ) from err
    if "\0" in text:
        raise InputError(
            f"{where}: must be text in UTF-8, but has bytes of 0; it is binary, or UTF-16 without "
            "a byte order mark: save it as UTF-8"
        )
    lines = _LINE_END.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
