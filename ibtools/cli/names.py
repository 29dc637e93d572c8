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


def _unquote(word: str) -> str:
    quoted = len(word) > 1 and word[0] == word[-1] == '"'
    return word[1:-1].replace('""', '"') if quoted else word
