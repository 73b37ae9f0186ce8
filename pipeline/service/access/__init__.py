"""Who may call: keys, sessions and tokens, roles, and what keeps others out."""

from pipeline.service.access.access import Access, NewToken
from pipeline.service.access.bind import Bind
from pipeline.service.access.roles import Caller, Role

__all__ = ["Access", "Bind", "Caller", "NewToken", "Role"]
