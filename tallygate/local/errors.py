"""What can go wrong with the world on one machine."""


class WorldError(Exception):
    """The local world cannot start, go on or be found. The message is for the user: one line that says what and
    where."""
