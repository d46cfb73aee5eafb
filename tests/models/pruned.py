"""A server's dump without what our compiler leaves out, found in the dump itself."""

import re

from scripts.models.left_out import LEFT_OUT

from .dump import Dump, Entry

ROOT = "0:84"
FORWARD = re.compile(r"[0-9:]+>(.*)", re.DOTALL)


def pruned(dump: Dump) -> Dump:
    """The dump without the nodes that are left out and those that only they lead to, and no reference to them."""
    gone = _reached(dump, frozenset()) - _reached(dump, frozenset(LEFT_OUT))
    return {
        node_id: Entry(
            attributes=entry.attributes,
            references=frozenset(
                text for text in entry.references if re.split("[<>]", text, maxsplit=1)[1] not in gone
            ),
        )
        for node_id, entry in dump.items()
        if node_id not in gone
    }


def _reached(dump: Dump, without: frozenset[str]) -> set[str]:
    found, edge = {ROOT}, [ROOT]
    while edge:
        texts = dump[edge.pop()].references
        onward = {match[1] for match in map(FORWARD.fullmatch, texts) if match} - found - without
        found |= onward
        edge += onward
    return found
