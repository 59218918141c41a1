"""Rule cases that other products publish, through the engine; and files that are not what they should be."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accounts.conformance.reading import CaseFileError, read_cases
from accounts.conformance.replaying import replay

pytestmark = pytest.mark.django_db

CORPUS = Path(settings.BASE_DIR).parent / "shared" / "data" / "conformance"

# Where "not one of these" is true of a user who has no such attribute: we say so only when a rule states it.
STATED = {
    "09-strategy-constraints/Feature.constraints.multi should be enabled in prod for user 2",
    "11-strategy-constraints-edge-cases/Feature.constraints.no_values_NOT_IN should be enabled in empty environment",
    "13-constraint-operators/F8.missing-field.NOT_IN should return true",
    "13-constraint-operators/F8.missing-field.NOT_IN should return true when null",
}

# They rest on type conversion; docs/criteria.md has our answer to each, and why.
DIFFERING = {
    *(f"comparisons/{name}" for name in ("lt_bool_false_first", "gt_bool_true_false", "lte_bool_false_true")),
    *(f"comparisons/{name}" for name in ("lte_bool_false_false", "gte_bool_gt", "gte_bool_eq")),
    "51:missing attribute with comparison operators",
    "52:comparing numbers and strings",
    "53:comparing numbers and strings - v2",
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="The published cases are not beside this checkout.")
@pytest.mark.parametrize("suite", ["cel", "gorules", "growthbook", "unleash"])
def test_published_cases_agree_where_no_type_is_converted(suite: str) -> None:
    with (CORPUS / f"{suite}.jsonl").open("rb") as lines:
        answers = replay(read_cases(lines))

    differing = [answer for answer in answers if not answer.agrees]
    assert len(answers) >= 30
    assert [answer.case.id for answer in differing if answer.case.agrees_strict] == []
    assert {answer.case.id for answer in differing} <= DIFFERING
    assert {answer.case.id for answer in answers if answer.is_stated} <= STATED


def case(predicate: Any, context: Any, expected: object = True, **fields: Any) -> bytes:
    data = {"id": "made up", "predicate": predicate, "context": context, "expected": expected, **fields}
    return json.dumps(data).encode()


def leaf(op: str, value: Any = None, **fields: Any) -> dict[str, Any]:
    return {"field": "x", "op": op, **({} if value is None else {"value": value}), **fields}


def answer_to(predicate: Any, context: Any, expected: object = True) -> tuple[bool, bool]:
    (found,) = replay(read_cases([case(predicate, context, expected)]))
    return found.answer, found.is_stated


@pytest.mark.parametrize(
    ("predicate", "seen", "expected"),
    [
        (leaf("eq", 24999.995), 24999.995, True),
        (leaf("lt", 25000), 24999.995, True),
        (leaf("gt", 1e300), 1e301, True),
        (leaf("eq", 12345678901234567890), 12345678901234567890, True),
        (leaf("lt", 0.1234567890123), 0.1234567890122, True),
        (leaf("eq", 1), True, False),
        (leaf("neq", 1), "1", True),
        (leaf("eq", "unknown"), "unknown", True),
        (leaf("eq", " a "), "a", False),
        (leaf("eq", "Straße", ci=True), "STRASSE", True),
        (leaf("eq", "A"), "a", False),
        (leaf("contains", "\n"), "two\nlines", True),
        (leaf("eq", "\ud800"), "\ud800", True),
        (leaf("contains", "%"), "100 x", False),
        (leaf("starts_with", "A", ci=True), "abc", True),
        (leaf("ends_with", "bc"), "bcd", False),
        (leaf("starts_with", "1"), 12, False),
        (leaf("contains", ["x", "b"]), "abc", True),
        (leaf("contains", []), "abc", False),
        (leaf("between", [1, 5], inclusive=True), 5, True),
        (leaf("between", [1, 5], inclusive=False), 5, False),
        (leaf("between", [5, 5], inclusive=True), 5, True),
        (leaf("between", [5, 1], inclusive=True), 3, False),
        (leaf("between", ["b", "d"]), "c", True),
        (leaf("in", [None, "a"]), "a", True),
        (leaf("not_in", [None, 2]), "a", True),
        (leaf("in", [True]), True, True),
        (leaf("not_in", [True, False]), True, False),
        (leaf("contains", "b"), ["a", "b"], True),
        (leaf("in", [1]), [True], False),
        (leaf("is_null"), [], False),
        (leaf("gt", "2022-01-29", type="datetime"), "2022-01-29T00:00:01Z", True),
        (leaf("eq", "2022-01-29T13:00:00Z", type="datetime"), "2022-01-29T14:00:00+01:00", True),
        (leaf("lt", "0001-01-02", type="datetime"), "0001-01-01", True),
        (leaf("gt", "2022-01-29", type="datetime"), "soon", False),
        ({"and": []}, 1, True),
        ({"or": []}, 1, False),
        ({"not": {"or": [{"and": [leaf("eq", 1)]}]}}, 2, True),
    ],
)
def test_case_is_answered(predicate: dict[str, Any], seen: Any, expected: bool) -> None:
    assert answer_to(predicate, {"x": seen}, expected) == (expected, False)


def test_missing_value_takes_nobody_unless_the_case_expects_it() -> None:
    not_one = leaf("neq", "a")

    assert answer_to(not_one, {}, False) == (False, False)
    assert answer_to(not_one, {}, True) == (True, True)
    assert answer_to({"not": leaf("eq", "a")}, {"x": None}, True) == (True, True)
    assert answer_to(leaf("eq", "a"), {}, True) == (False, False)


def test_deeply_wrapped_case_is_flattened() -> None:
    predicate: dict[str, Any] = leaf("eq", 1)
    for _ in range(20):
        predicate = {"and": [{"or": [predicate]}]}

    assert answer_to(predicate, {"x": 1}) == (True, False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "not JSON at column 2"),
        (b"[]", "a case is a JSON object"),
        (b"\xff", "not UTF-8 at byte 1"),
        (case({"and": [leaf("like", "a")]}, {}), 'predicate/and/0: there is no operator "like"'),
        (case(leaf("eq"), {}), 'predicate: "value" is missing'),
        (case(leaf("in", "a"), {}), '"in" needs a list'),
        (case(leaf("between", [1]), {}), '"between" needs two values'),
        (case(leaf("eq", 1, unit="m"), {}), 'a condition has no "unit"'),
        (case({"nand": []}, {}), 'neither "and", "or", "not"'),
        (case({"and": {}}, {}), "predicate/and: not a list"),
        (case(leaf("eq", 1), {}, "yes"), '"expected" is missing or not true or false'),
        (case(leaf("eq", 1), []), '"context" is missing or not an object'),
        (case(leaf("eq", 1), {}, now="soon"), '"now" is not a moment'),
        (b'{"id": "n", "predicate": {"field": "x", "op": "eq", "value": NaN}}', "NaN is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_file_with_a_wrong_line_is_refused_with_the_line(line: bytes, problem: str) -> None:
    good = case(leaf("eq", 1), {"x": 1})

    with pytest.raises(CaseFileError) as refused:
        read_cases([good, b"", line, good])

    (found,) = refused.value.problems
    assert found.startswith("line 3: ")
    assert problem in found


def test_command_prints_the_counts_and_each_differing_case(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"\n".join([case(leaf("eq", 1), {"x": 1}), case(leaf("eq", 1), {"x": 2}, id="the other")]))
    out = StringIO()

    call_command("criteria", "replay", str(path), stdout=out)

    assert out.getvalue().splitlines() == ["cases: 2", "agree: 1", "differ: 1", "the other"]


def test_command_names_every_wrong_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"{\n" + case(leaf("eq", 1), {"x": 1}) + b"\nnull\n")

    with pytest.raises(CommandError) as refused:
        call_command("criteria", "replay", str(path))

    assert [line.split(":")[0] for line in str(refused.value).splitlines()[1:]] == ["line 1", "line 3"]
