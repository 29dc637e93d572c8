"""What is installed with an extra only: is it there, and the command that installs it."""

import importlib.util
import json
import shlex
from collections.abc import Sequence
from importlib import metadata
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ibtools.errors import InputError

DISTRIBUTION = "ibtools-nn"


def require(what: str, libraries: Sequence[str], extra: str) -> None:
    """Check that optional libraries are installed.

    Parameters
    ----------
    what : str
        What needs them: the beginning of a sentence.
    libraries : sequence of str
        Names of modules.
    extra : str
        The extra that they belong to.

    Raises
    ------
    InputError
        If one is not: which, and what installs it.
    """
    if missing := [name for name in libraries if importlib.util.find_spec(name) is None]:
        raise InputError(lacking(what, missing, extra))


def lacking(what: str, missing: Sequence[object], extra: str) -> str:
    """Say that something needs libraries that are not installed, and how to install them.

    Examples
    --------
    >>> print(lacking("a report", ["plotly", "jinja2"], "report").partition(":")[0])
    a report needs plotly and jinja2, which are not installed; install them with
    """
    are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
    named = " and ".join(str(name) for name in missing)
    return (
        f"{what} needs {named}, which {are} not installed; install {them} with: "
        f"{install_command(extra)}"
    )


def install_command(extra: str) -> str:
    """Return the command that adds an extra to ibtools, from where ibtools itself came.

    Notes
    -----
    What did not come from an index says where it came from in ``direct_url.json`` (PEP 610).
    """
    origin = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    return " ".join(["pip install", *map(shlex.quote, _requirement(extra, origin))])


def _requirement(extra: str, origin: str | None) -> list[str]:
    """Return what pip is asked for.

    Examples
    --------
    >>> _requirement("report", None)
    ['ibtools-nn[report]']
    >>> _requirement("report", '{"url": "file:///home/i", "dir_info": {"editable": true}}')
    ['--editable', '/home/i[report]']
    >>> source = '{"url": "https://x/i", "vcs_info": {"vcs": "git", "commit_id": "1"}}'
    >>> _requirement("report", source)
    ['ibtools-nn[report] @ git+https://x/i@1']
    """
    if not origin:
        return [f"{DISTRIBUTION}[{extra}]"]
    known = json.loads(origin)
    url = known["url"]
    if known.get("dir_info", {}).get("editable"):
        return ["--editable", f"{url2pathname(urlsplit(url).path)}[{extra}]"]
    if source := known.get("vcs_info"):
        url = f"{source['vcs']}+{url}@{source['commit_id']}"
    return [f"{DISTRIBUTION}[{extra}] @ {url}"]
