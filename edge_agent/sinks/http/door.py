"""The acts before the door: log in, log out, set the password and change it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from ...secret import Secret
from . import access_page
from .access import Access, Refused, Why
from .library import web
from .sessions import Session
from .visit import Act, Visit, see

HOME = "/setup"
LOG_IN = "/login"
PASSWORD = "/password"  # noqa: S105 - a path

_STATUS = {
    Why.LOCKED: HTTPStatus.TOO_MANY_REQUESTS,
    Why.BUSY: HTTPStatus.TOO_MANY_REQUESTS,
    Why.UNFIT: HTTPStatus.OK,
    Why.ALREADY_SET: HTTPStatus.CONFLICT,
}


class Door:
    """``acts`` by path; those of `access` that need no session."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.acts: Mapping[str, Act] = {LOG_IN: self._log_in, "/logout": self._log_out, PASSWORD: self._password}

    async def _log_in(self, visit: Visit) -> web.Response:
        if not self._access.admin.proof:
            return see(PASSWORD)
        if visit.form is None:
            if visit.session is not None:
                return see(HOME)
            return visit.page(access_page.log_in_page(visit.words, visit.guide, ended="ended" in visit.query))
        try:
            token = await self._access.log_in(
                Secret(visit.form.get("password", "")), address=visit.address, secure=visit.secure
            )
        except Refused as refused:
            status = _STATUS.get(refused.why, HTTPStatus.FORBIDDEN)
            return visit.page(access_page.log_in_page(visit.words, visit.guide, why=refused.why), status=status)
        return see(HOME, token=token, secure=visit.secure)

    async def _log_out(self, visit: Visit) -> web.Response:
        if visit.form is not None and visit.session is not None:
            self._access.sessions.end(visit.session)
            return see("/", token="", secure=visit.session.secure)
        return see(HOME)

    async def _password(self, visit: Visit) -> web.Response:
        if not self._access.admin.proof:
            return await self._first(visit)
        if visit.session is None:
            # Somebody else has set it meanwhile, perhaps; the page says so to whoever meant to.
            return see(LOG_IN if visit.form is None else f"{LOG_IN}?ended")
        if visit.form is None:
            return visit.page(access_page.change_page(visit.words, visit.guide, token=visit.token))
        return await self._change(visit, visit.form, visit.session)

    async def _first(self, visit: Visit) -> web.Response:
        left_s = self._access.admin.first_use_s
        if not left_s:
            status = HTTPStatus.OK if visit.form is None else HTTPStatus.FORBIDDEN
            return visit.page(access_page.too_late_page(visit.words, visit.guide), status=status)
        minutes = ceil(left_s / 60)
        if visit.form is None:
            return visit.page(access_page.first_page(visit.words, visit.guide, minutes=minutes))
        new, again = visit.form.get("new", ""), visit.form.get("again", "")
        complaints = {"again": visit.guide.access.differ}
        status = HTTPStatus.OK
        if new == again:
            try:
                token = await self._access.set_first(Secret(new), address=visit.address, secure=visit.secure)
            except Refused as refused:
                complaints = {"new": visit.guide.access.refused[refused.why]}
                status = _STATUS.get(refused.why, HTTPStatus.FORBIDDEN)
            else:
                return see(HOME, token=token, secure=visit.secure)
        page = access_page.first_page(visit.words, visit.guide, minutes=minutes, complaints=complaints)
        return visit.page(page, status=status)

    async def _change(self, visit: Visit, form: Mapping[str, str], session: Session) -> web.Response:
        old, new, again = (form.get(name, "") for name in ("old", "new", "again"))
        complaints = {"again": visit.guide.access.differ}
        status = HTTPStatus.OK
        if new == again:
            try:
                token = await self._access.change(session, Secret(old), Secret(new), address=visit.address)
            except Refused as refused:
                name = "new" if refused.why is Why.UNFIT else "old"
                complaints = {name: visit.guide.access.refused[refused.why]}
                status = _STATUS.get(refused.why, HTTPStatus.FORBIDDEN)
            else:
                return see(HOME, token=token, secure=session.secure)
        page = access_page.change_page(visit.words, visit.guide, token=visit.token, complaints=complaints)
        return visit.page(page, status=status)
