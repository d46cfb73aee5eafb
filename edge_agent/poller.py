"""The loop around one source: when to ask, how long to wait, what to say while there is no answer.

One poller per machine, each a task of its own: a slow or dead printer delays nobody else. A poller publishes
an `Observation` after every cycle, and also between cycles when the last answer gets too old to be trusted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Never

from msgspec import Struct

from .chronicle import Chronicle
from .errors import SourceError, Starting, Unreachable
from .events import Event
from .health import Health
from .model import Machine, MachineState, Quality, Situation, Snapshot, StateTable
from .observation import Observation, Polls, situation
from .sources import Source
from .store import Store

log = logging.getLogger(__name__)

STALE_INTERVALS = 3
SILENT_S = 60.0
MAX_BACKOFF_S = 60.0
PATIENT_BACKOFF_S = 10.0
STARTING_BACKOFF_S = 5.0
JITTER = 0.2
SENSOR_SILENT_S = 30.0
SLOW_RESPONSE_S = 0.5
MAX_SLOW_INTERVAL_S = 30.0
_PACE_WINDOW = 11
_MOMENT_S = 0.001
_FIRST_GRACE_S = 2.0
"""For what a first cycle does beside asking; then the agent is ready without it."""


class Polling(Struct, frozen=True, kw_only=True):
    """How often machines are asked.

    ``interval_s`` while a print is on or can begin at any moment, ``idle_interval_s`` while none can (printer off,
    disconnected, fault). ``timeout_s`` is the deadline of a whole cycle.
    """

    interval_s: float = 1.0
    idle_interval_s: float = 5.0
    timeout_s: float = 8.0


class Pace:
    """How much slower than configured a struggling server is asked."""

    def __init__(self) -> None:
        self._response_times_s: deque[float] = deque(maxlen=_PACE_WINDOW)
        self.factor = 1
        self.typical_s = 0.0

    def note(self, response_time_s: float, interval_s: float) -> bool:
        """Note one answer; true when the factor changed. ``interval_s`` is the configured one."""
        self._response_times_s.append(response_time_s)
        if len(self._response_times_s) < _PACE_WINDOW:
            return False
        self.typical_s = typical_s = median(self._response_times_s)
        factor = self.factor
        if typical_s > SLOW_RESPONSE_S and interval_s * factor * 2 <= MAX_SLOW_INTERVAL_S:
            factor *= 2
        elif typical_s < SLOW_RESPONSE_S / 2 and factor > 1:
            factor //= 2
        if factor == self.factor:
            return False
        self.factor = factor
        self._response_times_s.clear()  # judge the new pace by answers given at the new pace
        return True


def backoff_s(error: SourceError, failures: int, interval_s: float, dice: random.Random) -> float:
    """Seconds to wait after the ``failures``-th failure in a row.

    At most `MAX_BACKOFF_S` and never less than the interval; with jitter, so that machines that failed together are
    not asked together.
    """
    if isinstance(error, Starting):
        wait_s = min(interval_s * failures, STARTING_BACKOFF_S)
    else:
        first_s = max(interval_s, PATIENT_BACKOFF_S) if error.patient else interval_s
        wait_s = first_s * 2.0 ** min(failures - 1, 10)
    # Limited before the jitter: the longest waits need it most, since a long outage is what ends for all at once.
    wait_s = min(wait_s, MAX_BACKOFF_S / (1.0 + JITTER)) * (1.0 + dice.uniform(-JITTER, JITTER))
    return max(wait_s, interval_s)


class Poller:
    """One machine's loop. ``chronicle`` knows what happens to the machine, and to its prints."""

    def __init__(
        self,
        *,
        machine: Machine,
        source: Source,
        store: Store,
        health: Health,
        polling: Polling,
        states: StateTable,
        now: Callable[[], datetime],
        dice: random.Random,
        offset_s: float = 0.0,
        chronicle: Chronicle | None = None,
    ) -> None:
        self._machine = machine
        self._source = source
        self._store = store
        self._health = health
        self._polling = polling
        self._states = states
        self._now = now
        self._dice = dice
        self._offset_s = offset_s
        self._chronicle = chronicle or Chronicle(machine.id, now=now)
        self._happened = asyncio.Event()
        self._pace = Pace()
        self._snapshot: Snapshot | None = None
        self._situation: Situation | None = None
        self._last_seen: datetime | None = None
        self._error: SourceError | None = None
        self._failures = 0
        self._polls = Polls()
        self._asked_at = 0.0  # monotonic
        self._answered_at = 0.0  # monotonic; the start counts, so that silence from the beginning is silence
        self._sensors_at = 0.0
        self._ageing: asyncio.TimerHandle | None = None

    async def run(self) -> Never:
        """Poll until cancelled. A source that raises what it should not is this machine's failure, not the agent's."""
        loop = asyncio.get_running_loop()
        self._answered_at = self._sensors_at = loop.time()
        deadline_s = 1.5 * max(MAX_BACKOFF_S, self._polling.interval_s, self._polling.idle_interval_s)
        part = f"poller of {self._machine.id}"
        heartbeat = self._health.register(
            part,
            kind="a machine's poller",
            deadline_s=deadline_s + self._polling.timeout_s,
            first_s=self._offset_s + self._polling.timeout_s + _FIRST_GRACE_S,
        )
        try:
            self._publish()
            await asyncio.sleep(self._offset_s)
            while True:
                delay_s = await self._cycle()
                heartbeat.beat()
                await self._rest(delay_s)
        finally:
            self._health.forget(part)
            if self._ageing is not None:
                self._ageing.cancel()
            await self._chronicle.save()

    async def _rest(self, delay_s: float) -> None:
        """Sleep, but tell what happens meanwhile: values get too old for use between two questions as well."""
        loop = asyncio.get_running_loop()
        until = loop.time() + delay_s
        while True:
            if self._happened.is_set():
                self._happened.clear()
                self._announce(await self._chronicle.tell())
            try:
                async with asyncio.timeout_at(until):
                    await self._happened.wait()
            except TimeoutError:
                return

    def _announce(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._store.announce(event)

    async def _cycle(self) -> float:
        """Ask once, publish, and say how many seconds to rest."""
        loop = asyncio.get_running_loop()
        started = self._asked_at = loop.time()
        try:
            async with asyncio.timeout(self._polling.timeout_s):
                snapshot = await self._source.fetch()
            events = await self._chronicle.answered(snapshot, longest_step_s=STALE_INTERVALS * self._interval_s())
        except SourceError as error:
            return self._failed(error)
        except TimeoutError:
            url, limit_s = self._machine.url, self._polling.timeout_s
            return self._failed(
                Unreachable(f"{url}: no answer within {limit_s:g} s; check that the host is on and not overloaded")
            )
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # otherwise nobody cancelled us: without this a poller would end, and no one would notice
            kind = type(error).__name__
            if not self._is_known(f"a bug of the agent ({kind})"):
                log.exception("%s: a bug of the agent in reading this machine; the others go on", self._machine.id)
            return self._failed(SourceError(f"a bug of the agent ({kind}); its log has the details: please report it"))
        self._answered(snapshot)
        self._announce(events)
        elapsed_s = loop.time() - started
        # At most half the time spent asking: a server slower than its interval gets room for its own work.
        return max(self._interval_s() - elapsed_s, min(elapsed_s, self._interval_s()))

    def _answered(self, snapshot: Snapshot) -> None:
        loop_time = asyncio.get_running_loop().time()
        previous = self._snapshot
        if self._error is not None:
            log.info("%s: answers again after %d failures", self._machine.id, self._failures)
        if previous is None or snapshot.state is not previous.state or snapshot.error != previous.error:
            log.info("%s: %s%s", self._machine.id, snapshot.state.value, f" ({snapshot.error})" * bool(snapshot.error))
        if snapshot.advice and (previous is None or snapshot.advice != previous.advice):
            log.warning("%s: %s", self._machine.id, snapshot.advice)
        if previous is None or snapshot.temperatures_at is None or snapshot.temperatures_at != previous.temperatures_at:
            self._sensors_at = loop_time
        self._situation = situation(snapshot, self._chronicle.run, before=self._situation)
        self._snapshot, self._last_seen = snapshot, snapshot.observed_at
        self._answered_at = loop_time
        self._error, self._failures = None, 0
        self._count_cycle(failed=False)
        if self._pace.note(snapshot.response_time_s, self._configured_s()):
            log.warning(
                "%s: its server takes %.0f ms for an answer; it is asked every %g s now",
                self._machine.id, self._pace.typical_s * 1000, self._interval_s(),
            )  # fmt: skip
        self._publish()

    def _failed(self, error: SourceError) -> float:
        if not self._is_known(str(error)):
            log.warning("%s: %s", self._machine.id, error)
        self._error = error
        self._failures += 1
        self._count_cycle(failed=True)
        self._publish()
        return backoff_s(error, self._failures, self._interval_s(), self._dice)

    def _count_cycle(self, *, failed: bool) -> None:
        duration_s = asyncio.get_running_loop().time() - self._asked_at
        before = self._polls
        self._polls = Polls(cycles=before.cycles + 1, failures=before.failures + failed, duration_s=duration_s)

    def _is_known(self, text: str) -> bool:
        """This failure has been logged already: conditions are logged when they change, not once a poll."""
        return self._error is not None and str(self._error).startswith(text)

    def _configured_s(self) -> float:
        """The interval for the machine's present state, before any lengthening."""
        if self._snapshot is None or self._snapshot.state.connected:
            return self._polling.interval_s
        if self._snapshot.state is MachineState.CONNECTING:
            return self._polling.interval_s
        return self._polling.idle_interval_s

    def _interval_s(self) -> float:
        configured_s = self._configured_s()
        # The factor may stem from another state, whose interval is shorter.
        return max(configured_s, min(configured_s * self._pace.factor, MAX_SLOW_INTERVAL_S))

    def _publish(self) -> None:
        """Publish what is known now, and come back when its quality changes by mere age."""
        loop = asyncio.get_running_loop()
        age_s = loop.time() - self._answered_at
        stale_s = STALE_INTERVALS * self._interval_s()
        silent_s = max(SILENT_S, stale_s)
        quality = self._quality(age_s, stale_s=stale_s, silent_s=silent_s)
        snapshot = self._snapshot
        lost = quality in {Quality.NO_COMMUNICATION, Quality.ACCESS_DENIED} or (snapshot is None and self._failures > 0)
        meaning = self._states.rows[self._situation] if self._situation else None
        shown = self._states.unreachable if lost or meaning is None else meaning
        sensors_silent = loop.time() - self._sensors_at > max(SENSOR_SILENT_S, stale_s)
        self._store.publish(
            Observation(
                machine=self._machine,
                quality=quality,
                temperature_quality=Quality.UNCERTAIN if sensors_silent and quality is Quality.GOOD else quality,
                reachable=self._error is None and snapshot is not None,
                mes_status=shown.mes_status,
                stack_light=shown.stack_light,
                poll_interval_s=self._interval_s(),
                error=str(self._error or ""),
                failure=self._error.failure if self._error is not None else None,
                snapshot=snapshot,
                meaning=meaning,
                run=self._chronicle.run,
                recent=self._chronicle.recent,
                counters=self._chronicle.counters,
                polls=self._polls,
                last_seen=self._last_seen,
            )
        )
        if self._chronicle.unanswered(quality, str(self._error or "")):
            self._happened.set()
        if self._ageing is not None:
            self._ageing.cancel()
        later = [limit_s - age_s for limit_s in (stale_s, silent_s) if limit_s > age_s]
        # Not at once, should a limit be missed by a rounding: the clock need not move before this is called again.
        self._ageing = loop.call_later(max(min(later), _MOMENT_S), self._publish) if later else None

    def _quality(self, age_s: float, *, stale_s: float, silent_s: float) -> Quality:
        if self._error is not None and self._error.access_denied:
            return Quality.ACCESS_DENIED
        if age_s >= silent_s:
            return Quality.NO_COMMUNICATION
        if self._snapshot is None:
            return Quality.WAITING
        return Quality.UNCERTAIN if age_s >= stale_s else Quality.GOOD
