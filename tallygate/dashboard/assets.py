"""The files of the page, read once: its own, which are asked for again each time and mostly answered with 304, and the
script of the charts, which a browser keeps under its version for good."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallygate.dashboard.problems import problem

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
INDEX: Final = "index.html"
CHARTS: Final = "charts.js"
"""The library's script in our own paths: /static/charts.js?v=<version>."""
_MAPS_STYLES: Final = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')
"""The library writes styles for maps into a page without an element of this id. There is no map, and the page's policy
would have it complain."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str
    cache_control: str = "no-cache"


class Assets:
    """Every file of the page, by its path below /static/, and its index."""

    def __init__(self) -> None:
        charts, script = version("plotly"), (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
        maps = _MAPS_STYLES.search(script)
        words = {b"{charts-version}": charts.encode(), b"{maps-styles}": maps[1] if maps else b"maps-styles"}
        self._assets = {
            path: _asset(path, file.read_bytes(), words if path == INDEX else {})
            for path, file in _below(files("tallygate.dashboard") / "static", "")
        }
        kept = "public, max-age=31536000, immutable"
        self._assets[CHARTS] = Asset(script, _TYPES["js"], f'"plotly-{charts}"', kept)

    async def answer(self, request: Request) -> Response:
        """The file that is asked for; the index for the root."""
        asset = self._assets.get(request.path_params.get("path", INDEX))
        if asset is None:
            return problem(404, "Not found", "There is nothing at this path.")
        headers = {"ETag": asset.etag, "Cache-Control": asset.cache_control}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)


def _below(directory: Traversable, prefix: str) -> "list[tuple[str, Traversable]]":
    found: list[tuple[str, Traversable]] = []
    for entry in directory.iterdir():
        if entry.is_dir():
            found += _below(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            found.append((prefix + entry.name, entry))
    return found


def _asset(path: str, content: bytes, words: Mapping[bytes, bytes]) -> Asset:
    for placeholder, word in words.items():
        content = content.replace(placeholder, word)
    etag = hashlib.sha256(content).hexdigest()[:20]
    return Asset(content, _TYPES[path.rpartition(".")[2]], f'"{etag}"')
