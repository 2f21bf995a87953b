"""Writes the examples into docs/answers.md and docs/counters.md: each is an answer of the service on this machine, or
of its own code where it takes an outage to see one.

    python -m docs.answers           writes the pages
    python -m docs.answers --check   says whether its examples are still what the service answers
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from http.client import responses
from pathlib import Path

import requests

from functions.api.routes import HISTORY_UNREAD, TOO_MANY
from tallygate.aws.key_admin import key_admin
from tallygate.aws.metering import CORS, NO_STORE, problem_response
from tallygate.core.headers import rate_limit_headers
from tallygate.core.limiter import UNAVAILABLE
from tallygate.core.problem_types import PROBLEM_TYPES
from tallygate.core.problems import FAILED, Problem, problem_of
from tallygate.core.routes import PROBLEMS_PATH
from tallygate.core.verdict import Verdict
from tallygate.local.world import World

PAGES = tuple(Path(__file__).with_name(name) for name in ("answers.md", "counters.md"))
SHOWN = re.compile(
    r"cache-control|content-type|.*ratelimit.*|retry-after|www-authenticate|access-control-.*", re.IGNORECASE
)
ADDRESS = "203.0.113.77"
REGION = "eu-west-1"
_BLOCK = re.compile(r"(<!-- example: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r'"instance": "[^"]+"'), '"instance": "<id>"'),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<key id>"),
    (re.compile(r";t=\d+"), ";t=<seconds>"),
    (re.compile(r'("key-burst";r=)\d+'), r"\1<units>"),  # of a call in the same second or in the next
    (re.compile(r'"\d+\.[0-9a-f]{8}"'), '"<writer>"'),
    (re.compile(r'("(used|charged)": )5\d'), r"\1<the quota, or a little more>"),  # a call that was under way elsewhere
    (re.compile(r'(month(-soft)?";q=\d+;w=)\d+'), r"\1<seconds>"),
    (re.compile(r"((X-RateLimit-Reset|Retry-After): |again in )\d+"), r"\1<seconds>"),
)


class Examples:
    """Asks a world, as callers made for it, and tells what was asked and answered."""

    def __init__(self, world: World) -> None:
        self._world = world
        home = world.config.service.administrative_region
        self._keys = key_admin(world.aws.client("dynamodb", home), world.names.gate_table, world.names.stage)

    def all(self) -> dict[str, str]:
        """Every example by its name in the pages."""
        starter, trial = self._key("starter"), self._key("trial")
        restricted = self._key("starter", addresses=["198.51.100.0/24"])
        admitted = self._ask("GET", "/v1/whoami", {"x-api-key": starter})
        head = self._ask("HEAD", "/v1/whoami", {"x-api-key": starter})
        self._spend(trial)
        today = time.strftime("%Y-%m-%d", time.gmtime())
        yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
        return {
            "admitted": admitted,
            "head": head,
            "preflight": self._ask(
                "OPTIONS",
                "/v1/whoami",
                {
                    "Origin": "https://shop.example",
                    "Access-Control-Request-Method": "GET",
                    "Access-Control-Request-Headers": "x-api-key",
                },
            ),
            "quota": self._ask("GET", "/v1/whoami", {"x-api-key": trial}),
            "key": self._ask("GET", "/v1/whoami", {"x-api-key": "tg_local_mistyped"}),
            "restricted": self._ask("GET", "/v1/whoami", {"x-api-key": restricted}),
            "not-found": self._ask("POST", "/v1/nowhere", {"x-api-key": starter}),
            "usage": self._ask("GET", "/v1/usage", {"x-api-key": trial}),
            "history": self._ask("GET", f"/v1/usage?from={yesterday}&to={today}T23:59:59Z", {"x-api-key": trial}),
            "invalid": self._ask("GET", "/v1/usage?from=yesterday", {"x-api-key": starter}),
            "unavailable": _made(_unavailable(), rate_limit_headers(UNAVAILABLE, 0)),
            "unread": _made(HISTORY_UNREAD),
            "too-many": _made(TOO_MANY),
            "internal": _made(FAILED),
            **self._of_counters(),
            "types": _types(),
        }

    def _of_counters(self) -> dict[str, str]:
        key = {"x-api-key": self._key("starter")}
        asked: dict[str, tuple[str, str, object]] = {
            "increment": ("POST", "/v1/counters/orders/increment", {"add": 2}),
            "increments": ("POST", "/v1/counters/increments", {"increments": {"orders": 1, "items.sold": 5}}),
            "counters": ("GET", "/v1/counters", None),
            "counter": ("GET", "/v1/counters/orders", None),
            "reset": ("POST", "/v1/counters/orders/reset", {"epoch": 0}),
            "next": ("POST", "/v1/counters/invoice/next", None),
        }
        told = {}
        for name, (method, path, body) in asked.items():
            if method == "GET":
                self._world.wait_until_caught_up()
            told[name] = self._ask(method, path, key, body, brief=True)
        told["no-key"] = self._ask("POST", "/v1/counters/orders/increment", {}, brief=True)
        return told

    def _key(self, plan: str, **fields: object) -> str:
        return self._keys.create({"owner": "docs", "plan": plan, **fields}, time.time_ns() // 1_000_000).secret

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: object = None) -> requests.Response:
        url = f"http://127.0.0.1:{self._world.port}{path}"
        where = {"Host": self._world.endpoints[REGION].host, "X-Forwarded-For": ADDRESS}
        return requests.request(method, url, headers={**where, **headers}, json=body, timeout=60)

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: object = None, *, brief: bool = False
    ) -> str:
        """A call and its answer; `brief` leaves out the headers of the answer."""
        answer = self._send(method, path, headers, body)
        secret = headers.get("x-api-key", "")
        asked = [f"{method} {path}", *(f"{name}: {value}" for name, value in headers.items())]
        if body is not None:
            asked += ["", json.dumps(body)]
        told = _told(answer.status_code, {} if brief else answer.headers, answer.text)
        text = "\n".join(asked) + "\n\n" + told
        return text.replace(secret, "tg_local_…") if secret else text

    def _spend(self, key: str) -> None:
        """Uses a quota up, call by call, until what refuses is the count and no estimate."""
        for _ in range(1_000):
            answer = self._send("GET", "/v1/whoami", {"x-api-key": key})
            if answer.status_code == 429:
                if not answer.json()["limits"][0]["estimated"]:
                    return
                self._world.wait_until_caught_up()
        raise RuntimeError("the quota was never spent")


def _told(status: int, headers: Mapping[str, str], body: str) -> str:
    shown = sorted((name, value) for name, value in headers.items() if SHOWN.fullmatch(name))
    lines = [f"HTTP/1.1 {status} {responses[status]}", *(f"{_cased(name)}: {value}" for name, value in shown)]
    if body:
        lines += ["", json.dumps(json.loads(body), indent=2, ensure_ascii=False)]
    return "\n".join(lines)


def _cased(name: str) -> str:
    """HTTP does not care about the case of a name; a page of examples does."""
    special = {"ratelimit": "RateLimit", "www": "WWW"}
    return "-".join(special.get(part.lower(), part.capitalize()) for part in name.split("-"))


def _made(problem: Problem, headers: Mapping[str, str] = {}) -> str:  # nobody changes it
    response = problem_response(problem, f"{PROBLEMS_PATH}#", "UQoMlg7eDoEEPJg=")
    told = {**response["headers"], **headers, **CORS, "Cache-Control": NO_STORE}
    return _told(response["statusCode"], told, response["body"])


def _unavailable() -> Problem:
    problem = problem_of(Verdict(ADDRESS, "us-east-1", REGION, 1, UNAVAILABLE))
    assert problem is not None
    return problem


def _types() -> str:
    rows = [f"| `{each.name}` | {each.status} | {each.meaning} | {each.remedy} |" for each in PROBLEM_TYPES]
    return "\n".join(["| type | status | means | what to do |", "|---|---|---|---|", *rows])


def filled(page: str, examples: Mapping[str, str]) -> str:
    """The page with these examples. KeyError when it asks for one that is not there."""

    def fill(block: re.Match[str]) -> str:
        example = examples[block[2]]
        text = example if block[2] == "types" else f"```http\n{example}\n```"
        return f"{block[1]}{text}\n{block[3]}"

    return _BLOCK.sub(fill, page)


def names_in(page: str) -> set[str]:
    """The examples that a page asks for."""
    return {block[2] for block in _BLOCK.finditer(page)}


def lasting(page: str) -> str:
    """A page without what differs from one run to the next: times, ids, and seconds that are left."""
    for pattern, word in _VOLATILE:
        page = pattern.sub(word, page)
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is out of date")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as directory:
        report: Callable[..., None] = lambda phase: None  # noqa: E731  # a line is enough below
        print("Starting the regions on this machine …", file=sys.stderr)
        with World.start(directory=Path(directory), report=report) as world:
            examples = Examples(world).all()
    outdated = {
        page: new for page in PAGES if lasting(new := filled(page.read_text(), examples)) != lasting(page.read_text())
    }
    for page, new in outdated.items():
        if check:
            print(f"{page.name} is out of date: python -m docs.answers", file=sys.stderr)
        else:
            page.write_text(new)
            print(f"{page.name} is written", file=sys.stderr)
    if not outdated:
        print("The pages say what the service answers", file=sys.stderr)
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
