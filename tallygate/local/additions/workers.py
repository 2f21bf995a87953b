"""The processes that run the functions: what they may import, how many there are, and that they end with the emulator.

Lambda runs a function on what its package holds and what the runtime brings (boto3). Here the runtime is this
environment's Python, in which the project itself is installed: a module forgotten in the package would be found there
and nobody would notice. So the worker refuses the project's own packages unless the package brings them.

Lambda also starts as many environments as there are calls at a time. On one machine each start costs a second of
processor time, so a call waits for a free environment instead once a function has `most_workers`. (A function that
invokes itself, which none of ours does, would wait for itself.)
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tallygate.local.internals import part, replaced_once

OUR_PACKAGES: Final = ("tallygate", "functions", "stacks", "tests")

_GUARD: Final = f"""
import os, sys, threading, time

class _OnlyFromThePackage:
    def find_spec(self, name, path=None, target=None):
        if name in {OUR_PACKAGES!r} and not os.path.isdir(os.path.join(os.environ["LAMBDA_TASK_ROOT"], name)):
            raise ModuleNotFoundError("the function's package has no " + name, name=name)
        return None

sys.meta_path.insert(0, _OnlyFromThePackage())

def _end_with(emulator):
    while os.getppid() == emulator:
        time.sleep(0.5)
    os._exit(1)

threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
"""
_RUN: Final = "\ndef run():\n"


class Pool:
    """Leases of workers, at most `most_workers` per function and region."""

    def __init__(self, most_workers: int) -> None:
        self._most_workers = most_workers
        self._released = threading.Condition()
        self._closed = False

    def acquire(self, lease: Any, func_name: str, config: dict[str, Any], code_zip: bytes, qualifier: str) -> Any:
        """A free worker, as `lease` gives it; waits while all are busy."""
        with self._released:
            while True:
                self._released.wait_for(lambda: not self._closed)
                worker, how = lease(
                    func_name, config, code_zip, qualifier=qualifier, max_concurrency=self._most_workers
                )
                if worker is not None:
                    return worker, how
                self._released.wait()

    def close(self) -> None:
        """Gives no worker any more: the emulator ends, and one started now would outlive it. Who asks waits for
        that."""
        with self._released:
            self._closed = True

    def release(self, give_back: Any, worker: Any) -> None:
        give_back(worker)
        with self._released:
            self._released.notify_all()


def warm() -> dict[str, str]:
    """Starts one worker of every function that has none, all at a time. Errors by function: a package that cannot be
    imported is known before the first call."""
    runtime, functions = part("core.lambda_runtime"), part("services.lambda_svc")

    def start(function: dict[str, Any]) -> str | None:
        config = function["config"]
        worker, _ = functions.acquire_worker(config["FunctionName"], config, function["code_zip"])
        try:
            runtime.ensure_spawned(worker)
        except Exception as error:  # noqa: BLE001  whatever the function's modules raise
            return str(error)
        finally:
            functions.release_worker(worker)
        return None

    every = list(functions._functions._data.values())
    with ThreadPoolExecutor(max_workers=max(1, len(every))) as threads:
        errors = list(threads.map(start, every))
    return {function["config"]["FunctionArn"]: error for function, error in zip(every, errors, strict=True) if error}


def install(pool: Pool) -> None:
    """Guards the workers' imports and bounds their number."""
    runtime, functions = part("core.lambda_runtime"), part("services.lambda_svc")
    runtime._PYTHON_WORKER_SCRIPT = replaced_once(
        runtime._PYTHON_WORKER_SCRIPT, _RUN, _GUARD + _RUN, "core.lambda_runtime:_PYTHON_WORKER_SCRIPT"
    )
    lease, give_back = functions.acquire_worker, functions.release_worker

    def acquire(func_name: str, config: dict[str, Any], code_zip: bytes, qualifier: str = "$LATEST", **_: Any) -> Any:
        return pool.acquire(lease, func_name, config, code_zip, qualifier)

    functions.acquire_worker = acquire
    functions.release_worker = lambda worker: pool.release(give_back, worker)
