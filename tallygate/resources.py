"""Deterministic names of everything that is deployed. The stacks create them, the functions are told them, the command
finds them: no stack exports, and no look-up at synthesis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one stage of one service, e.g. `tallygate-prod-gate`. IAM roles carry their region: IAM is global."""

    service: str
    stage: str

    @property
    def prefix(self) -> str:
        return f"{self.service}-{self.stage}"

    @property
    def gate_table(self) -> str:
        return f"{self.prefix}-gate"

    @property
    def tally_table(self) -> str:
        return f"{self.prefix}-tally"

    @property
    def stream(self) -> str:
        return f"{self.prefix}-usage"

    @property
    def rejects_queue(self) -> str:
        return f"{self.prefix}-rejects"

    @property
    def authorizer(self) -> str:
        return f"{self.prefix}-authorizer"

    @property
    def api(self) -> str:
        return f"{self.prefix}-api"

    @property
    def counters(self) -> str:
        return f"{self.prefix}-counters"

    @property
    def log_consumer(self) -> str:
        return f"{self.prefix}-log-consumer"

    @property
    def ops(self) -> str:
        return f"{self.prefix}-ops"

    @property
    def notifier(self) -> str:
        return f"{self.prefix}-notifier"

    @property
    def notices(self) -> str:
        """The event bus, and what hangs on it: topic, rules and the queue of what was missed begin with it."""
        return f"{self.prefix}-notices"

    @property
    def webhook(self) -> str:
        """The function, its queue and its secret."""
        return f"{self.prefix}-webhook"

    @property
    def gate_stream_parameter(self) -> str:
        """The parameter that holds the ARN of the gate's stream: the one name here that AWS makes up."""
        return f"/{self.prefix}/gate-stream"

    @property
    def ops_reader(self) -> str:
        return f"{self.prefix}-ops-reader"

    def log_group(self, function: str) -> str:
        return f"/aws/lambda/{function}"

    def destination(self, home: str) -> str:
        """The CloudWatch Logs destination in a serving region that leads to `home`'s stream."""
        return f"{self.prefix}-to-{home}"

    def usage_filter(self, home: str) -> str:
        """The subscription filter that sends usage lines to `home`: while a region changes its home, both stand."""
        return f"{self.prefix}-usage-to-{home}"

    def alarm(self, part: str) -> str:
        return f"{self.prefix}-{part}"

    def role(self, region: str, part: str) -> str:
        return f"{self.prefix}-{region}-{part}"

    def stack(self, part: str, region: str) -> str:
        return f"{self.prefix}-{part}-{region}"
