"""How users are called whose name nobody chose."""

from __future__ import annotations

ANONYMOUS = "anonymous"
"""The name of users that have none."""
_PREFIX = "mes-"


def mes_user(mes_id: int) -> str:
    """The user of one MES instance; config.json may not have one of such a name."""
    return f"{_PREFIX}{mes_id}"
