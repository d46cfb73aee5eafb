"""Two dumps compared, every difference explained by a rule, every rule needed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from .dump import Dump, Entry, Json

SHOWN = 10


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not the same on both sides."""

    node: str
    what: str
    """`node` for a whole node, `reference` for a reference, else the attribute's name."""
    ours: Json = None
    theirs: Json = None
    ours_entry: Entry | None = None
    theirs_entry: Entry | None = None

    def __str__(self) -> str:
        """One line, long values cut."""
        entry = self.ours_entry or self.theirs_entry
        name = entry.attributes["BrowseName"] if entry else ""
        return f"{self.node} {name} {self.what}: ours {str(self.ours)[:200]}, theirs {str(self.theirs)[:200]}"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for differences, and how many it explains: as many, no fewer, no more."""

    reason: str
    count: int
    applies: Callable[[Difference], bool]


def differences(ours: Dump, theirs: Dump) -> Iterator[Difference]:
    """Everything that differs; of a node that one side lacks, that only."""
    for node in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(node), theirs.get(node)
        if mine is None or other is None:
            sides = {"ours": "there" if mine else None, "theirs": "there" if other else None}
            yield Difference(node=node, what="node", ours_entry=mine, theirs_entry=other, **sides)
            continue
        for what, left, right in _of_node(mine, other):
            yield Difference(node=node, what=what, ours=left, theirs=right, ours_entry=mine, theirs_entry=other)


def _of_node(mine: Entry, other: Entry) -> Iterator[tuple[str, Json, Json]]:
    for name in sorted(mine.attributes.keys() | other.attributes.keys()):
        left, right = mine.attributes.get(name), other.attributes.get(name)
        if left != right or type(left) is not type(right):
            yield name, left, right
    for reference in sorted(mine.references - other.references):
        yield "reference", reference, None
    for reference in sorted(other.references - mine.references):
        yield "reference", None, reference


def complaints(found: Iterable[Difference], rules: Sequence[Rule]) -> list[str]:
    """What is wrong: a difference that no rule explains, a rule that explains another number than it says.

    A difference is counted for the first rule that applies.
    """
    counts: Counter[str] = Counter()
    unexplained = []
    for difference in found:
        reason = next((rule.reason for rule in rules if rule.applies(difference)), None)
        if reason is None:
            unexplained.append(str(difference))
        else:
            counts[reason] += 1
    wrong = [
        f"{rule.count} differences expected, {counts[rule.reason]} found: {rule.reason}"
        for rule in rules
        if counts[rule.reason] != rule.count or not rule.count
    ]
    more = [f"and {len(unexplained) - SHOWN} more"] if len(unexplained) > SHOWN else []
    return [*wrong, *unexplained[:SHOWN], *more]
