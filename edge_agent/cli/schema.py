"""``edge-agent schema``: the JSON Schema of config.json, for editors."""

from __future__ import annotations

from typing import TextIO

import msgspec

from ..config.schema import config_schema
from ..errors import ExitCode


def schema(out: TextIO) -> ExitCode:
    """Print the JSON Schema of config.json."""
    print(msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode(), file=out)
    return ExitCode.OK
