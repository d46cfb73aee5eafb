"""A computer with secrets everywhere: in its configuration, its state, its log, its unit, and what its agent says."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from edge_agent.cli.doctor.commands import Said
from edge_agent.passwords import hash_password
from edge_agent.secret import Secret
from tests.unit.doctor.patients import agent

INLINE_KEY = "A1B2C3D4E5F60718293A4B5C6D7E8F90"
FILE_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
QUOTED_KEY = "Zq81mPw04LxVt7RbYn62"
SLASHED_KEY = "qWe7/rTz9UiOp+3AsDfGhJk"
OLD_KEY = "0ldK3yThatNobodyUsesAnyM0re"
BACKUP_KEY = "B4ckupKeyOfTheFileBefore77"
OPCUA_PASSWORD = 'vögel & <zäune> brauchen "ruhe"'  # with everything that gets escaped somewhere
HTTP_PASSWORD = "tr0ub4dor&3/with+signs%"
FILE_PASSWORD = "sesame open yourself now"
SHORT_PASSWORD = "q7%"
MES_PASSWORD = "hkmpx-acdef-ghjkm-npqrs-tuvwx"
GONE_PASSWORD = "zzmpx-acdef-ghjkm-npqrs-tuvwx"
ADMIN_PASSWORD = "the administrator's own"
UNKNOWN_VALUE = "Tr4ppist-Monk-Under-A-Key-Nobody-Knows"
UNKNOWN_PIN = 90817263
URL_PASSWORD = "passw0rdInUrl!"
UNIT_SECRET = "environmental"
CREDENTIAL = "entrusted-to-systemd"
LOGGED_KEY = "L0ggedKeyThatIsInNoFile8"
LOGGED_PASSWORD = "onlyinthelog"
PEM_LINE = "MIIEvQIBADANBgkqhki/GwBAQEFAASCBK/cwggSjgEAAoIBAQ/CVJTUtUscK/j9a"
ADMIN_HASH = hash_password(Secret(ADMIN_PASSWORD))
MES_HASH = hash_password(Secret(MES_PASSWORD))

SECRETS = (
    *(
        INLINE_KEY,
        FILE_KEY,
        QUOTED_KEY,
        OLD_KEY,
        BACKUP_KEY,
        OPCUA_PASSWORD,
        HTTP_PASSWORD,
        FILE_PASSWORD,
        MES_PASSWORD,
    ),
    *(SLASHED_KEY, UNKNOWN_VALUE, str(UNKNOWN_PIN), URL_PASSWORD),
)
"""Known to this computer: not in the bundle in any form."""
ONLY_IN_TEXTS = (
    *(
        GONE_PASSWORD,
        LOGGED_KEY,
        LOGGED_PASSWORD,
        PEM_LINE,
        PEM_LINE[:40],
        ADMIN_HASH,
        MES_HASH,
        UNIT_SECRET,
        CREDENTIAL,
    ),
    *(ADMIN_HASH[-64:], ADMIN_HASH[-128:-64], SHORT_PASSWORD),
)
"""Known to nobody: found by how they look."""
FILE_NAME, USER = "Frau Müllers (geheime) Prothese v2.gcode", "mueller.gerda"

_PEM = f"-----BEGIN PRIVATE KEY-----\n{PEM_LINE}\n-----END PRIVATE KEY-----\n"


def written(secret: str) -> set[str]:
    """How a text may carry a secret; made here in its own way, so that no error is made twice."""
    raw = secret.encode()
    found = {secret, secret.lower(), secret.upper(), secret[::-1], raw.hex(), raw.hex().upper()}
    found |= {quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)}
    for name in ("", "u", "us", "wall", "reader", "mes-1"):
        found.add(base64.b64encode(f"{name}:{secret}".encode()).decode())
        found.add(base64.urlsafe_b64encode(f"{name}:{secret}".encode()).decode())
        found.add(base64.b64encode(f"{name}{secret}\n".encode()).decode())
    return found


def seeds(secret: str) -> set[str]:
    """Pieces that tell that a secret is there, or most of it: the beginnings of its forms, base64 from its middle."""
    raw = secret.encode()
    whole = {secret, secret[::-1], raw.hex(), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    found = {text[:9] for text in whole} if len(secret) >= 12 else whole
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        found.add(coded[4:14] if len(secret) >= 12 else coded[4:-2])
    return {text for text in found if len(text) >= 5}


def plant(folder: Path, *, port: int, valid: bool = True) -> None:
    """Configuration and state; ``valid``: the file can be used (one with a password in a URL cannot)."""
    etc, state = folder / "etc", folder / "state"
    for made in (etc / "keys", state / "pki"):
        made.mkdir(parents=True)
    (etc / "keys" / "one.key").write_text(f"{FILE_KEY}\n")
    (etc / "keys" / "two.key").write_bytes(f'"{QUOTED_KEY}"\r\n'.encode("utf-16"))
    (etc / "keys" / "old.key").write_text(OLD_KEY)
    (etc / "keys" / "tls.key").write_text(_PEM)
    (etc / "reader.password").write_text(FILE_PASSWORD)
    (etc / "config.json.2026-01-01").write_text(
        f'[{{"type": "OCTOPRINT", "url": "http://x", "api_key": "{BACKUP_KEY}"}}]'
    )
    machines = [
        _machine(1, api_key=INLINE_KEY, note=UNKNOWN_VALUE, codes={"pin": UNKNOWN_PIN}),
        _machine(2, authentication_file_path="keys/one.key"),
        _machine(3, authentication_file_path="keys/two.key"),
        {"type": "FORMLABS", "url": f"https://me:{URL_PASSWORD}@api.formlabs.com", "mes_id": [1]},
    ]
    if not valid:
        machines += [
            _machine(4, url=f"http://me:{URL_PASSWORD}@127.0.0.1:9", api_key=INLINE_KEY),
            _machine(5, authentication_file_path=SLASHED_KEY),
        ]
    users = [{"name": "reader", "password_file": "reader.password"}, {"name": "u", "password": OPCUA_PASSWORD}]
    http = [{"name": "wall", "password": HTTP_PASSWORD}, {"name": "short", "password": SHORT_PASSWORD}]
    settings = {"opcua": {"port": 1, "bind": "127.0.0.1", "users": users}}
    page = {"http": {"port": port, "bind": "127.0.0.1", "users": http}}
    (etc / "config.json").write_text(json.dumps({"machines": machines} | settings | page, ensure_ascii=False))
    (state / "passwords.json").write_text(json.dumps({"passwords": {"mes-1": MES_PASSWORD}}))
    (state / "users.json").write_text(json.dumps({"users": {"mes-1": {"hash": MES_HASH}}}))
    (state / "admin.json").write_text(json.dumps({"hash": ADMIN_HASH}))
    (state / "pki" / "private-key.pem").write_text(_PEM)
    (state / "last-words.json").write_text(json.dumps({"text": f"ValueError: {said()}"}))
    (state / "traceback.txt").write_text(f"File x, line 1\n{said()}\n")


def _machine(number: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "OCTOPRINT",
        "url": f"http://127.0.0.1:9/{number}",
        "custom_name": f"M {number}",
        "mes_id": [1],
    } | more


def said() -> str:
    """A text that tells every secret in every way."""
    known = [form for secret in (*SECRETS, SHORT_PASSWORD) for form in written(secret)]
    cut = [f"cut off: {secret[: len(secret) - 3]}" for secret in SECRETS]
    return "\n".join([*known, *cut, f"a hash: {ADMIN_HASH}"])


def logged() -> str:
    """The agent's log, and what somebody has typed into it."""
    lines = [
        f"got X-Api-Key: {LOGGED_KEY}",
        f'headers {{"x-api-key": "{LOGGED_KEY}"}}',
        f"password={LOGGED_PASSWORD}",
        f"Password: '{LOGGED_PASSWORD}'",
        f"GET http://u:{LOGGED_PASSWORD}@printer/api",
        f"Authorization: Basic {base64.b64encode(LOGGED_PASSWORD.encode()).decode()}",
        f"stranger {LOGGED_KEY} alone",
        f"somebody typed {GONE_PASSWORD} here",
        *_PEM.splitlines(),
        f"hash {ADMIN_HASH}, {MES_HASH}",
        f"mark-one: job started: {FILE_NAME}",
        f"mark-one: job failed: {FILE_NAME} (the key's user '{USER}' was there)",
        "mark-one: job started: never-journaled.gcode",
        said(),
    ]
    return (
        "\n".join(f"2026-12-24T18:00:00+00:00 pi edge-agent[1]: {line}" for line in "\n".join(lines).splitlines())
        + "\n"
    )


