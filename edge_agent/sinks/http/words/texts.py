"""Which texts there are: one struct per page, filled in by each language."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ....model import MachineState, Quality


class FrameWords(Struct, frozen=True, kw_only=True):
    """What stands around every page. ``sign_of_admin`` is beside the navigation while somebody may change things."""

    skip: str
    navigation: str
    machines: str
    agent: str
    setup: str
    sign_of_admin: str
    stale: str
    for_machines: str
    copy: str
    copied: str
    version: str


class Words(Struct, frozen=True, kw_only=True):
    """All texts in one language; ``{...}`` is filled in."""

    language: str
    frame: FrameWords
    states: Mapping[MachineState, str]
    qualities: Mapping[Quality, str]
    title: str
    reachable: str
    as_of: str
    no_machines: str
    trouble: str
    progress: str
    left: str
    ends_at: str
    off: str
    curve: str
    last_state: str
    began: str
    since: str
    last_seen: str
    never_seen: str
    old_values: str
    details: str
    connect: str
    endpoint: str
    endpoint_closed: str
    fingerprint: str
    no_fingerprint: str
    credentials: str
    configuration: str
    last_restart: str
    days: str
    hours: str
    minutes: str
    under_a_minute: str
