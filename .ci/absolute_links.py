"""Make relative links of a page absolute, as a package index needs them.

    python .ci/absolute_links.py README.md https://github.com/OWNER/NAME v1.0.0

The page is written anew. An image is linked to as a file, everything else as a page.
"""

import re
import sys
from pathlib import Path

LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?:|mailto:|#)([^)\s]+)\)")


def absolute_links(text: str, url: str, tag: str) -> str:
    """Return a text with links into a repository, as it is at a tag."""

    def absolute(link: re.Match[str]) -> str:
        mark, words, target = link.groups()
        return f"{mark}{words}({url}/{'raw' if mark else 'blob'}/{tag}/{target})"

    return LINK.sub(absolute, text)


if __name__ == "__main__":
    page, url, tag = sys.argv[1:]
    text = Path(page).read_text(encoding="utf-8")
    Path(page).write_text(absolute_links(text, url, tag), encoding="utf-8")
