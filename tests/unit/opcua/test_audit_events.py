"""Every audit event has the fields of its type, and a flood of them costs little and pushes nothing else out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User
from msgspec.structs import replace

from edge_agent.sinks.opcua.events.event_filter import Occurrence
from edge_agent.sinks.opcua.monitoring.subscription import Owner
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.security.policies import Nobody
from edge_agent.sinks.opcua.security.users import Reader
from edge_agent.sinks.opcua.sessions import door
from edge_agent.sinks.opcua.sessions.door import Caller, Happened, Outcome
from edge_agent.sinks.opcua.sessions.inner import InnerServer
from edge_agent.sinks.opcua.sessions.session import Session
from edge_agent.sinks.opcua.sessions.session_life import Security
from edge_agent.sinks.opcua.space import wire
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key, Nodeset, key
from edge_agent.sinks.opcua.status import audit
from edge_agent.sinks.opcua.status.audit import Audit

Codes = ua.StatusCodes
MANDATORY, OPTIONAL = Key(0, 78), Key(0, 80)
HAS_PROPERTY, HAS_RULE = Key(0, 46), Key(0, 37)
CALLER = Caller(
    address="192.0.2.7",
    asked_at=datetime(2026, 11, 22, tzinfo=UTC),
    channel_id="6",
    certificate=b"0\x82",
    audit_entry_id="a",
)
REFUSED = Outcome(code=Codes.BadUserAccessDenied, why="wrong password")
SESSION = wire.node_id(Key(1, "session"))


def channel(outcome: Outcome = door.GOOD, **changes: Any) -> door.ChannelAsked:
    return door.ChannelAsked(
        caller=replace(CALLER, **changes),
        outcome=outcome,
        renewal=False,
        policy_uri="http://example.org/policy",
        mode=ua.MessageSecurityMode.SignAndEncrypt,
        lifetime_ms=60_000.0,
    )


def log_in(outcome: Outcome = door.GOOD, *, user: str | None = "bob", anonymous: bool = False) -> door.LogInAsked:
    return door.LogInAsked(
        caller=CALLER, outcome=outcome, user=user, anonymous=anonymous, policy_id="username", session_id=SESSION
    )


def end(ending: door.Ending, user: str | None = "bob") -> door.SessionEnded:
    return door.SessionEnded(session_id=SESSION, user=user, application_uri="urn:mes", ending=ending)


def session(outcome: Outcome = door.GOOD, session_id: ua.NodeId | None = SESSION) -> door.SessionAsked:
    return door.SessionAsked(caller=CALLER, outcome=outcome, session_id=session_id, timeout_ms=60_000.0)


def of_certificate(code: int) -> Outcome:
    return Outcome(code=code, why="because", of_certificate=True)


class Subscribers:
    """In place of all subscriptions."""

    def __init__(self, *, anybody: bool = True) -> None:
        self.anybody = anybody
        self.told: list[Occurrence] = []

    def is_heard(self, node: ua.NodeId, *, by: Callable[[Owner], bool]) -> bool:  # noqa: ARG002 - theirs
        return self.anybody

    def tell(self, occurrence: Occurrence, notifiers: Iterable[ua.NodeId], *, to: Callable[[Owner], bool]) -> None:  # noqa: ARG002 - theirs
        self.told.append(occurrence)


class Clock:
    """Tells the seconds that it is set to."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def told(*happened: Happened) -> list[Occurrence]:
    subscribers: Any = Subscribers()
    made = Audit(subscribers, server_id="urn:us", monotonic=Clock())
    for each in happened:
        made.note(each)
    return list(subscribers.told)


def value(occurrence: Occurrence, name: str) -> Any:
    return occurrence.fields[((0, name),)].Value


def properties(nodeset: Nodeset, event_type: Key) -> dict[str, tuple[Key, Key]]:
    """The rule and the DataType of every property of a type, its supertypes' too."""
    found = {}
    for each in nodeset.supertypes(event_type):
        for reference in nodeset[each].references:
            if reference.type == HAS_PROPERTY and reference.forward:
                row = nodeset[reference.target]
                [rule] = [other.target for other in row.references if other.type == HAS_RULE]
                found[row.name.partition(":")[2]] = rule, key(row.data_type)
    return found


HAPPENED: dict[str, Happened] = {
    "channel opened": channel(),
    "channel refused": channel(Outcome(code=Codes.BadNonceInvalid, why="a nonce")),
    "channel closed": door.ChannelClosed(caller=CALLER),
    "session created": session(),
    "session refused": session(Outcome(code=Codes.BadTooManySessions, why="full"), None),
    "logged in": log_in(),
    "anonymous": log_in(user=None, anonymous=True),
    "not let in": log_in(REFUSED),
    "closed": end(door.Ending.CLOSED),
    "timed out": end(door.Ending.TIMED_OUT),
    "uri": session(of_certificate(Codes.BadCertificateUriInvalid), None),
    "revoked": channel(of_certificate(Codes.BadCertificateRevoked)),
}


@pytest.mark.parametrize("happened", HAPPENED.values(), ids=HAPPENED)
def test_an_event_has_the_fields_of_its_type_and_their_types(nodeset: Nodeset, happened: Happened) -> None:
    for occurrence in told(happened):
        declared = properties(nodeset, wire.key(occurrence.event_type))
        has = {path[0][1]: field for path, field in occurrence.fields.items()}
        assert {name for name, (rule, _) in declared.items() if rule == MANDATORY} <= has.keys() <= declared.keys()
        for name, field in has.items():
            data_type = declared[name][1]
            kind = (
                ua.VariantType.ExtensionObject
                if is_structure(nodeset, data_type)
                else wire.built_in(nodeset, data_type)
            )
            assert field.VariantType in (kind, ua.VariantType.Null), name


