"""One POST. Neither the URL, which may hold a token, nor what the receiver answers is in any error."""

import http.client
import ssl
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 10
"""For connecting, and for each wait for an answer."""


class NotTakenError(Exception):
    """The receiver did not take a notice; the message says the status, or why there was none."""


def post(url: str, headers: dict[str, str], body: bytes) -> None:
    """Send `body`. NotTakenError unless the answer is 2xx: a redirect is none, and is not followed."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: a name that DNS cannot ask for
        raise NotTakenError(f"no answer: {type(error).__name__}") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise NotTakenError(f"answered {status}")
