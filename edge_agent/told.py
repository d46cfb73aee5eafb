"""What the agent's parts tell the status page of themselves: each in its own words, here in the page's.

The page knows neither the endpoint nor the configuration, and they do not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from .computer import Disk, disk
from .config import Problem
from .restarts import LastWords
from .sinks.http.about import ConfigProblem, Endpoint, MesUser, OpcUaSession, PastStart
from .sinks.opcua.options import OPEN_TO_ALL
from .sinks.opcua.server import OpcUaSink


def endpoint(opcua: OpcUaSink) -> Endpoint:
    """Where an MES connects."""
    return Endpoint(
        urls=opcua.urls,
        hostname=opcua.hostname,
        waits_for="" if opcua.ready.is_set() else "it is still starting, or the clock has to be set first",
        fingerprint=opcua.fingerprint,
        anonymous=opcua.open_to_all,
        warning=OPEN_TO_ALL if opcua.open_to_all else "",
    )


def mes_users(opcua: OpcUaSink) -> tuple[MesUser, ...]:
    """Who may log in to the endpoint, by name."""
    return tuple(
        MesUser(name=name, mes_ids=tuple(sorted(mes_ids)) if mes_ids is not None else None)
        for name, mes_ids in opcua.users.items()
    )


def sessions(opcua: OpcUaSink) -> tuple[OpcUaSession, ...]:
    """Who is logged in to it."""
    return tuple(
        OpcUaSession(
            client=each.application,
            session=each.session,
            user=each.user,
            address=each.address,
            encrypted=each.encrypted,
            since=each.since,
            subscriptions=each.subscriptions,
            monitored_items=each.monitored_items,
        )
        for each in opcua.clients
    )


def config_problems(in_force: Iterable[Problem], refused: Iterable[Problem]) -> tuple[ConfigProblem, ...]:
    """What is wrong with the file in force, and before that with a newer one that is refused."""
    return (*(_problem(each, refused=True) for each in refused), *(_problem(each, refused=False) for each in in_force))


def _problem(problem: Problem, *, refused: bool) -> ConfigProblem:
    position = problem.position
    return ConfigProblem(
        file=problem.file,
        line=position.line if position else None,
        column=position.column if position else None,
        path=problem.path,
        text=problem.text,
        refused=refused,
    )


def starts(last_words: LastWords | None) -> tuple[PastStart, ...]:
    """Why the agent was started, the newest first."""
    return tuple(PastStart(at=each.at, reason=each.reason) for each in (last_words.starts if last_words else ()))


def disks(*folders: Path) -> Callable[[], tuple[Disk, ...]]:
    """Asks for the file systems that some folders are on, each once."""
    distinct = {device: folder for folder in reversed(folders) if (device := _device(folder)) is not None}

    def ask() -> tuple[Disk, ...]:
        return tuple(found for folder in reversed(distinct.values()) if (found := _disk(folder)) is not None)

    return ask


def _device(folder: Path) -> int | None:
    try:
        return folder.stat().st_dev
    except OSError:
        return None


def _disk(folder: Path) -> Disk | None:
    try:
        return disk(folder)
    except OSError:
        return None
