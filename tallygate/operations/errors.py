"""What keeps a question from being answered. A parameter that is none raises InvalidParameterError
(core/history.py)."""


class UnreachableError(Exception):
    """A table, a stream or a queue cannot be read. Nothing is answered then: what is missing would look like nothing.
    `region` is where it is; `may_pass` tells a slow or busy store from a fault of ours, of the deployment or of
    rights."""

    def __init__(self, what: str, region: str, reason: str, *, may_pass: bool) -> None:
        super().__init__(f"{what} in {region} cannot be read: {reason}")
        self.what, self.region, self.may_pass = what, region, may_pass


class UnknownOwnerError(Exception):
    """Nobody of this name has a key, or ever used a quota."""