_UNIT = f"""# /etc/systemd/system/edge-agent.service
[Service]
Environment=TOKEN={UNIT_SECRET} \\
    OTHER={UNIT_SECRET}
SetCredential=prusa.key:{CREDENTIAL}
ExecStart=/opt/edge-agent/current/bin/edge-agent run
"""


def programs(program: str, *arguments: str, **_: float) -> Said | None:
    """Systemctl and journalctl of that computer."""
    if program == "journalctl":
        return Said(0, logged())
    if "cat" in arguments:
        return Said(0, _UNIT)
    if "show" in arguments:
        return Said(0, f"LoadState=loaded\nActiveState=active\nStatusText={said().splitlines()[0]}\n")
    return Said(0, "systemd 257\n")


@contextmanager
def page() -> Iterator[int]:
    """The running agent's page, which tells secrets in whatever it says; gives its port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = base64.b64encode(f"wall:{HTTP_PASSWORD}".encode()).decode()
            allowed = self.headers.get("Authorization") == f"Basic {wanted}"
            content = _answers()[self.path] if allowed else b"no"
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _answers() -> dict[str, bytes]:
    import msgspec

    machine = {"id": "m-1", "reason": said(), "print": {"file_name": FILE_NAME, "user": USER}}
    name = FILE_NAME.replace("\\", "\\\\").replace('"', '\\"')
    samples = (
        f'edge_agent_job_info{{machine="m-1",file="{name}"}} 1\n'
        'edge_agent_job_info{machine="m-2",file="not-yet-\\"journaled\\".gcode"} 1\n'
        f"# {said()}\n"
    )
    return {
        "/api/v1/agent": msgspec.json.encode(agent(config_status=said(), last_restart=f"crash: {said()}")),
        "/api/v1/machines": json.dumps({"machines": [machine]}).encode(),
        "/metrics": samples.encode(),
        "/healthz": logged().encode(),
    }
