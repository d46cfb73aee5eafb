"""What cloud-init reads: the customisation from the card, in an encoding that it knows, and less what is wrong with it.

A mistake in one file must not cost the others: cloud-init gives up on user and host name when netplan refuses a
network. So each is looked at before, in a copy in memory, and what cannot be used is left out and told in
``status.txt``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from .card import read_text
from .files import replace
from .paths import Paths
from .shell import NOT_FOUND, TIMED_OUT, Run

FILES = ("user-data", "network-config", "meta-data")
"""On the boot partition, as Raspberry Pi Imager writes them for ``init_format`` cloudinit."""
NOTHING = {
    "user-data": "#cloud-config\n{}\n",
    "network-config": "network:\n  version: 2\n",
    "meta-data": "instance-id: edge-agent\n",
}
"""What stands in for a file that cannot be used."""
_HEADERS = ("#cloud-config", "#!", "#include", "#cloud-boothook", "## template:", "Content-Type:", "MIME-Version:")
_PARSED = """import sys
try:
    import yaml
except ImportError:
    sys.exit(0)
try:
    found = yaml.safe_load(sys.stdin.buffer.read())
except yaml.MarkedYAMLError as error:
    at = error.problem_mark or error.context_mark
    sys.exit(f"line {at.line + 1}, column {at.column + 1}: {error.problem}" if at else str(error.problem))
except yaml.YAMLError:
    sys.exit("characters that no text has")
if not isinstance(found, dict | None):
    sys.exit("settings with names and values were expected, as in hostname: hall-2")
"""
_OTHER_MANAGER = re.compile(r"^(\s*renderer\s*:\s*[\"']?)NetworkManager\b", re.MULTILINE)
"""What guides for desktops say. It is not on this image, and networkd does the same."""
_NETPLAN = re.compile(r":(?P<line>\d+):(?P<column>\d+): (?:Error in network definition: )?(?P<text>.*)")


def lay_seed(paths: Paths, run: Run) -> list[str]:
    """Lay the files out where cloud-init looks for them, and keep what is wrong for ``status.txt``.

    Returns:
        What is wrong, one line each; no line shows a password.
    """
    seed = paths.run / "seed"
    seed.mkdir(mode=0o700, parents=True, exist_ok=True)
    problems = []
    for name in FILES:
        text, problem = _usable(paths, name, run)
        if problem:
            problems.append(f"{name} on the boot partition was left out: {problem}")
        replace(seed / name, text.encode(), mode=0o600)
    replace(paths.run / _KEPT, json.dumps(problems).encode())
    return problems


def _usable(paths: Paths, name: str, run: Run) -> tuple[str, str]:
    """The text that cloud-init gets, and what was wrong with the file's own."""
    file, nothing = paths.firmware / name, NOTHING[name]
    if not file.is_file():
        return nothing, ""
    try:
        text = read_text(file).replace("\r\n", "\n")
    except UnicodeDecodeError:
        return nothing, "it is no text"
    if not text.strip():
        return nothing, ""
    if _without_comments(text) == _without_comments(nothing):
        return text, ""  # as the image has it: nobody has to be asked, which takes seconds on a slow board
    if "\x00" in text:
        return nothing, "it is no text"
    if name == "network-config":
        text = _OTHER_MANAGER.sub(r"\1networkd", text)
    problem = _CHECKS[name](paths, text, run)
    return (nothing, problem) if problem else (text, "")


def _without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _user_data(paths: Paths, text: str, run: Run) -> str:
    if not text.startswith(_HEADERS):
        return "its first line has to be #cloud-config"
    return _settings(paths, text, run) if text.startswith("#cloud-config") else ""


def _settings(_paths: Paths, text: str, run: Run) -> str:
    """Is it YAML? Asked of Debian's own Python, which has the library, unlike this isolated one."""
    said = run("python3", "-I", "-c", _PARSED, stdin=text)
    return "" if said.good or said.code in _NOT_ASKED else _without_values(said.reason)


def _network(paths: Paths, text: str, run: Run) -> str:
    """Would netplan take it? What only cloud-init knows (a file without ``network:``) has to be YAML, no more."""
    if re.search(r"^version\s*:", text, re.MULTILINE):
        return _settings(paths, text, run)
    with TemporaryDirectory(dir=paths.run) as folder:
        file = Path(folder) / "etc/netplan/network-config.yaml"
        file.parent.mkdir(parents=True)
        replace(file, text.encode(), mode=0o600)
        said = run("netplan", "generate", "--root-dir", folder)
    if said.good or said.code in _NOT_ASKED:
        return ""
    for line in f"{said.output}\n{said.errors}".splitlines():
        found = _NETPLAN.search(line)
        if found:
            return f"line {found['line']}, column {found['column']}: {_without_values(found['text'])}. {_CABLE}"
        if line.startswith("ERROR: "):
            return f"{line.rpartition(': ')[2]}. {_CABLE}"
    return f"netplan cannot use it. {_CABLE}"


def _without_values(text: str) -> str:
    """A key may be named; a value may be a password."""
    return text if text.startswith("unknown key") else re.sub(r"'[^']*'", "...", text)


_NOT_ASKED = {NOT_FOUND, TIMED_OUT}
_CABLE = "There is no Wi-Fi until that is corrected; the cable works"
_CHECKS: dict[str, Callable[[Paths, str, Run], str]] = {
    "user-data": _user_data,
    "network-config": _network,
    "meta-data": _settings,
}
_KEPT = "customisation.json"


def keep_problems(paths: Paths) -> None:
    """Remember them beyond this boot: it is the only one in which cloud-init looks."""
    replace(paths.kept / _KEPT, json.dumps(problems(paths)).encode())


def problems(paths: Paths) -> list[str]:
    """What `lay_seed` has found, in this boot or in the one in which the root was sealed."""
    for folder in (paths.run, paths.kept):
        if (folder / _KEPT).is_file():
            found: list[str] = json.loads((folder / _KEPT).read_bytes())
            return found
    return []
