"""Reads a page as strictly as no browser does."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "input"}


class Reader(HTMLParser):
    """A page's words, elements and attributes. Every element that is opened is closed, in order; every id is one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        ids = self.values("id")
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(filter(None, self.words))

    def values(self, name: str, tag: str = "") -> list[str]:
        """Of an attribute, in order."""
        return [value for found, attribute, value in self.attributes if attribute == name and tag in {"", found}]
