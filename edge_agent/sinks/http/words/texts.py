"""Which texts there are: one struct per page, filled in by each language."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ....errors import Failure
from ....jobs import Outcome
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


class MachineWords(Struct, frozen=True, kw_only=True):
    """A machine's page. ``groups`` are the headings of its items, by the first step of their ids.

    ``sentences`` say what an item is, by its id; an item that is not among them says it itself, in English.
    """

    title: str
    not_there: str
    own_page: str
    now: str
    curves: str
    curves_of: str
    no_curves: str
    goal: str
    jobs: str
    no_jobs: str
    file: str
    started: str
    duration: str
    outcome: str
    goes_on: str
    outcomes: Mapping[Outcome, str]
    values: str
    of_node_ids: str
    own_node_id: str
    item: str
    value: str
    quality: str
    time: str
    node_id: str
    groups: Mapping[str, str]
    temperature_of: str
    setpoint_of: str
    sentences: Mapping[str, str]


class AgentWords(Struct, frozen=True, kw_only=True):
    """The agent's page."""

    title: str
    endpoint: str
    urls: str
    closed: str
    fingerprint: str
    no_fingerprint: str
    trust: str
    users: str
    user: str
    sees: str
    sees_all: str
    sees_none: str
    no_users: str
    passwords: str
    sessions: str
    no_sessions: str
    client: str
    anonymous: str
    address: str
    since: str
    encrypted: str
    reads: str
    subscribed: str
    configuration: str
    refused: str
    in_force: str
    no_problems: str
    starts: str
    reason: str
    time: str
    computer: str
    model: str
    system: str
    temperature: str
    supply: str
    supply_good: str
    supply_bad: str
    supply_was_bad: str
    throttled: str
    clock: str
    clock_set: str
    clock_not_set: str
    uptime: str
    memory: str
    of_memory: str
    disk: str
    of_disk: str
    read_only: str
    process: str
    started: str
    used_memory: str
    processor_time: str
    journal: str
    journal_size: str
    journal_safe: str
    journal_waits: str
    not_told: str


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
    shown_of: str
    none_found: str
    show: str
    groups: Mapping[str, str]
    search: str
    apply: str
    show_all: str
    trouble: str
    open_to_all: str
    remedies: Mapping[Failure, str]
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
    more: str
    yes: str
    no: str
    decimal: str
    machine: MachineWords
    about: AgentWords
    days: str
    hours: str
    minutes: str
    under_a_minute: str
