"""The commands: arguments, logging, event loop, exit codes.

Each command is a file of its own beside this one.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from .. import __version__
from ..errors import EdgeAgentError, ExitCode
from .rights import become_author

_AS_ITS_AUTHOR = frozenset({"check", "migrate", "pair", "status"})
"""They send what config.json names, or write what it says."""

CONFIG_PATH = Path("/etc/edge-agent/config.json")
STATE_DIR = Path("/var/lib/edge-agent")

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog="edge-agent", description="3D printers (OctoPrint) as machines on one OPC UA endpoint."
    )
    top.add_argument("--version", action="version", version=f"edge-agent {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    files = argparse.ArgumentParser(add_help=False)
    files.add_argument("--config", type=Path, default=CONFIG_PATH, metavar="FILE", help="default: %(default)s")
    files.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help="default: %(default)s")

    run = commands.add_parser("run", parents=[files], help="run the agent")
    run.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")

    check = commands.add_parser("check", parents=[files], help="check config.json and say everything that is wrong")
    check.add_argument("--probe", action="store_true", help="also ask each printer")
    check.add_argument("--json", action="store_true", help="the same as JSON")

    migrate = commands.add_parser("migrate", parents=[files], help="config.json in the newest form, keys in files")
    migrate.add_argument("--write", action="store_true", help="write it, and keep the old file beside it")

    _add_demo(commands.add_parser("demo", help="simulated printers on a local endpoint, no config needed"))
    _add_telling(commands, files)
    _add_set_up(commands, files)
    commands.add_parser("schema", help="JSON Schema of config.json")

    credentials = commands.add_parser(
        "credentials", parents=[files], help="the OPC UA users of the MES instances and their passwords"
    )
    new = credentials.add_mutually_exclusive_group()
    new.add_argument("--rotate", metavar="USER", help="make a new password for this user")
    new.add_argument("--admin", action="store_true", help="make a new password for changes on the status page")
    credentials.add_argument("--json", action="store_true", help="the same as JSON")
    _add_trust(commands.add_parser("trust", help="which OPC UA clients' certificates are trusted"))
    return top


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--printers", type=_number(int, 1, 100), default=6, metavar="N", help="default: %(default)s")
    demo.add_argument(
        "--port",
        type=_number(int, 1, 65535),
        default=4840,
        metavar="P",
        help="default: %(default)s, or the next free one",
    )
    demo.add_argument(
        "--http-port",
        type=_number(int, 1, 65535),
        default=8080,
        metavar="P",
        help="of the status page; default: %(default)s, or the next free one",
    )
    demo.add_argument(
        "--speed",
        type=_number(float, 0.1, 1000),
        default=5.0,
        metavar="X",
        help="how much faster than life; default: 5",
    )


def _add_telling(commands: _Commands, files: argparse.ArgumentParser) -> None:
    status = commands.add_parser(
        "status", parents=[files], help="what the running agent says of itself and its machines"
    )
    status.add_argument("--json", action="store_true", help="the same as JSON")
    status.add_argument("--url", metavar="URL", help="of its status page; default: this computer's, as in config.json")

    doctor = commands.add_parser("doctor", parents=[files], help="look at everything around the agent; say what to do")
    doctor.add_argument("--json", action="store_true", help="the same as JSON")

    bundle = commands.add_parser(
        "support-bundle", parents=[files], help="one archive for whoever helps, no secret in it"
    )
    bundle.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: a new file here, named for the time"
    )
    bundle.add_argument("--with-names", action="store_true", help="keep names of printed files and who printed them")


def _add_set_up(commands: _Commands, files: argparse.ArgumentParser) -> None:
    search = commands.add_parser("discover", parents=[files], help="the OctoPrints that announce themselves by mDNS")
    search.add_argument("--seconds", type=_number(float, 0.5, 300), default=5.0, metavar="N", help="default: 5")
    search.add_argument("--json", action="store_true", help="the same as JSON")

    pair = commands.add_parser("pair", parents=[files], help="ask an OctoPrint for a key, and add it to config.json")
    pair.add_argument("url", metavar="URL", help="as in the browser")
    pair.add_argument("--name", metavar="TEXT", help="default: what the printer calls itself")
    pair.add_argument("--mes-id", metavar="N,...", help="which MES instances see it; default: 1")
    for name in ("location", "manufacturer", "model", "serial-number"):
        pair.add_argument(f"--{name}", metavar="TEXT")
    pair.add_argument("--key-file", type=Path, metavar="FILE", help="use the key in this file instead; - reads it")
    pair.add_argument("--yes", action="store_true", help="also take a key that may do more than read the status")


def _add_trust(trust: argparse.ArgumentParser) -> None:
    acts = trust.add_subparsers(dest="act", required=True, metavar="ACT")
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help="default: %(default)s")
    listing = acts.add_parser("list", parents=[state], help="those that are trusted, were turned away, are revoked")
    listing.add_argument("--json", action="store_true", help="the same as JSON")
    for act, sentence in (("approve", "trust a certificate"), ("revoke", "never let a certificate in again")):
        acting = acts.add_parser(act, parents=[state], help=sentence)
        acting.add_argument("fingerprint", help="its first 8 or more digits")


def _number(kind: type[int | float], least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}, not {text}")
        return value

    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    options = parser().parse_args(arguments)
    if options.command in _AS_ITS_AUTHOR:
        become_author(options.config, options.state_dir)
    try:
        return int(_COMMANDS[options.command](options))
    except EdgeAgentError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.OK)
    except BrokenPipeError:
        # The reader of our output left (``| head``); there is nobody to tell.
        sys.stderr.close()
        return int(ExitCode.OK)


def _run(options: argparse.Namespace) -> ExitCode:
    from .run import run  # noqa: PLC0415

    return run(
        config_path=options.config,
        state_dir=options.state_dir,
        log_level=options.log_level,
        may_be_missing=options.config == CONFIG_PATH,
    )


def _check(options: argparse.Namespace) -> ExitCode:
    from .check import check  # noqa: PLC0415
    from .probe import probe  # noqa: PLC0415

    return check(
        config_path=options.config,
        state_dir=options.state_dir,
        probe=probe if options.probe else None,
        as_json=options.json,
        out=sys.stdout,
    )


def _migrate(options: argparse.Namespace) -> ExitCode:
    from .migrate import migrate  # noqa: PLC0415

    return migrate(config_path=options.config, state_dir=options.state_dir, write=options.write, out=sys.stdout)


def _demo(options: argparse.Namespace) -> ExitCode:
    from .demo import demo  # noqa: PLC0415

    return demo(
        printers=options.printers,
        port=options.port,
        http_port=options.http_port,
        speed=options.speed,
        out=sys.stdout,
    )


def _status(options: argparse.Namespace) -> ExitCode:
    from .status import status  # noqa: PLC0415

    return status(
        config_path=options.config,
        state_dir=options.state_dir,
        url=options.url,
        as_json=options.json,
        out=sys.stdout,
    )


def _doctor(options: argparse.Namespace) -> ExitCode:
    from .doctor import doctor, forget_groups, leave  # noqa: PLC0415

    forget_groups()
    before = set(threading.enumerate())
    code = doctor(
        config_path=options.config,
        state_dir=options.state_dir,
        default_config=options.config == CONFIG_PATH,
        as_json=options.json,
        out=sys.stdout,
    )
    return leave(code, before=before)


def _support_bundle(options: argparse.Namespace) -> ExitCode:
    from .bundle import support_bundle  # noqa: PLC0415
    from .doctor import forget_groups, leave  # noqa: PLC0415

    forget_groups()
    before = set(threading.enumerate())
    code = support_bundle(
        config_path=options.config,
        state_dir=options.state_dir,
        default_config=options.config == CONFIG_PATH,
        output=options.output,
        with_names=options.with_names,
        out=sys.stdout,
    )
    return leave(code, before=before)


def _credentials(options: argparse.Namespace) -> ExitCode:
    from .credentials import credentials  # noqa: PLC0415

    return credentials(
        config_path=options.config,
        state_dir=options.state_dir,
        rotate=options.rotate,
        admin=options.admin,
        as_json=options.json,
        out=sys.stdout,
    )


def _discover(options: argparse.Namespace) -> ExitCode:
    from .discover import discover  # noqa: PLC0415

    return discover(
        config_path=options.config,
        state_dir=options.state_dir,
        seconds=options.seconds,
        as_json=options.json,
        out=sys.stdout,
    )


def _pair(options: argparse.Namespace) -> ExitCode:
    from .pair import Texts, pair  # noqa: PLC0415

    return pair(
        url=options.url,
        texts=Texts(
            custom_name=options.name,
            mes_id=options.mes_id,
            location=options.location,
            manufacturer=options.manufacturer,
            model=options.model,
            serial_number=options.serial_number,
        ),
        key_file=options.key_file,
        config_path=options.config,
        state_dir=options.state_dir,
        yes=options.yes,
        out=sys.stdout,
    )


def _trust(options: argparse.Namespace) -> ExitCode:
    from . import trust  # noqa: PLC0415

    if options.act == "list":
        return trust.list_trust(state_dir=options.state_dir, as_json=options.json, out=sys.stdout)
    act = trust.approve if options.act == "approve" else trust.revoke
    return act(options.fingerprint, state_dir=options.state_dir, out=sys.stdout)


def _schema(_: argparse.Namespace) -> ExitCode:
    from .schema import schema  # noqa: PLC0415

    return schema(sys.stdout)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], ExitCode]] = {
    "run": _run,
    "check": _check,
    "migrate": _migrate,
    "demo": _demo,
    "status": _status,
    "doctor": _doctor,
    "support-bundle": _support_bundle,
    "discover": _discover,
    "pair": _pair,
    "credentials": _credentials,
    "trust": _trust,
    "schema": _schema,
}
"""Each imports what it needs: ``check`` on a Pi need not wait for the OPC UA stack."""
