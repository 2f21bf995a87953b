from tests.stage_tables import clients

__all__ = ["clients"]
