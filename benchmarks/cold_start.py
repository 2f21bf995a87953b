"""What a cold start pays for imports: `python -m benchmarks.cold_start`.

Each import in fresh interpreters, with the bytecode already there, as in a container whose disk is warm; the median of
15. Lambda's share of a core (512 MB is 0.29 of one) makes it longer there.
"""

import os
import subprocess
import sys
import time
from typing import Final

RUNS: Final = 15
MODULES: Final = {
    "Python alone": "sys",
    "Powertools Logger and Metrics": "aws_lambda_powertools",
    "authorizer": "functions.authorizer.handler",
    "Powertools event handler": "aws_lambda_powertools.event_handler",
    "api": "functions.api.handler",
    "counters": "functions.counters.handler",
    "boto3, for comparison": "boto3",
    "log consumer": "functions.log_consumer.handler",
}
ENV: Final = {**os.environ, "POWERTOOLS_SERVICE_NAME": "f", "POWERTOOLS_METRICS_NAMESPACE": "Tallygate"}


def milliseconds(module: str) -> float:
    """Of an interpreter that imports `module` and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], env=ENV, check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    for name, module in MODULES.items():
        times = [milliseconds(module) for _ in range(RUNS + 1)][1:]
        print(f"{name:32} {min(times):6.0f} ms")


if __name__ == "__main__":
    main()
