"""All mutants on trial: `python -m tests.mutants` (about ten minutes on two cores). Writes
`tests/mutants/verdicts.json` and prints the score; exit code 1 when a mutant goes unnoticed that `equivalents.toml`
does not explain."""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.progress import track

from tests.mutants.engine import MODULES, ROOT, Mutant, mutants_of

HERE = Path(__file__).parent
VERDICTS = HERE / "verdicts.json"
EQUIVALENTS = HERE / "equivalents.toml"
TIMEOUT_SECONDS = 180


def trial(module: str, number: int, *options: str) -> str:
    """What noticed a mutant; one that never ends is noticed as well."""
    command = [sys.executable, "-m", "tests.mutants.trial", module, str(number), *options]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "never ends"
    verdicts = [line for line in done.stdout.splitlines() if line.startswith("VERDICT ")]
    return verdicts[-1].removeprefix("VERDICT ") if verdicts else f"error {done.stderr.strip()[-120:]}"


def explained() -> dict[str, str]:
    """Why a mutant that nothing notices is no fault, by its name."""
    return tomllib.loads(EQUIVALENTS.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--module", action="append", choices=MODULES, help="only the mutants of this module")
    parser.add_argument(
        "--unnoticed", action="store_true", help="only those that nothing noticed the last time, and nothing explains"
    )
    options = parser.parse_args()
    known = json.loads(VERDICTS.read_text()) if VERDICTS.exists() else {}
    explanations = explained()
    jobs: list[tuple[Mutant, int]] = [
        (mutant, number)
        for module in options.module or MODULES
        for number, mutant in enumerate(mutants_of(module))
        if not options.unnoticed or (known.get(mutant.name, "nothing") == "nothing" and mutant.name not in explanations)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        order = ("--tests-first",) if options.unnoticed else ()
        running = [pool.submit(trial, mutant.module, number, *order) for mutant, number in jobs]
        for (mutant, _), job in track(list(zip(jobs, running, strict=True)), "mutants", transient=True):
            known[mutant.name] = job.result()
    present = {mutant.name for module in MODULES for mutant in mutants_of(module)}
    verdicts = {name: known[name] for name in sorted(present) if name in known}
    VERDICTS.write_text(json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n")
    unnoticed = [name for name, verdict in verdicts.items() if verdict == "nothing"]
    open_questions = [name for name in unnoticed if name not in explanations]
    by = Counter(verdict.partition(" ")[0] for verdict in verdicts.values())
    print(f"{len(verdicts)} mutants: {dict(by)}; {len(open_questions)} unexplained")
    for name in open_questions:
        print(f"  {name}")
    return 1 if open_questions else 0


if __name__ == "__main__":
    sys.exit(main())
