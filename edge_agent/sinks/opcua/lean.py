"""Parts of asyncua that a server like ours never calls, left unread until somebody does.

asyncua imports them with everything else: to import and export XML, to publish over UDP, to parse dates in XML. That is
three megabytes. Here stands a function in the place of each; called, it reads the real one and hands the call on.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_LATER = (
    ("asyncua.common.xmlimporter", "XmlImporter"),
    ("asyncua.common.xmlexporter", "XmlExporter"),
    ("asyncua.pubsub.pubsub", "PubSub"),
    ("dateutil.parser", "parse"),
)


def prepare() -> None:
    """Put the stand-ins in place; too late, and so without effect, once asyncua is imported."""
    if "asyncua" not in sys.modules:
        for module, name in _LATER:
            if module not in sys.modules:
                sys.modules[module] = _stand_in(module, name)


def _stand_in(module: str, name: str) -> ModuleType:
    stand_in = ModuleType(module, "Read when it is called: see edge_agent.sinks.opcua.lean.")

    def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the real one takes and gives
        if sys.modules.get(module) is stand_in:
            del sys.modules[module]
        return getattr(importlib.import_module(module), name)(*arguments, **named)

    setattr(stand_in, name, call)
    return stand_in
