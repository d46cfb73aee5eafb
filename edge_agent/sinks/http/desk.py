"""The pages with forms: which there are, who may use them, and what a form must bring to be looked at.

A form is looked at if it was filled in on a page of ours (`forms.from_our_page`), and beyond the door if it comes with
a session's cookie and with the token that only that session's pages have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus

from msgspec.structs import replace

from ...errors import EdgeAgentError
from .about import About
from .access import Access
from .access_page import note_page
from .answers import refuse
from .door import HOME, LOG_IN, Door
from .fields import TOKEN
from .forms import BadForm, by_https, from_our_page, read_form, tokens
from .guide import Guide
from .guide_words import guide_words
from .library import web
from .listener import Deadline
from .sessions import Session
from .visit import Act, Visit, see
from .words import words_for

log = logging.getLogger(__name__)

_PATIENCE_S = 45.0
"""A printer is asked while its form is answered."""


class Desk:
    """All of them. Without an admin in ``about`` they only say that nothing can be changed."""

    def __init__(self, about: About) -> None:
        self._access = Access(about.admin) if about.admin is not None else None
        self._outside: Mapping[str, Act] = Door(self._access).acts if self._access is not None else {}
        self._told = ""
        self._sets_up = about.set_up is not None
        self._inside: Mapping[str, Act] = Guide(about).acts
        self._paths = frozenset({*self._inside, LOG_IN, "/logout", "/password"})

    def notice(self) -> str:
        """What to say in the log once the page is open; empty if there is nothing."""
        if self._access is None or not self._sets_up:
            return ""
        try:
            open_s = self._access.admin.first_use_s
        except EdgeAgentError as error:
            return f"nothing can be changed on the status page: {error}"
        minutes = f"{open_s / 60:.0f} min"
        return f"the status page's admin password is not set: for {minutes} anybody may set it" if open_s else ""

    def has(self, path: str) -> bool:
        """Is this one of the pages with forms."""
        return path in self._paths

    def admin(self, request: web.BaseRequest) -> Session | None:
        """The session of somebody who may change things."""
        sent = [*tokens(request)]
        if self._access is None or not sent:
            return None
        try:
            return self._access.session(sent, used=False)
        except EdgeAgentError:
            return None  # the pages with forms say what is wrong

    async def answer(self, request: web.BaseRequest, deadline: Deadline) -> web.Response:
        """Answer a request for one of the pages, or a form that was sent to it."""
        posted = request.method == "POST"
        if posted and not from_our_page(request):
            return _closed(
                request, HTTPStatus.FORBIDDEN, "a form is taken only from a page of this agent, in a browser"
            )
        words = words_for(request.headers.get("Accept-Language", ""))
        guide = guide_words(words.language)
        visit = Visit(
            words=words, guide=guide, address=request.remote or "", query=request.query, secure=by_https(request)
        )
        if self._access is None:
            return visit.page(note_page(words, guide.title, guide.access.not_here), status=HTTPStatus.NOT_FOUND)
        try:
            # A page that is left open asks for itself anew; only a person makes a browser ask for HTML.
            used = posted or "text/html" in request.headers.get("Accept", "")
            session = self._access.session(tokens(request), used=used)
            if session is None and request.path in self._inside:
                return _before_the_door(posted=posted)
            form = await read_form(request) if posted else None
            if (
                form is not None
                and session is not None
                and request.path != LOG_IN
                and not session.sent(form.get(TOKEN, ""))
            ):
                stale = note_page(words, guide.title, guide.access.stale_form, link=(HOME, guide.title))
                return visit.page(stale, status=HTTPStatus.FORBIDDEN)
            deadline.reschedule(asyncio.get_running_loop().time() + _PATIENCE_S)
            act = self._inside.get(request.path) or self._outside[request.path]
            return await act(replace(visit, form=form, session=session))
        except BadForm as bad:
            return _closed(request, bad.status, str(bad))
        except EdgeAgentError as error:
            if str(error) != self._told:  # once, and not for everybody who asks
                log.warning("%s: %s", request.path, error)
            self._told = str(error)
            return visit.page(note_page(words, guide.title, str(error)), status=HTTPStatus.SERVICE_UNAVAILABLE)

    def close(self) -> None:
        """No more of it."""
        if self._access is not None:
            self._access.close()


def _before_the_door(*, posted: bool) -> web.Response:
    return see(f"{LOG_IN}?ended" if posted else LOG_IN)


def _closed(request: web.BaseRequest, status: int, reason: str) -> web.Response:
    """Refuse what may not have been read to its end."""
    response = refuse(request, status, reason)
    response.force_close()
    return response