def is_structure(nodeset: Nodeset, data_type: Key) -> bool:
    return Key(0, ua.ObjectIds.Structure) in nodeset.supertypes(data_type)


@pytest.mark.parametrize(
    ("code", "event_type"),
    [
        (Codes.BadCertificateTimeInvalid, 2085),
        (Codes.BadCertificateIssuerTimeInvalid, 2085),
        (Codes.BadCertificateInvalid, 2086),
        (Codes.BadCertificatePolicyCheckFailed, 2086),
        (Codes.BadCertificateUntrusted, 2087),
        (Codes.BadCertificateRevoked, 2088),
        (Codes.BadCertificateUseNotAllowed, 2089),
        (Codes.BadCertificateUriInvalid, 2082),
    ],
)
def test_what_is_wrong_with_a_certificate_is_the_events_type(code: int, event_type: int) -> None:
    of_the_certificate, of_the_channel = told(channel(of_certificate(code)))
    assert of_the_certificate.event_type == wire.node_id(Key(0, event_type))
    assert value(of_the_certificate, "StatusCodeId").value == code
    assert value(of_the_channel, "CertificateErrorEventId") == value(of_the_certificate, "EventId")


def test_the_uri_that_does_not_match_is_told() -> None:
    asked = session(of_certificate(Codes.BadCertificateUriInvalid), None)
    mismatch, refused = told(replace(asked, caller=replace(CALLER, application_uri="urn:not:mine")))
    assert (value(mismatch, "InvalidUri"), value(mismatch, "InvalidHostname")) == ("urn:not:mine", None)
    assert value(refused, "SessionId").is_null()


@pytest.mark.parametrize(
    ("ending", "source", "severity"),
    [
        (door.Ending.CLOSED, "Session/CloseSession", 100),
        (door.Ending.TIMED_OUT, "Session/Timeout", 300),
        (door.Ending.TERMINATED, "Session/Terminated", 300),
    ],
)
def test_how_a_session_ended_is_the_source(ending: door.Ending, source: str, severity: int) -> None:
    [ended] = told(end(ending))
    assert (value(ended, "SourceName"), value(ended, "Severity")) == (source, severity)


def test_an_anonymous_client_has_no_user_id() -> None:
    [came] = told(log_in(user=None, anonymous=True))
    assert value(came, "ClientUserId") is None
    assert isinstance(value(came, "UserIdentityToken"), ua.AnonymousIdentityToken)


def test_a_certificate_of_any_size_is_told_by_its_thumbprint_only() -> None:
    [opened] = told(channel(certificate=b"0" * (audit.MOST_CERTIFICATE_BYTES + 1)))
    assert value(opened, "ClientCertificate") is None
    assert len(value(opened, "ClientCertificateThumbprint")) == 40


def test_a_flood_of_strangers_is_told_in_part_and_how_much_was_left_out() -> None:
    subscribers: Any = Subscribers()
    clock = Clock()
    made = Audit(subscribers, server_id="urn:us", monotonic=clock)
    for _ in range(10_000):
        made.note(log_in(REFUSED, user=None))
    assert len(subscribers.told) == audit.BURST
    made.note(log_in())
    assert value(subscribers.told[-1], "Message").Text.endswith(
        "(and 9900 more that strangers did before were left out)"
    )
    clock.s = 1.0
    for _ in range(10_000):
        made.note(channel())
    assert len(subscribers.told) == audit.BURST + 1 + audit.PER_S


def test_who_has_a_password_is_always_told_of() -> None:
    happened: list[Happened] = [log_in(), end(door.Ending.CLOSED)]
    assert len(told(*happened * 1000)) == 2000


def test_nothing_is_made_that_nobody_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Audit, "_report", lambda *_, **__: pytest.fail("an event was made"))
    subscribers: Any = Subscribers(anybody=False)
    made = Audit(subscribers, server_id="urn:us")
    for happened in HAPPENED.values():
        made.note(happened)


Encrypted, Signed, Plain = (
    ua.MessageSecurityMode.SignAndEncrypt, ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.None_,
)  # fmt: skip


@pytest.mark.parametrize(
    ("user", "mode", "hears"),
    [
        (Reader(name="scada", proof=b"p"), Encrypted, True),
        (Reader(name="scada", proof=b"p"), Signed, False),
        (Reader(name="scada", proof=b"p"), Plain, False),
        (Reader(name="anonymous"), Encrypted, False),
        (Reader(name="mes-1", mes_ids=frozenset({1}), proof="h"), Encrypted, False),
        (Reader(name="mes-1", mes_ids=frozenset(), proof="h"), Encrypted, False),
        (User(), Encrypted, False),
    ],
)
def test_who_reads_all_has_a_name_and_is_not_overheard_hears_of_it(
    space: AddressSpace, user: User, mode: ua.MessageSecurityMode, *, hears: bool
) -> None:
    server = InnerServer(space, Nobody(), limits=Limits())
    owner = Session(server, server.served, name="a client", user=user, external=True)
    owner._first_security = Security(certificate=b"", mode=mode)
    assert audit.may_hear(owner) is hears


def fail(_: Happened) -> None:
    raise ValueError


def test_a_listener_that_fails_keeps_no_other_from_hearing() -> None:
    heard: list[Happened] = []
    made = door.Door()
    made.listen(fail)
    made.listen(heard.append)
    made.tell(end(door.Ending.CLOSED))
    assert len(heard) == 1
