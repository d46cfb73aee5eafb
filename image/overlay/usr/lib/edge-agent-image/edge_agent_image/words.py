"""The texts on the card, for somebody who has it in a PC and has never seen Linux."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_QUALITIES = {"waiting": "not asked yet", "no communication": "NO ANSWER", "access denied": "KEY REFUSED"}


def problems_text(problems: Sequence[str], *, in_force: bool) -> str:
    """``config-problems.txt``."""
    meanwhile = (
        "The configuration that was in force before still is; the printers are served as before."
        if in_force
        else "There is no other configuration yet, so no printers are served."
    )
    return "\n".join(
        [
            "What you put into this folder was NOT taken over.",
            "",
            *(f"  * {problem}" for problem in problems),
            "",
            meanwhile,
            "Correct the file here, put the card back and switch on again: this text then goes away.",
            "Until then your files stay on the card as they are, with the keys in them.",
            "",
        ]
    )


def status_text(facts: Mapping[str, Any]) -> str:
    """``status.txt``, without the time at its end: what is known of the board, the agent and the machines.

    Args:
        facts: what `edge_agent_image.status.facts` has gathered.
    """
    lines = ["edge-agent on this card", "=======================", ""]
    lines += [
        _row("Host name", facts["host_name"]),
        _row("Addresses", ", ".join(facts["addresses"]) or "none: no cable?"),
    ]
    if facts["page_port"]:
        lines += [_row("Page", f"http://{_bracketed(text)}:{facts['page_port']}/") for text in facts["addresses"]]
    agent = facts.get("agent")
    lines += _agent_lines(agent, facts) if agent else [_row("Agent", f"DOES NOT ANSWER: {facts['silence']}")]
    if not facts["takes_updates"]:
        lines.append(_row("Updates", "none are accepted: this image was made without a key for them"))
    lines += ["", *_notes(facts)]
    machines = facts["machines"]
    lines += [f"Machines ({len(machines)})", *map(_machine, machines)] if machines else _how_to_begin(facts)
    return "\n".join([*lines, ""])


def _how_to_begin(facts: Mapping[str, Any]) -> list[str]:
    """Both ways to a configuration, for a board that has none."""
    if not facts.get("agent") and facts["configured"]:
        return ["What the machines do is not known while the agent does not answer"]
    by_card = "No machines yet. Put config.json into this folder: see README.txt"
    if not (facts.get("agent") and facts["page_port"] and facts["addresses"]):
        return [by_card]
    page = f"http://{_bracketed(facts['addresses'][0])}:{facts['page_port']}/setup"
    return [by_card, f"Or in a browser, within 15 minutes after switching on: {page}"]


def _agent_lines(agent: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    endpoint = agent["endpoint"]
    urls = [found for url in endpoint["urls"] for found in _as_found(url, facts)]
    return [
        *(_row("OPC UA", url if endpoint["open"] else f"{url} (NOT OPEN YET)") for url in urls),
        _row("Certificate", endpoint["certificate_sha256"] or "none"),
        _row("Version", agent["version"]),
        _row("Configuration", agent["config_status"]),
        *(_row("Problem", text) for text in agent["complaints"]),
        *(_row("Warning", text) for text in agent["warnings"]),
    ]


def _as_found(url: str, facts: Mapping[str, Any]) -> list[str]:
    """An endpoint by what works without a name server, where it was told by the bare host name."""
    host, _, port = url.removeprefix("opc.tcp://").rpartition(":")
    if host != facts["host_name"]:
        return [url]
    hosts = [*map(_bracketed, facts["addresses"]), f"{host}.local"]
    return [f"opc.tcp://{found}:{port}" for found in hosts]


def _notes(facts: Mapping[str, Any]) -> list[str]:
    notes = [*(f"Taken from the card: {name}" for name in facts["taken"]), *facts["remarks"]]
    return [*(f"  * {note}" for note in notes), ""] if notes else []


def _machine(machine: Mapping[str, Any]) -> str:
    told = _QUALITIES.get(machine["quality"], machine["state"] or machine["quality"])
    reason = f": {machine['reason']}" if machine["reason"] and not machine["reachable"] else ""
    return f"  * {machine['name'] or machine['id']}: {told}{reason}"


def _row(title: str, text: str) -> str:
    return f"{title + ':':<15}{text}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
