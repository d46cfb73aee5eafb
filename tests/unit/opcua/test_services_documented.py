"""docs/services.md says what subscriptions do: its figures are those in force."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncua import ua
from asyncua.server.server import Server

from edge_agent.sinks.opcua.events import content_filter
from edge_agent.sinks.opcua.monitoring import event_item, value_item
from edge_agent.sinks.opcua.monitoring import subscription as one
from edge_agent.sinks.opcua.monitoring.subscriptions import REQUESTS_BESIDE
from edge_agent.sinks.opcua.options import Limits, OpcUaOptions
from edge_agent.sinks.opcua.security import policies
from edge_agent.sinks.opcua.sessions import shutdown

TEXT = " ".join((Path(__file__).parents[3] / "docs" / "services.md").read_text(encoding="utf-8").split())


def most_of_all() -> int:
    server = Server()
    policies.restrict(server, OpcUaOptions())
    return server.iserver.max_subscriptions


async def test_subscriptions_are_limited_as_documented() -> None:
    assert f"{Limits().max_subscriptions} in a session and {most_of_all()} in all" in TEXT
    assert f"half of the {most_of_all()} subscriptions, and of the {Limits().max_total_monitored_items:,} mon" in TEXT


@pytest.mark.parametrize(
    "sentence",
    [
        f"Interval {one.LEAST_INTERVAL_S * 1000:.0f} ms to {one.MOST_INTERVAL_S / 3600:.0f} h",
        f"Keep-alive 0 is {one.DEFAULT_KEEP_ALIVE} cycles",
        f"kept are the last {one.MOST_MESSAGES}, and of those that hold more than {one.MOST_KEPT:,} notifications",
        f"A message holds at most {one.MOST_PER_MESSAGE:,} notifications",
        f"{Limits().max_monitored_items:,} in a session and {Limits().max_total_monitored_items:,} in all",
        f"When the agent stops, it says so for {shutdown.GRACE_S} s",
        f"1 to {value_item.MOST_QUEUED} values; events {event_item.LEAST_QUEUED} to {event_item.MOST_QUEUED:,}",
        f"at most {value_item.MOST_SAMPLING_S / 3600:.0f} h",
    ],
)
def test_figures_are_those_in_force(sentence: str) -> None:
    assert sentence in TEXT


def test_words_for_figures() -> None:
    assert (one.DEFAULT_LIFETIME_S, one.MOST_LIFETIME_S, one.CYCLES_PER_LIFE, REQUESTS_BESIDE) == (60, 3600, 3, 10)
    assert "Lifetime 0 is a minute; at least three keep-alives, at most an hour" in TEXT
    assert "ten more than there are subscriptions" in TEXT


def test_operators_that_are_left_out_are_named() -> None:
    left_out = [operator.name for operator in ua.FilterOperator if operator not in content_filter._OPERANDS]
    assert f"all operators but {', '.join(left_out[:-1])} and {left_out[-1]};" in TEXT
