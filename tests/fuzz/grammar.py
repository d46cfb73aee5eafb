"""Any structure of OPC UA, made up of its type: right enough to be decoded, wrong enough to hurt."""

from __future__ import annotations

import dataclasses
import random
import struct
import uuid
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast, get_args, get_origin

from asyncua import ua
from asyncua.ua.ua_binary import get_safe_type_hints, struct_to_binary

INTEGERS = (0, 1, 2, -1, 7, 255, 256, 65535, 2**31 - 1, 2**32 - 1)
FLOATS = (0.0, -1.0, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"), 1000.0)
STRINGS = (None, "", "x", "../../x", "\0", "é" * 300, "opc.tcp://127.0.0.1", "1:2", "5:1,0:99", "urn:x")
NODES = (0, 84, 85, 2253, 2255, 2256, 2258, 2267, 11737, 2**32 - 1)
STRING_NODES = ("mark-one", "mark-one/MesStatus", "mark-one/JobManagement/JobOrderList", "mark-one//", "")
_SIZES = (-(2**31), -5, -4, -1, 0, 1, 2**16, 2**31 - 1)
_FORMATS = {"SByte": "b", "Byte": "B", "Int16": "h", "UInt16": "H", "Int32": "i", "UInt32": "I", "Int64": "q"}
DEEPEST = 4


class Grammar:
    """Makes them; the same ones for the same seed."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def make(self, kind: Any, depth: int = 0) -> Any:
        """One of this type."""
        if isinstance(kind, str):
            kind = getattr(ua, kind.removeprefix("ua."), None)
        arguments = [each for each in get_args(kind) if each is not type(None)]
        if get_origin(kind) is list:
            count = self.chance.choice((0, 1, 1, 2, 5)) if depth < DEEPEST else 0
            return [self.make(arguments[0], depth + 1) for _ in range(count)]
        if arguments:
            return self.extension(depth)
        name = getattr(kind, "__name__", "")
        special = getattr(self, f"_{name.lower()}", None)
        if special is not None:
            return special(depth)
        if dataclasses.is_dataclass(kind):
            return self.structure(kind, depth)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self.chance.choice(list(kind))
        return self.primitive(name)

    def structure(self, kind: Any, depth: int = 0) -> Any:
        """A structure, most of whose fields are made up."""
        made = kind()
        for name, hint in get_safe_type_hints(kind, {"ua": ua}).items():
            if name not in {"Encoding", "TypeId"} and hasattr(made, name) and self.chance.random() < 0.8:
                setattr(made, name, self.make(hint, depth + 1))
        return made

    def primitive(self, name: str) -> Any:
        """A number, text or bytes."""
        if name in {"Double", "Float", "Duration"}:
            return self.chance.choice(FLOATS[:4] if name == "Float" else FLOATS)
        if name in {"String", "CharArray", "LocaleId"}:
            return self.chance.choice(STRINGS)
        if "Byte" in name and name != "Byte":
            return self.chance.choice((None, b"", b"\0" * 16, self.chance.randbytes(20)))
        if name == "Boolean":
            return self.chance.random() < 0.5
        return self.chance.choice(INTEGERS) & (255 if name == "Byte" else 2**31 - 1)

    def extension(self, depth: int) -> Any:
        """Some structure in an ExtensionObject."""
        if depth >= DEEPEST or self.chance.random() < 0.2:
            return ua.ExtensionObject()
        usual: Any = (ua.DataChangeFilter, ua.EventFilter, ua.ReadEventDetails, ua.LiteralOperand, ua.AttributeOperand)
        every = list(ua.extension_objects_by_typeid.values())
        kind = self.chance.choice(usual) if self.chance.random() < 0.6 else self.chance.choice(every)
        return self.structure(kind, depth + 1)

    def _nodeid(self, _: int) -> ua.NodeId:
        kind = self.chance.randrange(5)
        if kind == 0:
            return ua.NodeId(cast("Any", self.chance.choice(STRING_NODES)), cast("Any", 13))
        if kind == 1:
            return ua.NodeId(cast("Any", uuid.UUID(int=self.chance.getrandbits(128))), cast("Any", 1))
        if kind == 2:
            return ua.NodeId(cast("Any", self.chance.randbytes(8)), cast("Any", 1))
        return ua.NodeId(
            cast("Any", self.chance.choice(NODES)), cast("Any", self.chance.choice((0, 0, 0, 1, 13, 65535)))
        )

    _expandednodeid = _nodeid

    def _variant(self, depth: int) -> ua.Variant:
        kind = self.chance.choice(list(ua.VariantType))
        if kind.name in _FORMATS:
            return ua.Variant([1, 2, 3] if self.chance.random() < 0.3 else 1, kind)
        if kind is ua.VariantType.String:
            return ua.Variant(self.chance.choice(STRINGS), kind)
        if kind is ua.VariantType.ExtensionObject:
            return ua.Variant(self.extension(depth + 1), kind)
        if kind is ua.VariantType.NodeId:
            return ua.Variant(self._nodeid(depth), kind)
        return ua.Variant()

    def _datetime(self, _: int) -> datetime:
        return self.chance.choice(
            (datetime(1601, 1, 1, tzinfo=UTC), datetime.now(UTC), datetime(9999, 1, 1, tzinfo=UTC))
        )

    def _guid(self, _: int) -> uuid.UUID:
        return uuid.UUID(int=self.chance.getrandbits(128))

    def encoded(self, kind: Any) -> bytes:
        """One of this type in bytes; of what cannot be encoded, an empty one."""
        try:
            return struct_to_binary(self.structure(kind))
        except Exception:  # noqa: BLE001 - whatever made-up values do to the encoder
            return struct_to_binary(kind())

    def damaged(self, body: bytes) -> bytes:
        """Bytes with a few of them wrong."""
        spoilt = bytearray(body or b"\0")
        for _ in range(self.chance.choice((1, 1, 2, 5))):
            where = self.chance.randrange(len(spoilt))
            match self.chance.randrange(5):
                case 0:
                    spoilt[where] = self.chance.randrange(256)
                case 1:
                    spoilt[where : where + 4] = struct.pack("<i", self.chance.choice(_SIZES))
                case 2:
                    del spoilt[where + 1 :]
                case 3:
                    spoilt[where:where] = self.chance.randbytes(self.chance.choice((1, 4, 50)))
                case _:
                    spoilt += spoilt[where:] * self.chance.choice((1, 3))
        return bytes(spoilt)
