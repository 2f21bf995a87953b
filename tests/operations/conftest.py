from tests.operations.counted import counted
from tests.stage_tables import clients

__all__ = ["clients", "counted"]
