"""What a bundle is made of: each part collected for itself, so that what is broken does not keep the rest out."""

from __future__ import annotations

import io
import os
import platform
import re
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...computer import disk
from ...config import jsonc
from ...config.newest import redacted
from ...errors import UnavailableError
from ...restarts import END_FILE, WORDS_FILE, last_line
from ...sinks.http.options import HttpOptions
from ..asking import get, this_computers
from ..doctor.examination import examine
from ..doctor.patient import UNIT, Patient
from ..doctor.prints import Unreadable, copy
from ..doctor.report import lines, report
from ..doctor.rights import agents_rights, is_agents, text_of
from .archive import Member
from .redactor import REMOVED, Redactor

_LOG_LINES, _KERNEL_LINES = 2000, 200
_LOG_TIMEOUT_S = 30.0
_RUNS = 50
_MOST_FILES = 2000
_WIDTH = 110
_IN_UNIT = re.compile(r"(?mi)^(\s*(?:Environment|SetCredential\w*)\s*=)(?:.*\\\n)*.*$")
_TEXT_FILES = (WORDS_FILE, END_FILE, "traceback.txt", "traceback-at-end.txt", "traceback-before.txt")


class Sources(Struct, frozen=True):
    """Where everything is collected from, and what is taken out of it."""

    patient: Patient
    redactor: Redactor


Collect = Callable[[Sources], str]


def collect(sources: Sources) -> Iterator[Member]:
    """All members, each without secrets."""
    for name, about, get_text in PARTS:
        text = _collected(sources, get_text)
        # Once more, whatever its part has done to it.
        yield Member(name=name, about=about, text=sources.redactor.text(text), keep_end=name.startswith("log/"))


def _collected(sources: Sources, get_text: Collect) -> str:
    try:
        return get_text(sources)
    except (UnavailableError, Unreadable) as error:
        return f"not to be had: {error}\n"
    except OSError as error:
        return f"not to be had: {error.strerror}\n"
    except Exception as error:  # noqa: BLE001 - a bundle is wanted most where something is broken
        return f"this part broke: {last_line(error, sources.patient.secrets)}\n"


def _json(value: Any) -> str:  # noqa: ANN401 - structs and plain JSON
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _doctor(sources: Sources) -> str:
    out = io.StringIO()
    found = report(sources.patient, examine(sources.patient))
    for line in lines(found, width=_WIDTH, colour=False):
        print(line, file=out)
    return sources.redactor.text(out.getvalue())


def _config(sources: Sources) -> str:
    patient = sources.patient
    # A link that the agent has put there must not bring another file into the bundle.
    as_agent = patient.default_config or is_agents(patient.config_path, patient.state_dir)
    try:
        with agents_rights(patient.state_dir) if as_agent else nullcontext():
            value = jsonc.read(patient.config_path).value
    except jsonc.JsonError as error:
        where = f" ({error.position})" if error.position else ""
        return f"not shown, since it cannot be decoded{where}: {error.text}\n"
    return sources.redactor.key_like(_json(sources.redactor.values(redacted(value))))


def _answer(sources: Sources, path: str) -> bytes:
    config = sources.patient.reading.config
    status, body = get(this_computers(config.http if config else HttpOptions()), path)
    if status not in {200, 503}:
        raise UnavailableError(f"HTTP {status}")
    return body


def _answer_json(path: str) -> Collect:
    def collected(sources: Sources) -> str:
        body = _answer(sources, path)
        try:
            return _json(sources.redactor.values(msgspec.json.decode(body)))
        except msgspec.DecodeError:
            return "not to be had: another program answers there\n"

    return collected


def _metrics(sources: Sources) -> str:
    return sources.redactor.metrics(_answer(sources, "/metrics").decode("utf-8", "replace"))


def _healthz(sources: Sources) -> str:
    return sources.redactor.log(_answer(sources, "/healthz").decode("utf-8", "replace"))


def _log(sources: Sources) -> str:
    return _journal(sources, "--unit", UNIT, "--lines", str(_LOG_LINES), "--output", "short-iso")


def _kernel_log(sources: Sources) -> str:
    wanted = ("--dmesg", "--boot", "--priority", "warning", "--lines", str(_KERNEL_LINES), "--output", "short-iso")
    return _journal(sources, *wanted)


def _journal(sources: Sources, *arguments: str) -> str:
    said = sources.patient.ask("journalctl", "--no-pager", "--quiet", *arguments, timeout_s=_LOG_TIMEOUT_S)
    if said is None:
        return "not to be had: there is no journalctl here\n"
    return sources.redactor.log(said.text) or "empty, or not for this user to read\n"


def _unit(sources: Sources) -> str:
    said = sources.patient.ask("systemctl", "cat", "--no-pager", UNIT)
    files = said.text if said and said.code == 0 else "not to be had: there is no such unit, or no systemd\n"
    shown = "".join(f"{key}={value}\n" for key, value in sources.patient.unit.items())
    files = _IN_UNIT.sub(rf"\1{REMOVED}", files)
    return sources.redactor.log(f"{files}\n# systemctl show\n{shown}")


