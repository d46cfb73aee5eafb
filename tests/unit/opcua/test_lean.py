"""What a server never calls is not read, and is what it always was for who calls it."""

from __future__ import annotations

import subprocess
import sys

MODULES = ["asyncua.common.xmlimporter", "asyncua.common.xmlexporter", "asyncua.pubsub.pubsub", "dateutil.parser"]


def run(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_the_server_is_imported_without_what_it_never_calls() -> None:
    run(
        "import sys, edge_agent.sinks.opcua.server\n"
        f"read = [name for name in {MODULES} if getattr(sys.modules[name], '__file__', None)]\n"
        "assert read == [], read\n"
        "assert 'dateutil.parser._parser' not in sys.modules"
    )


def test_who_calls_it_gets_the_real_thing() -> None:
    run(
        "import sys, edge_agent.sinks.opcua.server\n"
        "from asyncua import Server\n"
        "from asyncua.common import ua_utils\n"
        "from asyncua import ua\n"
        "assert ua_utils.string_to_val('2026-03-04T05:06:07', ua.VariantType.DateTime).year == 2026\n"
        "from asyncua.server.server import XmlImporter, XmlExporter\n"
        "assert type(XmlImporter(Server())).__module__ == 'asyncua.common.xmlimporter'\n"
        "assert type(XmlExporter(Server())).__module__ == 'asyncua.common.xmlexporter'"
    )


def test_asyncua_that_was_there_before_is_left_alone() -> None:
    run(
        "import asyncua, sys, edge_agent.sinks.opcua.server\n"
        f"assert all(sys.modules[name].__file__ for name in {MODULES})"
    )
