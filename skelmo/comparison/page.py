"""A comparison as HTML."""

from __future__ import annotations

import base64
import io
from html import escape

from sklearn.utils._optional_dependencies import check_matplotlib_support

from skelmo.comparison.summary import shown_table, summary_of
from skelmo.comparison.tables import Tables
from skelmo.version import __version__

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em;
       padding: 0 1em; color: #222; background: #fff; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child { text-align: left; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
img { max-width: 100%; height: auto; }
"""


def page_of(tables: Tables) -> str:
    """Return a page that needs no other file.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    html : str
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Comparison of representations</title>\n<style>{_STYLE}</style>\n"
        "</head>\n<body>\n<h1>Comparison of representations</h1>\n"
        f"{table_html(tables)}\n{_figure_html(tables)}\n"
        f"<p>Made by skelmo {escape(__version__)}.</p>\n</body>\n</html>\n"
    )


def table_html(tables: Tables) -> str:
    """Return summary and table.

    Parameters
    ----------
    tables : Tables

    Returns
    -------
    html : str
    """
    lines = "".join(f"<li>{escape(line)}</li>" for line in summary_of(tables))
    shown = shown_table(tables)
    header = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th>'
        + "".join(f"<td>{escape(value)}</td>" for value in values)
        + "</tr>\n"
        for name, values in zip(shown.index, shown.to_numpy(), strict=True)
    )
    return (
        f'<ul>{lines}</ul>\n<div class="wide"><table>\n<thead><tr>'
        f'<th scope="col">representation</th>{header}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>"
    )


def _figure_html(tables: Tables) -> str:
    try:
        check_matplotlib_support("Comparison.to_html")
    except ImportError:
        return "<p>The figure needs matplotlib, which was not installed.</p>"
    from matplotlib.figure import Figure

    from skelmo.comparison.figure import draw, size_of

    figure = Figure(figsize=size_of(tables), layout="constrained")
    draw(tables, figure)
    content = io.BytesIO()
    figure.savefig(content, format="svg")
    data = base64.b64encode(content.getvalue()).decode("ascii")
    said = f"{tables.metrics[0]} of each representation, and by number of labels"
    return f'<p><img alt="{escape(said)}" src="data:image/svg+xml;base64,{data}"></p>'
