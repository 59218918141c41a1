"""Framework files: nothing lost in writing and reading, and what no file may do."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from frameworks.content import checked_all
from frameworks.errors import InvalidError
from frameworks.exchange.reading import FileError, read_contents, read_file
from frameworks.exchange.templates import list_templates, load_template
from frameworks.exchange.writing import write_framework
from frameworks.parts import body_digest, combine_digests, parse_part, to_body
from frameworks.rules_together import clashes
from frameworks.yaml_text import read_marked_yaml, read_yaml
from tests.accounts.strategies import clocks, frameworks

DIGEST = "0" * 64
HEADER = "format: cutline-framework/1\nframework: main\n"

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x7f\ufffe\uffff", min_codepoint=32)
    | st.sampled_from("\n\t :#-'\"\\|>&*!%@`{}[],?=~"),
    max_size=160,
)


def written(bodies: Any) -> str:
    return write_framework(slug="main", exported=DIGEST, bodies=bodies)


def read(text: str, previous: Any = None) -> dict[tuple[str, str], Any]:
    return {(each.kind, each.key): each.body for each in read_contents(read_file(text), previous or {})}


def digest(bodies: Any) -> str:
    return combine_digests((kind, key, body_digest(kind, body)) for (kind, key), body in bodies.items())


@pytest.mark.parametrize("template", list_templates(), ids=lambda template: template.slug)
def test_template_written_and_read_is_the_same_to_the_byte(template):
    bodies = {(kind, key): body for kind, key, body in template.parts}

    text = written(bodies)

    assert read(text) == bodies
    assert written(read(text)) == text


@given(data=st.data())
@settings(suppress_health_check=list(HealthCheck))
def test_random_framework_written_and_read_is_the_same_to_the_byte(data):
    bodies = data.draw(clocks().flatmap(lambda clock: frameworks(clock)))
    wording, note = data.draw(TEXTS), data.draw(TEXTS)
    plain = {(each.kind, each.key): each.body for each in checked_all(bodies)}
    # The engine takes a second rule for everybody, a file does not.
    assume(all(clash.issue.code != "second_catch_all" for clash in clashes(plain)))
    plain["term", "any"] = to_body(
        parse_part("term", "any", {"label": "Any", "wording": f"x{wording}x", "source": note})
    )

    text = written(plain)
    again = read(text, plain)

    assert digest(again) == digest(plain)
    assert written(again) == text
    # Rules that stayed keep the ids of their nodes.
    assert {part: body for part, body in again.items() if part[0] == "segment"} == {
        part: body for part, body in read(written(again), again).items() if part[0] == "segment"
    }


@given(texts=st.lists(TEXTS, max_size=4))
def test_any_text_comes_back_as_it_was(texts):
    body = to_body(
        parse_part(
            "playbook", "a/b", {"summary": "s", "icp": list(dict.fromkeys(t.strip()[:400] or "x" for t in texts))}
        )
    )

    again = read_marked_yaml(written({("playbook", "a/b"): body})).value["parts"]["playbook"]["a/b"]

    assert again == body


def test_rule_carries_its_sentence_and_keys_their_labels():
    bodies = {(kind, key): body for kind, key, body in load_template("firmographic_value").parts}

    lines = [line.strip() for line in written(bodies).splitlines()]

    place = lines.index("criteria: employee_count in [5000, 20000)")
    assert lines[place - 1] == "# Employees from 5,000 up to but not including 20,000"
    assert "- mid_market  # Mid-Market" in lines
    assert "customer_tier/smb:  # Customer Tier / SMB" in lines


def test_rule_that_its_version_cannot_read_stays_the_document_it_is():
    criteria = {"schema": "criteria/1", "root": {"id": "a7", "op": "ge", "attribute": "gone", "value": "1"}}
    rule = {"key": "value", "basis": "value", "criteria": criteria}
    bodies = {("segment", "tier/smb"): {"label": "SMB", "dimension": "tier", "rules": [rule]}}

    again = read_marked_yaml(written(bodies)).value["parts"]["segment"]["tier/smb"]

    assert again == bodies["segment", "tier/smb"]


def test_words_of_yaml_are_text_unless_they_are_plain_values():
    assert read_yaml("[no, 2026-01-31, 12:30, 0.25, 1_000, 0x10, 007, True, =]") == [
        "no", "2026-01-31", "12:30", "0.25", "1_000", "0x10", "007", "True", "=",
    ]  # fmt: skip
    assert read_yaml("[true, false, null, 7, -1, '7']") == [True, False, None, 7, -1, "7"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x", "Line 1, column 4: anchors and aliases"),
        ("a: 1\na: 2", "Line 2, column 1: 'a' occurs twice"),
        ("a: !!python/object/apply:os.system [ls]", "tags are not allowed"),
        ("[" * 900, "nested more than 64 levels"),
        ("a: 1\n---\nb: 2", "one document"),
        ("a: {<<: *b}", "aliases"),
        ("? [a]\n: 1", "a name is plain text"),
        ("a: 'b", "Line 1"),
        ("\x00", "not YAML"),
        ("a: " + "b" * 4_000_001, "longer than 4,000,000 characters"),
        ("", "names format, framework, parts"),
        ("- a", "names format, framework, parts"),
        ("format: cutline-framework/2\nframework: a\nparts: {}", "line 1, /format: This is not a format known here"),
        (HEADER + "parts: {}\nowner: me", "line 4, /owner: There is no such field"),
        (HEADER + "parts: [a]", "line 3, /parts: Parts are kind, then key"),
        (HEADER + "parts: {verse: {}}", "line 3, /parts/verse: There is no kind of part verse"),
        (HEADER + "parts:\n  term:\n    arr: {label: ARR}", "line 5, /parts/term/arr/wording: This is needed"),
        (HEADER + "parts:\n  term:\n    arr:\n      label: ARR\n      wording: w\n      text: x",
         "line 8, /parts/term/arr/text: There is no such field"),
    ],
)  # fmt: skip
def test_file_that_is_no_framework_is_refused_with_its_place(text, said):
    with pytest.raises(InvalidError) as refusal:
        read_contents(read_file(text), {})

    assert said in str(refusal.value)


def test_every_wrong_rule_is_named_with_line_and_reason():
    text = (
        HEADER
        + """parts:
  data_source:
    arr: {label: ARR, data_type: money, scale: 2, currency: USD}
  dimension:
    tier: {label: Tier, segments: [big, small]}
  segment:
    tier/big:
      label: Big
      dimension: tier
      rules:
        - key: value
          basis: value
          criteria: arr >= 1.005
        - key: size
          basis: firmographic
          criteria: employees > 5
    tier/small:
      label: Small
      dimension: tier
      rules:
        - {key: value, basis: value, criteria: arr <}
"""
    )

    with pytest.raises(FileError) as refusal:
        read_contents(read_file(text), {})

    assert [(problem.line, problem.path, problem.code) for problem in refusal.value.found] == [
        (15, "/parts/segment/tier~1big/rules/0/criteria", "scale"),
        (18, "/parts/segment/tier~1big/rules/1/criteria", "unknown_field"),
        (23, "/parts/segment/tier~1small/rules/0/criteria", "syntax"),
    ]
