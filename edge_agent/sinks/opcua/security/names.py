"""How users of MES instances are called."""

from __future__ import annotations

_PREFIX = "mes-"


def mes_user(mes_id: int) -> str:
    """The user of one MES instance; config.json may not have one of such a name."""
    return f"{_PREFIX}{mes_id}"
