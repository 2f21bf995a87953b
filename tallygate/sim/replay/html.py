"""The pieces that a page is made of. What is given to them is text, and they escape it; what they give is HTML."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

Rows = Iterable[Sequence[str]]


def document(title: str, body: Iterable[str], charts: Sequence[dict[str, Any]]) -> str:
    """A whole page. Its policy lets it run the scripts that it brings and nothing else, and ask nobody for
    anything."""
    plotly = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    own = _own("page.js")
    allowed = f"script-src {_hash(plotly)} {_hash(own)}; style-src 'unsafe-inline'; img-src data: blob:"
    data = json.dumps(charts).replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; {allowed}">
<title>{escape(title)}</title>
<style>{_own("page.css")}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{chr(10).join(body)}
</main>
<script type="application/json" id="charts">{data}</script>
<script>{plotly}</script>
<script>{own}</script>
</body>
</html>
"""


def _own(name: str) -> str:
    return (files("tallygate.sim.replay") / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def tiles(tiles: Iterable[tuple[str, str, str]]) -> str:
    made = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for name, value, more in tiles
    )
    return f'<dl class="tiles">{made}</dl>'


def table(caption: str, head: Sequence[str], rows: Rows) -> str:
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for first, *cells in rows
    )
    made = f'<table aria-label="{escape(caption)}"><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>'
    region = f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">{made}</div>'
    return f'<p class="caption">{escape(caption)}</p>{region}'


def figure(id: str, title: str, caption: str, table: str, *, folded: bool = False) -> str:
    """A chart and its table: the chart is for eyes, the table says the same."""
    if folded:
        table = f"<details><summary>The same as a table</summary>{table}</details>"
    label = f"{escape(title)}: the table below has its figures"
    return (
        f'<section class="panel"><h3>{escape(title)}</h3><figure><figcaption>{escape(caption)}</figcaption>'
        f'<div class="chart" id="{escape(id)}" role="img" aria-label="{label}"></div></figure>{table}</section>'
    )
