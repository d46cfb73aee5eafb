"""What tests of subscriptions ask of them, beside what a session of theirs can."""

from __future__ import annotations

from typing import Any, cast

from asyncua import ua

from tests.unit.opcua.subscriber import Session


def modify(session: Session, subscription: int, interval_ms: float, **more: Any) -> ua.ModifySubscriptionResult:
    ids = cast("ua.IntegerId", subscription), cast("ua.Duration", interval_ms)
    return session.of.modify(session, ua.ModifySubscriptionParameters(*ids, **more))


def republish(session: Session, subscription: int, number: int) -> ua.NotificationMessage:
    params = ua.RepublishParameters(cast("ua.IntegerId", subscription), cast("ua.Counter", number))
    return session.of.republish(session, params)


def numbers(session: Session) -> list[int]:
    return [int(result.NotificationMessage.SequenceNumber) for result in session.told]
