"""ServerDiagnosticsSummary: what it counts is what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.crypto.permission_rules import User
from asyncua.ua.uaerrors import BadUserAccessDenied, UaStatusCodeError

from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import Limits, OpcUaUser
from edge_agent.sinks.opcua.security.policies import Nobody
from edge_agent.sinks.opcua.sessions import door
from edge_agent.sinks.opcua.sessions.inner import InnerServer
from edge_agent.sinks.opcua.sessions.session_life import LivingSession, Security
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.status.counts import _NUMBERS, Counts
from tests.endpoint import Bench
from tests.opcua_wire import EndedError, RefusedError, connected

from .auditor import client_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

ALICE = ("alice", "correct horse")
SUMMARY, ENABLED = 2275, 2294
Codes = ua.StatusCodes
CALLER = door.Caller(address="192.0.2.7", asked_at=datetime(2026, 11, 22, tzinfo=UTC))
LOGGED_IN = User(name="alice")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    user = OpcUaUser(name=ALICE[0], password=Secret(ALICE[1]))
    made = Bench(tmp_path_factory.mktemp("opcua"), users=(user,), anonymous=True)
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def client(bench: Bench) -> AsyncIterator[Client]:
    async with bench.client() as made:
        yield made


def node(number: int) -> ua.NodeId:
    return ua.NodeId(number)  # type: ignore[arg-type]


async def summary(client: Client) -> dict[str, int]:
    """The structure."""
    value = await client.get_node(node(SUMMARY)).read_value()
    return {name: getattr(value, name) for name in _NUMBERS}


async def when(client: Client, **expected: int) -> dict[str, int]:
    """The figures, once these are as expected: that a connection is lost shows a moment later."""
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(5):
            while not expected.items() <= found.items():
                found = await summary(client)
                await asyncio.sleep(0.05)
    except TimeoutError:
        assert found | expected == found
    return found


async def test_sessions_and_subscriptions_are_counted(bench: Bench, client: Client) -> None:
    before = await summary(client)
    assert before["CurrentSessionCount"] == 1
    other = bench.client()
    await other.connect()
    for interval in (100, 100, 250):
        await other.create_subscription(interval, Silent())
    during = await when(
        client,
        CurrentSessionCount=2,
        CumulatedSessionCount=before["CumulatedSessionCount"] + 1,
        CurrentSubscriptionCount=3,
        CumulatedSubscriptionCount=before["CumulatedSubscriptionCount"] + 3,
        PublishingIntervalCount=2,
    )
    await other.disconnect()
    after = await when(client, CurrentSessionCount=1, CurrentSubscriptionCount=0, PublishingIntervalCount=0)
    for total in ("CumulatedSessionCount", "CumulatedSubscriptionCount", "SessionAbortCount", "SessionTimeoutCount"):
        assert after[total] == during[total]


class Silent:
    """Takes what a subscription brings."""

    def datachange_notification(self, *_: object) -> None:
        """Forget it."""


async def test_log_ins_that_are_refused_are_counted(bench: Bench, client: Client) -> None:
    before = await summary(client)
    with pytest.raises(BadUserAccessDenied):
        await (await client_of(bench, ALICE[0], "wrong")).connect()
    await when(
        client,
        SecurityRejectedSessionCount=before["SecurityRejectedSessionCount"] + 1,
        RejectedSessionCount=before["RejectedSessionCount"] + 1,
        SecurityRejectedRequestsCount=before["SecurityRejectedRequestsCount"] + 1,
        RejectedRequestsCount=before["RejectedRequestsCount"] + 1,
    )


async def test_other_refusals_are_not_of_security_and_not_of_sessions(client: Client) -> None:
    before = await summary(client)
    with pytest.raises(UaStatusCodeError, match="BadNothingToDo"):
        await client.uaclient.read(ua.ReadParameters())
    after = await when(client, RejectedRequestsCount=before["RejectedRequestsCount"] + 1)
    for same in ("SecurityRejectedRequestsCount", "RejectedSessionCount", "SecurityRejectedSessionCount"):
        assert after[same] == before[same]


async def test_a_channel_that_is_refused_is_a_request_that_is(bench: Bench, client: Client) -> None:
    before = await summary(client)
    async with connected(bench.sink.port) as stranger:
        await stranger.greet()
        await stranger.send(stranger.opening(SecurityMode=ua.MessageSecurityMode.Sign))
        with pytest.raises(EndedError, match="BadSecurityModeRejected"):
            await stranger.answer()
    await when(
        client,
        RejectedRequestsCount=before["RejectedRequestsCount"] + 1,
        SecurityRejectedRequestsCount=before["SecurityRejectedRequestsCount"] + 1,
    )


async def test_a_session_whose_connection_is_lost_is_aborted(bench: Bench, client: Client) -> None:
    before = await summary(client)
    async with connected(bench.sink.port) as gone:
        await gone.log_in()
    after = await when(client, SessionAbortCount=before["SessionAbortCount"] + 1)
    assert after["CurrentSessionCount"] == before["CurrentSessionCount"]
    assert after["CumulatedSessionCount"] == before["CumulatedSessionCount"] + 1


async def test_a_session_that_is_not_let_in_twice_over_is_counted_twice(bench: Bench, client: Client) -> None:
    before = await summary(client)
    async with connected(bench.sink.port) as stranger:
        await stranger.greet()
        await stranger.open()
        await stranger.create_session()
        for _ in range(2):
            with pytest.raises(RefusedError):
                await stranger.activate("alice", "wrong")
    await when(client, RejectedSessionCount=before["RejectedSessionCount"] + 2)


async def test_each_figure_is_a_variable_too_that_says_the_same(client: Client) -> None:
    single = {name: await client.get_node(node(number)).read_value() for name, number in _NUMBERS.items()}
    assert single == await summary(client)
    types = [(await client.get_node(node(each)).read_data_value()).Value for each in _NUMBERS.values()]
    assert {value.VariantType for value in types if value} == {ua.VariantType.UInt32}
    assert single["ServerViewCount"] == 0


async def test_the_figures_can_be_subscribed_to(bench: Bench, client: Client) -> None:
    told: asyncio.Queue[int] = asyncio.Queue()

    class Keep:
        def datachange_notification(self, _: object, value: int, __: object) -> None:
            told.put_nowait(value)

    subscription = await client.create_subscription(50, Keep())
    await subscription.subscribe_data_change(client.get_node(node(_NUMBERS["CumulatedSessionCount"])))
    async with asyncio.timeout(5):
        first = await told.get()
        async with bench.client():
            pass
        while await told.get() <= first:
            pass


async def test_nobody_switches_them_off(client: Client) -> None:
    enabled = client.get_node(node(ENABLED))
    assert await enabled.read_value() is True
    assert await enabled.get_access_level() == {ua.AccessLevel.CurrentRead}
    with pytest.raises(UaStatusCodeError, match="BadUserAccessDenied"):
        await enabled.write_value(False)


# --- without a wire ---


class Viewer:
    """Whoever reads."""

    session_id = node(1)


def shown(space: AddressSpace, name: str) -> int:
    value = space.read(Key(0, _NUMBERS[name]), viewer=Viewer()).Value
    assert value is not None
    return int(value.Value)


def counting(space: AddressSpace) -> Counts:
    counts = Counts(InnerServer(space, Nobody(), limits=Limits()))
    counts.show(space)
    return counts


async def test_every_session_ends_in_one_of_three_ways(space: AddressSpace) -> None:
    counts = counting(space)
    for times, ending in enumerate((door.Ending.CLOSED, door.Ending.TIMED_OUT, door.Ending.TERMINATED), 1):
        for _ in range(times):
            session_id = node(1)
            counts.note(door.SessionAsked(caller=CALLER, outcome=door.GOOD, session_id=session_id))
            counts.note(door.SessionEnded(session_id=session_id, user=None, application_uri="", ending=ending))
    assert shown(space, "CumulatedSessionCount") == 6
    assert [shown(space, name) for name in ("SessionTimeoutCount", "SessionAbortCount")] == [2, 3]


@pytest.mark.parametrize(
    ("code", "of_security"),
    [
        (Codes.BadUserAccessDenied, 1),
        (Codes.BadCertificateTimeInvalid, 1),
        (Codes.BadSecurityChecksFailed, 1),
        (Codes.BadTooManySessions, 0),
        (Codes.BadDecodingError, 0),
    ],
)
async def test_a_refusal_is_of_security_by_its_code(space: AddressSpace, code: int, of_security: int) -> None:
    counts = counting(space)
    counts.note(door.RequestRefused(code=code))
    assert shown(space, "RejectedRequestsCount") == 1
    assert shown(space, "SecurityRejectedRequestsCount") == of_security


async def test_a_figure_begins_anew_where_its_type_ends(space: AddressSpace) -> None:
    counts = counting(space)
    counts._counted["RejectedRequestsCount"] = 2**32 + 7
    assert shown(space, "RejectedRequestsCount") == 7


class Line:
    """A connection that is there."""

    policy_uri = "http://opcfoundation.org/UA/SecurityPolicy#None"
    security = Security(certificate=b"", mode=ua.MessageSecurityMode.None_)

    def let_go(self, session: LivingSession, code: int) -> None:
        """It may go."""

    def end(self, code: int, reason: str) -> None:
        """It ends."""


async def begun(space: AddressSpace, heard: list[door.Happened]) -> LivingSession:
    """A session that times out after a twentieth of a second."""
    server = InnerServer(space, Nobody(), limits=Limits())
    server.min_session_timeout_ms = 50.0
    server.served.door.listen(heard.append)
    made = server.create_session("made up", external=True)
    assert isinstance(made, LivingSession)
    line = Line()
    await made.begin(ua.CreateSessionParameters(), line, ("127.0.0.1", 4840))
    made.admit(LOGGED_IN, line)
    return made


async def test_a_session_that_times_out_says_so_once(space: AddressSpace) -> None:
    heard: list[door.Happened] = []
    session = await begun(space, heard)
    async with asyncio.timeout(5):
        await session._timeout_task  # type: ignore[misc]
    await session.close_session()
    [ended] = heard
    assert isinstance(ended, door.SessionEnded)
    assert (ended.ending, ended.user, ended.session_id) == (door.Ending.TIMED_OUT, "alice", session.session_id)


async def test_a_session_that_never_began_does_not_end(space: AddressSpace) -> None:
    heard: list[door.Happened] = []
    server = InnerServer(space, Nobody(), limits=Limits())
    server.served.door.listen(heard.append)
    await server.create_session("made up", external=True).close_session()
    assert heard == []
