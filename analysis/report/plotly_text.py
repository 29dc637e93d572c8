"""Text for Plotly, which reads HTML, templates and mathematics in what it draws."""

import html

from ibtools.shown import visible

# of the names of characters, Plotly knows those of < > & but not that of a quotation mark
SIGNS = str.maketrans({"%": "&#37;", "$": "&#36;"})
"""What begins a value in a template, and mathematics where MathJax is loaded."""


def plotly_text(text: object) -> str:
    """Write a text such that Plotly draws it as it is: in names, titles and templates.

    Examples
    --------
    >>> plotly_text("<b> of 5 %{x}")
    '&lt;b&gt; of 5 &#37;{x}'
    """
    return html.escape(visible(text), quote=False).translate(SIGNS)
