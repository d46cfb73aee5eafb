"""The page's texts, one `Words` for each language. What printers and the agent say of a failure is English in both."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ...model import MachineState, Quality


class Words(Struct, frozen=True, kw_only=True):
    """All texts in one language; ``{...}`` is filled in."""

    language: str
    states: Mapping[MachineState, str]
    qualities: Mapping[Quality, str]
    title: str
    reachable: str
    as_of: str
    no_machines: str
    stale: str
    trouble: str
    progress: str
    left: str
    ends_at: str
    off: str
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
    for_machines: str
    configuration: str
    version: str
    last_restart: str
    days: str
    hours: str
    minutes: str
    under_a_minute: str


EN = Words(
    language="en",
    states={
        MachineState.OFF: "switched off or not connected",
        MachineState.CONNECTING: "connecting",
        MachineState.FAULT: "fault",
        MachineState.READY: "ready",
        MachineState.DONE: "done",
        MachineState.STARTING: "starting",
        MachineState.PRINTING: "printing",
        MachineState.PAUSING: "pausing",
        MachineState.PAUSED: "paused",
        MachineState.RESUMING: "resuming",
        MachineState.FINISHING: "finishing",
        MachineState.CANCELLING: "cancelling",
    },
    qualities={
        Quality.WAITING: "waiting for its first answer",
        Quality.NO_COMMUNICATION: "does not answer",
        Quality.ACCESS_DENIED: "access denied",
    },
    title="{reachable} of {machines} machines - edge-agent on {host}",
    reachable="{reachable} of {machines} machines answer",
    as_of="as of {time}",
    no_machines="No machine is configured yet.",
    stale="The agent does not answer. What you see may be old.",
    trouble="Something needs attention",
    progress="Progress",
    left="{time} left",
    ends_at="ends at {time}",
    off="off",
    last_state="last known: {state}",
    began="began at {time}",
    since="since {time}",
    last_seen="last answer: {time}",
    never_seen="It has not answered since the agent started.",
    old_values="No fresh answer: these values are old.",
    details="All values of {name}",
    connect="Connect an MES",
    endpoint="OPC UA endpoint",
    endpoint_closed="not open: {reason}",
    fingerprint="Its certificate, SHA-256",
    no_fingerprint="not made yet",
    credentials="User names and passwords: run sudo edge-agent credentials on this computer.",
    for_machines="For machines",
    configuration="Configuration",
    version="Version",
    last_restart="Why it was started",
    days="{days} d {hours} h",
    hours="{hours} h {minutes} min",
    minutes="{minutes} min",
    under_a_minute="less than a minute",
)

DE = Words(
    language="de",
    states={
        MachineState.OFF: "ausgeschaltet oder nicht verbunden",
        MachineState.CONNECTING: "verbindet",
        MachineState.FAULT: "Störung",
        MachineState.READY: "bereit",
        MachineState.DONE: "fertig",
        MachineState.STARTING: "startet",
        MachineState.PRINTING: "druckt",
        MachineState.PAUSING: "hält an",
        MachineState.PAUSED: "angehalten",
        MachineState.RESUMING: "setzt fort",
        MachineState.FINISHING: "beendet den Druck",
        MachineState.CANCELLING: "bricht ab",
    },
    qualities={
        Quality.WAITING: "wartet auf die erste Antwort",
        Quality.NO_COMMUNICATION: "antwortet nicht",
        Quality.ACCESS_DENIED: "Zugriff verweigert",
    },
    title="{reachable} von {machines} Maschinen - edge-agent auf {host}",
    reachable="{reachable} von {machines} Maschinen antworten",
    as_of="Stand {time}",
    no_machines="Es ist noch keine Maschine eingetragen.",
    stale="Der Agent antwortet nicht. Was hier steht, kann alt sein.",
    trouble="Hier ist etwas zu tun",
    progress="Fortschritt",
    left="noch {time}",
    ends_at="fertig um {time}",
    off="aus",
    last_state="zuletzt: {state}",
    began="begonnen um {time}",
    since="seit {time}",
    last_seen="letzte Antwort: {time}",
    never_seen="Sie hat nicht geantwortet, seit der Agent läuft.",
    old_values="Keine frische Antwort: diese Werte sind alt.",
    details="Alle Werte von {name}",
    connect="Ein MES verbinden",
    endpoint="OPC-UA-Endpunkt",
    endpoint_closed="nicht offen: {reason}",
    fingerprint="Sein Zertifikat, SHA-256",
    no_fingerprint="noch nicht erstellt",
    credentials="Benutzer und Passwörter: auf diesem Rechner sudo edge-agent credentials aufrufen.",
    for_machines="Für Maschinen",
    configuration="Konfiguration",
    version="Version",
    last_restart="Warum er gestartet wurde",
    days="{days} d {hours} h",
    hours="{hours} h {minutes} min",
    minutes="{minutes} min",
    under_a_minute="weniger als eine Minute",
)


def words_for(accept_language: str) -> Words:
    """The language that an Accept-Language header asks for most, of those there are; else English."""
    best, words = 0.0, EN
    for part in accept_language.split(",")[:20]:
        tag, _, weight = part.strip().lower().partition(";q=")
        found = {"en": EN, "de": DE}.get(tag.partition("-")[0])
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if found is not None and quality > best:
            best, words = quality, found
    return words
