from .compare import Rule, complaints, differences
from .dump import Dump, Entry

ONE: Dump = {"1:1": Entry(attributes={"BrowseName": "1:A", "Value": 1}, references=frozenset({"40>0:61"}))}
NEVER = Rule(reason="never", count=1, applies=lambda _: False)
VALUES = Rule(reason="values", count=1, applies=lambda difference: difference.what == "Value")


def changed(**attributes: object) -> Dump:
    entry = ONE["1:1"]
    return {"1:1": Entry(attributes={**entry.attributes, **attributes}, references=entry.references)}


def told(ours: Dump, theirs: Dump, *rules: Rule) -> list[str]:
    return complaints(differences(ours, theirs), rules)


def test_a_dump_is_like_itself() -> None:
    assert told(ONE, ONE) == []


def test_an_unexplained_difference_is_told() -> None:
    assert told(ONE, changed(Value=2)) == ["1:1 1:A Value: ours 1, theirs 2"]


def test_true_is_not_one() -> None:
    assert told(ONE, changed(Value=True)) == ["1:1 1:A Value: ours 1, theirs True"]


def test_an_explained_difference_is_not_told() -> None:
    assert told(ONE, changed(Value=2), VALUES) == []


def test_a_rule_that_explains_nothing_is_told() -> None:
    assert told(ONE, ONE, NEVER) == ["1 differences expected, 0 found: never"]


def test_a_rule_that_explains_more_than_it_says_is_told() -> None:
    ours, theirs = ONE | {"1:2": ONE["1:1"]}, changed(Value=2) | {"1:2": changed(Value=3)["1:1"]}
    assert told(ours, theirs, VALUES) == ["1 differences expected, 2 found: values"]


def test_a_missing_node_is_one_difference() -> None:
    assert told(ONE, {}) == ["1:1 1:A node: ours there, theirs None"]
    assert told({}, ONE) == ["1:1 1:A node: ours None, theirs there"]


def test_references_are_compared_one_by_one() -> None:
    theirs = {"1:1": Entry(attributes=ONE["1:1"].attributes, references=frozenset({"40>0:58"}))}
    assert told(ONE, theirs) == [
        "1:1 1:A reference: ours 40>0:61, theirs None",
        "1:1 1:A reference: ours None, theirs 40>0:58",
    ]
