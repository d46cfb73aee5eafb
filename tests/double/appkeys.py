"""The plugin Application Keys of the double: requests for keys, and who decides on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from .printer import encoded
from .wire import Answer, Question

PREFIX = "/plugin/appkeys/"
OVER_AFTER_S = 5.0
MOST_A_MINUTE = 3


@dataclass
class Pending:
    """A request that nobody has decided on. ``heard`` is when it was last asked about, by the loop's clock."""

    token: str
    app: str
    heard: float
    key: str | None = None


class AppKeys:
    """As 1.11.8 has it, without a dialog.

    Attributes:
        enabled: the plugin is switched on.
        pending: requests, the newest last.
        limited: more than three requests a minute are refused, as OctoPrint does.
        dialog: what is told as the dialog's address; by default the right one.
    """

    def __init__(self, base_url: Callable[[], str]) -> None:
        self._base_url = base_url
        self.enabled = True
        self.limited = True
        self.dialog: str | None = None
        self.pending: list[Pending] = []
        self._times: list[float] = []

    def allow(self, key: str) -> None:
        """Press Allow for the newest request: it gets this key."""
        self.pending[-1].key = key

    def deny(self) -> None:
        """Press Deny for the newest request."""
        self.pending.pop()

    def answer(self, question: Question, body: bytes, now: float) -> Answer:
        """What is answered to a path below ``PREFIX``."""
        self.pending = [one for one in self.pending if now - one.heard < OVER_AFTER_S]
        path = question.path.removeprefix(PREFIX)
        if self.enabled and (question.method, path) == ("GET", "probe"):
            return Answer(204, b"")
        if self.enabled and (question.method, path) == ("POST", "request"):
            return self._request(body, now)
        if self.enabled and question.method == "GET" and path.startswith("request/"):
            return self._decision(path.removeprefix("request/"), now)
        return Answer(404, b"<html>Not Found</html>", "text/html")

    def _request(self, body: bytes, now: float) -> Answer:
        self._times = [time for time in self._times if now - time < 60]
        if self.limited and len(self._times) >= MOST_A_MINUTE:
            return Answer(429, b"You have made too many app key requests. Please try again later.", "text/html")
        self._times.append(now)
        token = f"TOKEN{len(self._times):03d}{id(body):x}".upper()
        self.pending.append(Pending(token, str(json.loads(body)["app"]), now))
        dialog = self.dialog if self.dialog is not None else f"{self._base_url()}{PREFIX}auth/{token}"
        location = {"Location": f"{self._base_url()}{PREFIX}request/{token}"}
        return Answer(201, encoded({"app_token": token, "auth_dialog": dialog}), headers=location)

    def _decision(self, token: str, now: float) -> Answer:
        for one in self.pending:
            if one.token == token and one.key is None:
                one.heard = now
                return Answer(202, encoded({"message": "Awaiting decision"}))
            if one.token == token:
                self.pending.remove(one)
                return Answer(200, encoded({"api_key": one.key}))
        return Answer(404, b"<html>Not Found</html>", "text/html")
