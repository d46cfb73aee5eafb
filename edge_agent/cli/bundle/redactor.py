"""Takes out of a text what nobody else should read: known secrets in whatever form, and what looks like one.

A secret that is known is found plainly, and as URLs, JSON, HTML, hex, base64 and a reversing hand write it; also when
only its beginning is left, as at the end of a line that was cut. What is not known is found by how it looks: that goes
for logs, where it costs a few harmless words too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

REMOVED = "(removed)"
_SHORTEST = 4
"""A known secret that is shorter is only found as a word of its own."""
_BEGINNING = 8
"""So much of a long secret is a secret too."""

_USER_INFO = re.compile(r"//[^/\s@\"'<>]+@")
_LABELLED = re.compile(
    r"""(?ix)
    ( (?: x-api-key | api[_-]?key | authorization | cookie | pass(?:word|wd|phrase) | token | secret )
      ["']? \s* [:=] \s* )
    ( "[^"\n]*" | '[^'\n]*' | (?: (?:basic|bearer|digest) \s+ )? [^\s,;&"']+ )
    """
)
_HASHED = re.compile(r"\b(?:scrypt|argon2\w*|pbkdf2\w*|\d\w?)\$[\w$+/=.,-]{16,}")
_GENERATED = re.compile(r"\b[a-z2-9]{5}(?:-[a-z2-9]{5}){4}\b")
"""A password as the agent makes them."""
_BLOCK = re.compile(r"(?<![A-Za-z0-9+/])(?=[A-Za-z0-9+/]*[0-9+])[A-Za-z0-9+/]{40,}={0,2}")
"""A line of base64: of a private key, for one."""
_KEY_LIKE = re.compile(r"(?<![\w+-])(?!\d{8}T\d{6}Z)(?=[\w+-]*\d)(?:\w{16,}|[\w+-]{32,})={0,2}", re.ASCII)
_NAMED_USER = re.compile(r"(\b(?:user|key of) )(['\"])(.+?)\2")
_OF_A_JOB = re.compile(r"(: job [a-z]+: )([^(\n]*[^(\s])")
_NAME_KEYS = frozenset({"file_name", "file_path", "user"})
_FILE_LABEL = re.compile(r'(\bfile=")((?:[^"\\]|\\.)*)(")')
_SHORTEST_NAME = 4


class Redactor:
    """What is taken out of one bundle.

    Args:
        secrets: texts that must not be in it.
        names: names of files that were printed, which are replaced by short hashes.
        salt: of the hashes; by another one, the same names have others.
        with_names: leave names as they are.
    """

    def __init__(
        self, secrets: Iterable[str], *, names: Iterable[str] = (), salt: bytes, with_names: bool = False
    ) -> None:
        known = {secret for secret in secrets if secret}
        forms = {coded for secret in known for form in _forms(secret) if len(coded := _lower(form)) >= _SHORTEST}
        self._forms: dict[bytes, list[bytes]] = {}
        for form in sorted(forms):
            self._forms.setdefault(_sought(form), []).append(form)
        # The letter of JSON's "\\n" does not make a word longer.
        self._words = [
            re.compile(rf"(?:(?<!\w)|(?<=\\[bfnrt])){re.escape(short)}(?!\w)")
            for short in known
            if len(short) < _SHORTEST
        ]
        self._salt = salt
        self._with_names = with_names
        self._names = sorted({name for name in names if len(name) >= _SHORTEST_NAME}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Without secrets that are known, hashes of passwords, and what stands before an @ in a URL."""
        text = self._without_known(text)
        for word in self._words:
            text = word.sub(REMOVED, text)
        text = _HASHED.sub(REMOVED, _USER_INFO.sub(f"//{REMOVED}@", text))
        if self._with_names:
            return text
        for name in self._names:
            text = text.replace(name, self.name(name))
        return _NAMED_USER.sub(lambda found: f"{found[1]}{found[2]}{self.name(found[3])}{found[2]}", text)

    def log(self, text: str) -> str:
        """As `text`, and without whatever looks like a key or is called one."""
        text = _LABELLED.sub(rf"\1{REMOVED}", self.text(text))
        if not self._with_names:
            text = _OF_A_JOB.sub(lambda found: found[1] + self.name(found[2]), text)
        return self.key_like(_GENERATED.sub(REMOVED, _BLOCK.sub(REMOVED, text)))

    def key_like(self, text: str) -> str:
        """Without long rows of letters and digits."""
        return _KEY_LIKE.sub(REMOVED, text)

    def metrics(self, text: str) -> str:
        """Samples of Prometheus: the files in their labels are names too."""
        if not self._with_names:
            text = _FILE_LABEL.sub(lambda found: f"{found[1]}{self.name(found[2])}{found[3]}", text)
        return self.text(text)

    def values(self, value: Any) -> Any:  # noqa: ANN401 - plain JSON
        """Plain JSON values, each text as `text` has it, and those replaced that are names by their key."""
        if isinstance(value, dict):
            return {self.text(key): self._value(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.values(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def name(self, name: str) -> str:
        """A short hash: the same for the same name in one bundle, and of no use beside it."""
        if self._with_names or not name or name.startswith("name-"):
            return name
        return f"name-{hashlib.blake2s(name.encode('utf-8', 'replace'), key=self._salt, digest_size=4).hexdigest()}"

    def _without_known(self, text: str) -> str:
        """Each place where a form of a secret stands or begins, as far as it is like any of them."""
        raw = _coded(text)
        small = raw.lower()
        spans = sorted(span for sought, forms in self._forms.items() for span in _spans(small, sought, forms))
        if not spans:
            return text
        kept, parts = 0, []
        for begin, end in spans:
            if begin >= kept:
                parts += [raw[kept:begin], REMOVED.encode()]
            kept = max(kept, end)
        return b"".join([*parts, raw[kept:]]).decode("utf-8", "ignore")

    def _value(self, key: str, item: Any) -> Any:  # noqa: ANN401 - plain JSON
        if key in _NAME_KEYS and isinstance(item, str):
            return self.name(item)
        return self.values(item)


def _forms(secret: str) -> Iterator[str]:
    """As others may write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (secret, secret.upper(), secret.lower(), secret[::-1], html.escape(secret), repr(secret)[1:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (quote(raw, safe=""), quote(raw), quote_plus(raw), raw.hex())
    for before in range(3):
        # In base64 three bytes become four letters: what it looks like depends on how much stands in front of it.
        coded = base64.b64encode(b"\0" * before + raw).rstrip(b"=").decode()
        whole = (before + len(raw)) * 8 // 6
        core = coded[-(-before * 8 // 6) : whole]
        yield core
        yield core.translate(str.maketrans("+/", "-_"))


def _coded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _lower(text: str) -> bytes:
    """Bytes have small letters of ASCII only: as many as there were."""
    return _coded(text).lower()


def _sought(form: bytes) -> bytes:
    """By what a form is found: a long one by its beginning."""
    return form if len(form) < _BEGINNING + 4 else form[:_BEGINNING]


def _spans(text: bytes, sought: bytes, forms: list[bytes]) -> Iterator[tuple[int, int]]:
    at = text.find(sought)
    while at >= 0:
        end = at + max(_alike(text, at, form) for form in forms)
        yield at, end
        at = text.find(sought, end)


def _alike(text: bytes, at: int, form: bytes) -> int:
    """How many letters of a form stand there."""
    count = 0
    while count < len(form) and at + count < len(text) and text[at + count] == form[count]:
        count += 1
    return count
