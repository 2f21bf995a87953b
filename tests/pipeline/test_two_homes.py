"""Two homes: each counts the calls of its own regions, and the two together are every call."""

import json
import signal
from pathlib import Path

from tallygate.local.world import PROJECT
from tests.pipeline.test_command import Command

HOMES = ("us-east-1", "eu-west-1")


def test_the_counts_of_two_homes_are_together_those_of_the_log(tmp_path: Path) -> None:
    config = tmp_path / "tallygate.toml"
    one_home = (PROJECT / "tallygate.toml").read_text()
    config.write_text(one_home.replace('homes = ["us-east-1"]', f"homes = {json.dumps(HOMES)}"))
    command = Command(tmp_path / "world")
    demo = command.start("demo", "--limit", "60", "--json", "--stay", "--config", str(config))
    try:
        assert demo.stdout is not None
        document = ""
        for line in demo.stdout:
            document += line
            if line == "}\n":
                break
        outcome = json.loads(document)
        assert (outcome["matches"], outcome["differences"]) == (True, [])
        assert [claim["claim"] for claim in outcome["quotas"] if not claim["holds"]] == []
        # Calls of one address in Sydney and in Ireland: each home has those of its own regions.
        (shown,) = (row for row in outcome["quotas"] if row["claim"].startswith("10 calls in Sydney and 50 in Ireland"))
        assert shown["seen"] == "Virginia, after a call of its own, leaves 139 of 200"
        homes = command.json("usage", "show", "ip", "198.18.0.1")["homes"]
        assert {home: count["admitted"] for home, count in homes.items()} == {"us-east-1": 11, "eu-west-1": 50}
    finally:
        demo.send_signal(signal.SIGTERM)
        said = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGTERM, said
