"""The name and password that a client logs in with (OPC 10000-4, 7.41).

asyncua does not compare the nonce that an encrypted password ends with, so one that was recorded could be sent again;
takes RSA 1.5, whose answers tell of the key; and passwords of one block only.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto import uacrypto
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from msgspec import Struct

from .channel import BROKEN

_LONGEST_BYTES = 2048
_ALGORITHMS: dict[str, Callable[[Any, bytes], bytes]] = {
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep": uacrypto.decrypt_rsa_oaep,
    "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256": uacrypto.decrypt_rsa_oaep_sha256,
}


class LogInToken(Struct, frozen=True, kw_only=True):
    """Who wants in; no name is an anonymous client. ``encrypted``: the password was, whatever the channel is."""

    name: str | None = None
    password: str | None = None
    encrypted: bool = False


def read_token(token: object, *, nonce: bytes, key: RSAPrivateKey, supported: tuple[type, ...]) -> LogInToken:
    """What a client says of itself.

    Raises:
        ServiceError: BadIdentityTokenRejected or BadIdentityTokenInvalid.
    """
    if token is None or (isinstance(token, ua.ExtensionObject) and token.TypeId.is_null()):
        token = ua.AnonymousIdentityToken()
    if not isinstance(token, supported):
        raise ServiceError(ua.StatusCodes.BadIdentityTokenRejected)
    if not isinstance(token, ua.UserNameIdentityToken):
        return LogInToken()
    try:
        return _read(token, nonce, key)
    except BROKEN as error:
        raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid) from error


def _read(token: ua.UserNameIdentityToken, nonce: bytes, key: RSAPrivateKey) -> LogInToken:
    secret = token.Password or b""
    if not token.UserName or len(secret) > _LONGEST_BYTES:
        raise ValueError
    if not token.EncryptionAlgorithm:
        return LogInToken(name=token.UserName, password=secret.decode())
    decrypt, size = _ALGORITHMS[token.EncryptionAlgorithm], key.key_size // 8
    plain = b"".join(decrypt(key, secret[start : start + size]) for start in range(0, len(secret), size))
    end = 4 + struct.unpack_from("<I", plain)[0]
    password, sent_nonce = plain[4 : end - len(nonce)], plain[end - len(nonce) : end]
    if end > len(plain) or end < 4 + len(nonce) or not hmac.compare_digest(sent_nonce, nonce):
        raise ValueError
    return LogInToken(name=token.UserName, password=password.decode(), encrypted=True)
