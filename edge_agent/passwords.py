"""Passwords: made from enough randomness, kept as slow salted hashes.

A hash carries its parameters, so that they can grow: ``scrypt$<log2 n>$<r>$<p>$<salt>$<digest>``, both in hex. Those
of today take 16 MB, and 0.08 s on a PC; a Raspberry Pi Zero should need about a second. It is paid once per
user and start of the agent by the endpoint, and at each log-in by the status page.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets

from .secret import Secret

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another when read aloud or copied by hand
_GROUPS, _GROUP = 5, 5  # 25 letters of 31: 123 bits
_LOG2_N, _R, _P = 14, 8, 1
_SALT_BYTES = 16
_DIGEST_BYTES = 32
_MOST_BYTES = 64 * 1024 * 1024
_HASH = re.compile(
    r"scrypt\$(?P<n>[0-9]{1,2})\$(?P<r>[0-9]{1,2})\$(?P<p>[0-9]{1,2})\$(?P<salt>[0-9a-f]{2,128})\$(?P<digest>[0-9a-f]{64})"
)


def make_password() -> Secret:
    """A new one of 123 random bits, in groups that a person can copy."""
    return Secret("-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS)))


def hash_password(password: Secret) -> str:
    """What to keep of it. Takes its time: not for the event loop."""
    salt = os.urandom(_SALT_BYTES)
    digest = _digest(password.reveal(), salt, log2_n=_LOG2_N, r=_R, p=_P)
    return f"scrypt${_LOG2_N}${_R}${_P}${salt.hex()}${digest.hex()}"


def is_hash(text: str) -> bool:
    """True of what `matches` can compare with, in bounded memory and time."""
    found = _HASH.fullmatch(text)
    if found is None:
        return False
    log2_n, r, p = int(found["n"]), int(found["r"]), int(found["p"])
    return log2_n > 0 and r > 0 and p > 0 and 128 * r * (p + (1 << min(log2_n, 30))) <= _MOST_BYTES


def matches(password: str, kept: str) -> bool:
    """True of the password behind a hash. Takes its time: not for the event loop.

    Raises:
        ValueError: ``kept`` is no hash.
    """
    found = _HASH.fullmatch(kept)
    if found is None or not is_hash(kept):
        raise ValueError("not a hash of ours")
    salt = bytes.fromhex(found["salt"])
    digest = _digest(password, salt, log2_n=int(found["n"]), r=int(found["r"]), p=int(found["p"]))
    return hmac.compare_digest(digest, bytes.fromhex(found["digest"]))


def _digest(password: str, salt: bytes, *, log2_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogatepass"),
        salt=salt,
        n=1 << log2_n,
        r=r,
        p=p,
        maxmem=2 * _MOST_BYTES,
        dklen=_DIGEST_BYTES,
    )
