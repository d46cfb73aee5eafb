"""The firewall lets in the ports that config.json names, and no others."""

from __future__ import annotations

from .agent import Agent, AgentSilentError
from .paths import Paths
from .shell import Run

ALWAYS = (4840, 8080)
"""Open without a configuration, and open when one cannot be read: then the agent may still run with an older one."""


def open_ports(paths: Paths, agent: Agent, run: Run) -> tuple[int, ...]:
    """Let in what the configuration in force listens on.

    Returns:
        The ports that were opened in addition to those of every board.
    """
    config = paths.etc / "config.json"
    if not config.is_file():
        return ()
    try:
        verdict = agent.check(config)
    except AgentSilentError:
        return ()
    wanted = tuple(port for port in verdict.ports if port not in ALWAYS)
    for port in wanted:
        run("nft", "add", "element", "inet", "board", "admitted", f"{{ {port} }}")
    return wanted
