"""What a function prints, line by line and complete, in the log stream of its execution environment.

Lambda gives each execution environment one log stream, passes printed lines on as they are, and drops by level what the
function's logging configuration says. Source: Lambda Developer Guide, "Working with Lambda function logs" and
"Configuring advanced logging controls".

The emulator makes a stream per invocation, ignores levels, and collects lines by waiting: 50 ms when a function printed
nothing, while a line that is late is taken for one of the next invocation or none. Here the worker prints an end mark
after each invocation, and lines are collected up to it.
"""

import json
import logging
import queue
import re
import secrets
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from tallygate.local.internals import part, replaced_once

logger = logging.getLogger("tallygate.local")

END_MARK: Final = f"--- end of invocation {secrets.token_hex(16)} ---"
"""Unknown to the functions, so that none prints it."""
LONGEST_DRAIN_SECONDS: Final = 10.0
"""The mark is on its way when the answer is there; only a machine that stands still needs longer."""
LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_END_OF_OUTPUT: Final = None
_RESPOND: Final = "        _real_stdout.flush()\n\nrun()\n"
_MARK_AND_RESPOND: Final = f"""\
        sys.stderr.write("\\n{END_MARK}\\n")
        sys.stderr.flush()
        _real_stdout.flush()

run()
"""

_here = threading.local()
"""The log stream of the invocation that this thread runs: the emulator invokes and logs in one thread."""


def read_output(worker: Any) -> None:
    """Puts each line that the worker prints into its queue, and None at the end. Bytes that are no UTF-8 are
    replaced."""
    lines = worker._stderr_queue
    for line in worker._proc.stderr.buffer:
        lines.put(line.decode(errors="replace").rstrip("\n"))
    lines.put(_END_OF_OUTPUT)


def lines_of_invocation(lines: "queue.Queue[str | None]") -> list[str]:
    """The lines up to the end mark, or to the end of the output of a worker that died. The mark has a line of its own,
    so that output without a final newline is not glued to it; that costs one empty line, which is not the
    function's."""
    collected: list[str] = []
    deadline = time.monotonic() + LONGEST_DRAIN_SECONDS
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            logger.error("no end mark after %.0f s: lines of an invocation may be missing", LONGEST_DRAIN_SECONDS)
            return collected
        if line is _END_OF_OUTPUT or line == END_MARK:
            if line == END_MARK and collected and not collected[-1]:
                collected.pop()
            return collected
        collected.append(line)


def passes(line: str, least: str) -> bool:
    """Whether a printed line gets past the application log level `least`. With JSON logging, a line counts as INFO
    unless it is an object with a known `level` and an RFC 3339 `timestamp`."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    level = "INFO"
    if isinstance(entry, dict) and _RFC_3339.fullmatch(str(entry.get("timestamp"))):
        level = str(entry.get("level", level)).upper()
    level = {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(level, level)
    return LEVELS.index(level if level in LEVELS else "INFO") >= LEVELS.index(least)


def log_lines(config: dict[str, Any], request_id: str, printed: list[str], duration_ms: int) -> list[str]:
    """What Lambda writes to the log group for one invocation."""
    logging_config = config.get("LoggingConfig") or {}
    version = config.get("Version", "$LATEST")
    if logging_config.get("LogFormat") != "JSON":
        return [
            f"START RequestId: {request_id} Version: {version}",
            *printed,
            f"END RequestId: {request_id}",
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms}.00 ms\tBilled Duration: {duration_ms} ms\t"
            f"Memory Size: {config.get('MemorySize', 128)} MB",
        ]
    least = logging_config.get("ApplicationLogLevel", "INFO")
    lines = [line for line in printed if passes(line, least)]
    if LEVELS.index(logging_config.get("SystemLogLevel", "INFO")) > LEVELS.index("INFO"):
        return lines
    record = {"requestId": request_id, "version": version}
    report = {"requestId": request_id, "metrics": {"durationMs": duration_ms, "billedDurationMs": duration_ms}}
    return [_platform("start", record), *lines, _platform("report", report)]


def _platform(kind: str, record: dict[str, Any]) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": at, "type": f"platform.{kind}", "record": record}, separators=(",", ":"))


def stream_name(version: str, now: datetime) -> str:
    """A log stream's name as Lambda makes it: date, version, 32 hex digits."""
    return f"{now:%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"


def write(config: dict[str, Any], request_id: str, printed: list[str], duration_ms: int, log_stream: str) -> None:
    """Appends the lines of one invocation to the function's log group and hands them to its subscription filters."""
    logs, now_ms = part("services.cloudwatch_logs"), int(time.time() * 1000)
    log_group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    group = logs._log_groups.setdefault(
        log_group,
        {
            "arn": logs._make_group_arn(log_group),
            "creationTime": now_ms,
            "retentionInDays": None,
            "tags": {},
            "subscriptionFilters": {},
            "streams": {},
        },
    )
    stream = group["streams"].setdefault(
        log_stream,
        {
            "events": [],
            "uploadSequenceToken": "1",
            "creationTime": now_ms,
            "firstEventTimestamp": None,
            "lastEventTimestamp": None,
            "lastIngestionTime": None,
        },
    )
    lines = log_lines(config, request_id, printed, duration_ms)
    if not lines:
        return
    events = [{"timestamp": now_ms, "message": line, "ingestionTime": now_ms} for line in lines]
    logs._append_log_events(stream, events)
    logs._fanout_to_subscription_filters(
        log_group, log_stream, [{"timestamp": now_ms, "message": line} for line in lines]
    )


def install() -> None:
    """Replaces the collecting and the writing of lines."""
    runtime, functions = part("core.lambda_runtime"), part("services.lambda_svc")
    runtime._PYTHON_WORKER_SCRIPT = replaced_once(
        runtime._PYTHON_WORKER_SCRIPT, _RESPOND, _MARK_AND_RESPOND, "core.lambda_runtime:_PYTHON_WORKER_SCRIPT"
    )
    invoke = runtime.Worker.invoke

    def invoke_in_stream(worker: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(worker, "log_stream", None) is None:
            worker.log_stream = stream_name(worker.config.get("Version", "$LATEST"), datetime.now(UTC))
        _here.log_stream = worker.log_stream
        return invoke(worker, *args, **kwargs)

    def emit(func: Any, request_id: str, log_text: str, _error: bool, duration_ms: int, **_: Any) -> None:
        config = func.get("config") or func
        new_stream = stream_name(config.get("Version", "$LATEST"), datetime.now(UTC))
        log_stream = _here.__dict__.pop("log_stream", new_stream)  # a new one if no worker ran it
        printed = [line for line in log_text.split("\n") if line]  # CloudWatch Logs takes no empty event
        write(config, request_id, printed, duration_ms, log_stream)

    runtime.Worker.invoke = invoke_in_stream
    runtime.Worker._read_stderr = read_output
    runtime.Worker._drain_stderr_bounded = lambda worker, **_: "\n".join(lines_of_invocation(worker._stderr_queue))
    functions._emit_lambda_logs = emit
