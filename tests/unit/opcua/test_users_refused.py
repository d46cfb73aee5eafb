"""Why somebody was not let in is known to those who watch, and whether the name is one at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

from .door import HERE, OPTIONS, SCADA, THERE, Door, play


def test_each_refusal_says_why(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        async def why(name: str | None, password: str, address: str = HERE, *, encrypted: bool = True) -> str:
            assert await door.knock(name, password, address, encrypted=encrypted) is None
            return door.refusal[0]

        assert await why("scada", "wrong") == "wrong password"
        assert await why("mes-1", "wrong") == "wrong password"
        assert await why("nobody", "wrong") == "no such user"
        assert await why(None, "") == "nobody is let in without a name"
        assert "without encryption" in await why("scada", SCADA.password.reveal(), encrypted=False)
        await door.lock("scada", THERE)
        assert "refused for a while" in await why("scada", SCADA.password.reveal(), THERE)

    play(tmp_path, scene)


def test_who_asks_too_often_at_once_is_told_apart(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        reasons = set()

        async def knock() -> None:
            await door.knock("scada", "wrong")
            reasons.add(door.refusal[0])

        await asyncio.gather(*(knock() for _ in range(6)))
        assert reasons == {"wrong password", "too many tries at once"}

    play(tmp_path, scene)


def test_only_a_users_name_is_known(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        known = {}
        for name in ("scada", "mes-1", "mes-3", "correct horse"):
            await door.knock(name, "wrong")
            known[name] = door.refusal[1]
        assert known == {"scada": True, "mes-1": True, "mes-3": False, "correct horse": False}
        await door.lock("correct horse", THERE)
        await door.knock("correct horse", "wrong", THERE)
        assert door.refusal[1] is False

    play(tmp_path, scene, OPTIONS)
