"""The page and what it asks, as an ASGI application."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tallygate.dashboard.answers import Answers
from tallygate.dashboard.assets import Assets
from tallygate.dashboard.guard import Guard
from tallygate.dashboard.problems import InWords, problem, problem_of
from tallygate.dashboard.questions import Questions, question

LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """What the page says of the service that it shows. `first_call` is a command that makes one, where that can be
    known."""

    service: str
    stage: str
    regions: tuple[str, ...]
    homes: tuple[str, ...]
    first_call: str | None = None


def dashboard(
    questions: Questions,
    about: About,
    in_words: InWords,
    *,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    clock: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The application. `in_words` says of an error what an operator can do about it."""
    answers = Answers(clock)
    assets = Assets()

    async def service(_request: Request) -> Response:
        return _answer(asdict(about))

    async def ask(request: Request) -> Response:
        path, query = request.path_params["path"], dict(request.query_params)
        asked = question(questions, path, query)
        if asked is None:
            return problem(404, "Not found", "There is no such question.")
        try:
            return _answer(await answers.get((path, *sorted(query.items())), lambda: asked(now_ms())))
        except Exception as error:
            told = problem_of(error, in_words)
            if told is None:
                raise
            return told

    pages = Starlette(
        routes=[
            Route("/", assets.answer),
            Route("/static/{path:path}", assets.answer),
            Route("/api/service", service),
            Route("/api/{path:path}", ask),
        ],
        exception_handlers={404: _not_found, Exception: _failed},
    )
    return Guard(pages)  # not as its middleware: what answers for an error of ours would be outside of it


def _answer(document: object) -> Response:
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


async def _not_found(_request: Request, _error: Exception) -> Response:
    return problem(404, "Not found", "There is nothing at this path.")


async def _failed(request: Request, error: Exception) -> Response:
    LOG.error("%s failed", request.url.path, exc_info=error)
    return problem(500, "Internal error", "The dashboard itself failed; the terminal that it was started in says how.")