def _prints(sources: Sources) -> str:
    with copy(sources.patient.state_dir) as journal:
        tables = journal.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        told = [f"version {journal.execute('PRAGMA user_version').fetchone()[0]}"]
        told += [f"quick_check: {journal.execute('PRAGMA quick_check(5)').fetchall()}"]
        for name, sql in tables:
            quoted = '"' + str(name).replace('"', '""') + '"'
            count = journal.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]  # noqa: S608 - quoted
            told.append(f"\n{name}: {count} rows\n{sql}")
    return sources.redactor.text("\n".join(told) + "\n")


def _runs(sources: Sources) -> str:
    with copy(sources.patient.state_dir) as journal:
        journal.row_factory = sqlite3.Row
        rows = journal.execute("SELECT * FROM runs ORDER BY number DESC LIMIT ?", (_RUNS,)).fetchall()
    return _json([sources.redactor.values(dict(row)) for row in rows])


def _files(sources: Sources) -> str:
    patient = sources.patient
    folder, state = patient.config_path.absolute().parent, patient.state_dir.absolute()
    config = patient.reading.config
    if patient.default_config:
        configuration = list(_listing(folder))
    else:  # it may be somebody's home: what else is there is nobody's business
        named = [file.absolute() for file in config.watched_files] if config else [patient.config_path.absolute()]
        configuration = [_listed(file, file) for file in named]
    return "\n".join([str(folder), *configuration, "", str(state), *_listing(state), ""])


def _listing(folder: Path) -> Iterator[str]:
    """Modes, owners, sizes and times; no file is opened."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            count += 1
            if count > _MOST_FILES:
                yield "  (and more)"
                return
            path = Path(place) / name
            yield _listed(path, path.relative_to(folder))


def _listed(path: Path, name: Path) -> str:
    try:
        about = path.lstat()
    except OSError as error:
        return f"  ? {name}: {error.strerror}"
    mode, owner = stat.filemode(about.st_mode), f"{about.st_uid}:{about.st_gid}"
    changed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(about.st_mtime))
    return f"  {mode} {owner:>11} {about.st_size:>9} {changed} {name}"


def _state_texts(sources: Sources) -> str:
    """What the agent keeps of its last end, and where it stood still."""
    told = []
    for name in _TEXT_FILES:
        try:
            text = text_of(sources.patient.state_dir / name, sources.patient.state_dir)
        except FileNotFoundError:
            continue
        except OSError as error:
            text = f"not to be had: {error.strerror}"
        told.append(f"# {name}\n{text.rstrip()}\n")
    return sources.redactor.log("\n".join(told)) or "there are none\n"


def _computer(sources: Sources) -> str:
    disks: dict[str, object] = {}
    for path in dict.fromkeys((Path("/"), sources.patient.state_dir, sources.patient.config_path.absolute().parent)):
        try:
            disks[str(path)] = disk(path)
        except OSError as error:
            disks[str(path)] = error.strerror or ""
    release = platform.uname()
    kernel = {"system": release.system, "release": release.release, "version": release.version}
    return _json(
        {
            "computer": sources.patient.computer,
            "kernel": kernel | {"machine": release.machine, "processors": os.cpu_count()},
            "disks": disks,
            "time": sources.patient.now,
            "time_zone": time.tzname[0],
            "as_root": sources.patient.root,
        }
    )


def _packages(sources: Sources) -> str:
    found = {str(one.metadata["Name"]): one.version for one in metadata.distributions()}
    libraries = [f"{name} {version}" for name, version in sorted(found.items(), key=lambda pair: pair[0].lower())]
    said = sources.patient.ask("systemctl", "--version")
    programs = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    programs += said.text.splitlines()[:1] if said else []
    return "\n".join([*programs, "", *libraries, ""])


PARTS: tuple[tuple[str, str, Collect], ...] = (
    ("doctor.txt", "what edge-agent doctor says", _doctor),
    ("config.json", "the configuration, without secrets and without what no version knows", _config),
    ("agent/agent.json", "what the running agent says of itself", _answer_json("/api/v1/agent")),
    ("agent/machines.json", "what it says of each machine", _answer_json("/api/v1/machines")),
    ("agent/metrics.txt", "its metrics", _metrics),
    ("agent/healthz.txt", "does each of its parts do its work", _healthz),
    ("log/agent.txt", f"the last {_LOG_LINES} lines of its log", _log),
    ("log/kernel.txt", f"the last {_KERNEL_LINES} warnings of the kernel since it started", _kernel_log),
    ("state/ends.txt", "how the agent ended before, and where it stood still", _state_texts),
    ("state/files.txt", "files of the configuration and the state: modes and sizes only", _files),
    ("state/journal.txt", "the print journal's tables, and is it whole", _prints),
    ("state/runs.json", f"the last {_RUNS} prints", _runs),
    ("unit.txt", "the unit, and what systemd says of it", _unit),
    ("computer.json", "the computer", _computer),
    ("packages.txt", "what is installed", _packages),
)
