"""One request to a page with forms: who asks, in which language, and what was filled in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct, field

from .answers import answer, page_answer
from .forms import cookie
from .guide_words import GuideWords
from .library import web
from .sessions import Session
from .words import Words


class Visit(Struct, frozen=True, kw_only=True):
    """What an act needs to know.

    Attributes:
        words: the reader's language.
        guide: the same language.
        address: where the request came from, without port.
        query: after the question mark.
        form: what was filled in; ``None`` if the page is only asked for.
        session: who is logged in; always there for the guide's pages.
        secure: the form was filled in on a page seen by https.
    """

    words: Words
    guide: GuideWords
    address: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    session: Session | None = None
    secure: bool = False

    @property
    def token(self) -> str:
        """For the forms of the page; empty before the door."""
        return self.session.form_token if self.session is not None else ""

    def page(self, text: str, *, status: int = 200) -> web.Response:
        """A page in the reader's language."""
        return page_answer(text, self.words.language, status=status)


Act = Callable[[Visit], Awaitable[web.Response]]


def see(path: str, *, token: str | None = None, secure: bool = False) -> web.Response:
    """Send a browser to another page of ours, with a new cookie if there is a token; an empty one takes it away.

    ``path`` is of our own making, with what is foreign in it quoted.
    """
    assert path.startswith("/") and not path.startswith("//")  # noqa: PT018, S101 - never to somebody else's
    headers = {"Location": path}
    if token is not None:
        headers["Set-Cookie"] = cookie(token, secure=secure)
    return answer(b"", "text/plain; charset=utf-8", status=303, headers=headers)
