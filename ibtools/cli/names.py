"""Several names in one option."""

import re


def split_names(given: str) -> list[str]:
    """Split names at their commas; one that has a comma itself is in double quotes.

    Examples
    --------
    >>> split_names('hidden_1,"left, right",output')
    ['hidden_1', 'left, right', 'output']
    """
    return [_unquote(word) for word in re.findall(r'"(?:[^"]|"")*"(?=,|$)|[^,]+', given)]


def quote_name(name: str) -> str:
    """Write a name as `split_names` reads it.

    Examples
    --------
    >>> quote_name("hidden_1"), quote_name("left, right")
    ('hidden_1', '"left, right"')
    """
    if "," not in name and not (len(name) > 1 and name[0] == name[-1] == '"'):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _unquote(word: str) -> str:
    quoted = len(word) > 1 and word[0] == word[-1] == '"'
    return word[1:-1].replace('""', '"') if quoted else word
