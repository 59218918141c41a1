"""The verifier computes digests as we do, and finds whatever somebody does to a bundle."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from frameworks.coverage import covered_digest, manifest_of
from frameworks.models import Part, Requirement
from frameworks.parts import canonical
from governance.evidence import verify
from governance.evidence.levels import level_table
from tests.frameworks.making import Company
from tests.frameworks.test_dissent import WHY, disputed, overrule, take_back
from tests.governance.evidence_cases import (
    bundle_of,
    files_of,
    make_history,
    packed,
    resummed,
    rows,
    verified,
    with_rows,
)

Files = dict[str, bytes]
_made: list[bytes] = []
"""The bundle of one history serves all tests that only look at it."""


@pytest.fixture
def bundle(db: None) -> bytes:
    if not _made:
        _made.append(bundle_of(make_history().version))
    return _made[0]


@pytest.fixture
def files(bundle: bytes) -> Files:
    return files_of(bundle)


# The same digests


NUMBERS = [0.0, -0.0, 1.0, 0.1, -2.5, 1e21, 1e20, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308]
NUMBERS += [333333333.33333329, 4.5, 2e-3, 9007199254740993.0, 1e23, 1.5e-9, 100.0, 1e22, 0.000001234, -1e-7]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_written_as_the_standard_says(number):
    assert verify.canonical(number) == rfc8785.dumps(number).decode()


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_any_double_is_written_as_the_standard_says(bits):
    number = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    if math.isfinite(number):
        assert verify.canonical(number) == rfc8785.dumps(number).decode()


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(JSON)
def test_any_value_is_spelled_as_we_spell_it(value):
    assert verify.canonical(value).encode() == rfc8785.dumps(value)


def test_level_digests_are_those_of_the_database(db):
    company, tables, found = make_history(), level_table(), []
    for part in Part.objects.filter(version=company.version).select_related("body"):
        body, kind = part.body.body, part.kind
        table = tables[f"policy/{body['policy']}" if kind == "policy" else kind]
        plain = json.loads(canonical(kind, body))["body"]
        projected = [verify.sha({"kind": kind, "body": verify.project(plain, table, each)}) for each in verify.LEVELS]
        found.append(projected[1:] == [part.body.operational_digest, part.body.semantic_digest])

    assert found
    assert all(found)


def test_covered_digests_are_those_that_are_signed(db, tmp_path):
    company = make_history()
    (tmp_path / "bundle.zip").write_bytes(bundle_of(company.version))
    verifier = verify.Verifier(verify.Bundle(str(tmp_path / "bundle.zip")))
    verifier.parts()
    verifier.wording_digests()
    wording, manifest = verifier.wordings[1, 2], manifest_of(company.version)
    asked = Requirement.objects.filter(version=company.version, round=2)
    names = ("part_kind", "part_key", "kinds", "keys", "level")

    assert wording is not None
    assert {each: wording.covered_digest({name: getattr(each, name) for name in names}) for each in asked} == {
        each: covered_digest(each, manifest) for each in asked
    }


# Whatever somebody does


def damaged(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


FLIPPED = [
    *("README.txt", "SHA256SUMS", "audit/entries.jsonl", "audit/hashes.txt", "comments.jsonl", "confirmations.jsonl"),
    *("contributions.jsonl", "diff.jsonl", "dissent.json", "export.json", "impacts.jsonl", "levels.json"),
    *("manifest.html", "manifest.json", "parts/segment/tier/enterprise.json", "parts/term/arr.json", "pools.jsonl"),
    *("requirements.jsonl", "signoffs.jsonl", "verify.py", "wordings.jsonl"),
]


def test_every_file_is_among_those_that_are_damaged(files):
    alike = {name for name in files if name.startswith(("parts/", "bodies/"))}

    assert {*files} - alike == {*FLIPPED} - alike
    assert alike & {*FLIPPED}


@pytest.mark.parametrize("name", FLIPPED)
@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_changed_byte_is_found(files, tmp_path, name, share):
    place = round((len(files[name]) - 1) * share)
    changed = {**files, name: damaged(files[name], place)}

    status, said = verified(packed(changed, tmp_path / "bundle.zip"))

    assert status == 1
    assert said.splitlines()[-1].startswith("BAD")
    assert name == "SHA256SUMS" or name in said


@pytest.mark.parametrize("name", FLIPPED)
def test_missing_file_is_found_and_named(files, tmp_path, name):
    kept = {each: content for each, content in files.items() if each != name}

    status, said = verified(packed(kept, tmp_path / "bundle.zip"))

    assert (status, name in said) == (1, True)


def test_every_byte_of_the_sums_counts(files, tmp_path, capsys):
    """In this process, because there are thousands of them."""
    name, missed = "SHA256SUMS", []
    for place in range(0, len(files[name]), 7):
        changed = {**files, name: damaged(files[name], place)}
        if verify.main([str(packed(changed, tmp_path / "bundle.zip"))]) != 1:
            missed.append(place)

    assert missed == []


def test_file_that_nobody_listed_is_found(files, tmp_path):
    status, said = verified(packed({**files, "parts/term/mrr.json": b"{}"}, tmp_path / "bundle.zip"))

    assert (status, "parts/term/mrr.json: is not listed" in said) == (1, True)


def swap(found: list[Any]) -> None:
    found[0], found[1] = found[1], found[0]


def swap_names(found: list[Any]) -> None:
    one, other = [each for each in found if each["version"] == 1 and each["part_key"] == "arr"][:2]
    one["printed_name"], other["printed_name"] = other["printed_name"], one["printed_name"]


def swap_digests(found: list[Any]) -> None:
    one, other = found[0], next(each for each in found if each["covered_digest"] != found[0]["covered_digest"])
    one["covered_digest"], other["covered_digest"] = other["covered_digest"], one["covered_digest"]


def turn_no_into_yes(found: list[Any]) -> None:
    given = next(each for each in found if each["decision"] == "reject")
    given["decision"] = "approve"


def set_each(name: str, value: Any) -> Callable[[list[Any]], None]:
    def change(found: list[Any]) -> None:
        given = next(each for each in found if each["version"] == 1)
        given[name] = value

    return change


def drop_last(found: list[Any]) -> None:
    found.pop()


def drop_second(found: list[Any]) -> None:
    del found[1]


def change_first(name: str, value: Any) -> Callable[[list[Any]], None]:
    def change(found: list[Any]) -> None:
        found[0][name] = value

    return change


FORGED = [
    ("signoffs.jsonl", swap, "audit entry"),
    ("signoffs.jsonl", swap_names, "is not who signed"),
    ("signoffs.jsonl", swap_digests, "covers something else"),
    ("signoffs.jsonl", turn_no_into_yes, "dissent.json"),
    ("signoffs.jsonl", drop_last, "audit entry"),
    ("signoffs.jsonl", set_each("statement", "I agree with everything."), "other sign-offs"),
    ("signoffs.jsonl", set_each("authentication", "passkey"), "other sign-offs"),
    ("signoffs.jsonl", set_each("on_behalf_of_name", "Priya"), "other sign-offs"),
    ("signoffs.jsonl", set_each("signed_at", "2026-11-26T10:00:00.000000Z"), "audit entry"),
    ("impacts.jsonl", change_first("as_of", "2026-11-22T10:00:00.000000+00:00"), "impact"),
    ("impacts.jsonl", change_first("figures", {"segments": {}}), "impact"),
    ("requirements.jsonl", change_first("covered_digest", "0" * 64), None),
    ("wordings.jsonl", drop_second, None),
    ("wordings.jsonl", change_first("differs", []), None),
    ("audit/entries.jsonl", change_first("reason", "another"), "was changed after it was written"),
    ("audit/entries.jsonl", swap, "audit"),
    ("audit/entries.jsonl", drop_last, None),
]


@pytest.mark.parametrize(("name", "change", "words"), FORGED)
def test_forgery_with_fitting_sums_is_found(files, tmp_path, name, change, words):
    """The forger wrote the list of digests anew, so that only what the digests cover can tell."""
    changed = resummed(with_rows(files, name, change))

    status, said = verified(packed(changed, tmp_path / "bundle.zip"))

    assert status == 1, said
    assert words is None or words in said.splitlines()[-1], said


def test_reworded_part_with_fitting_sums_is_found(files, tmp_path):
    name = "parts/term/arr.json"
    changed = resummed({**files, name: files[name].replace(b"services", b"licences")})

    status, said = verified(packed(changed, tmp_path / "bundle.zip"))

    assert (status, f"{name}: is not the body" in said) == (1, True)


def test_entry_rewritten_with_its_hash_breaks_the_chain(files, tmp_path):
    def rewrite(found: list[Any]) -> None:
        found[1]["reason"] = "another"
        found[1]["hash"] = verify.sha({key: value for key, value in found[1].items() if key != "hash"})

    changed = resummed(with_rows(files, "audit/entries.jsonl", rewrite))

    status, said = verified(packed(changed, tmp_path / "bundle.zip"))

    assert (status, "the chain has another hash" in said) == (1, True)


def test_file_twice_in_the_zip_is_found(bundle, tmp_path):
    from zipfile import ZipFile

    place: Path = tmp_path / "bundle.zip"
    place.write_bytes(bundle)
    with pytest.warns(UserWarning, match="Duplicate"), ZipFile(place, "a") as archive:
        archive.writestr("export.json", b"{}")

    status, said = verified(place)

    assert (status, "twice" in said) == (1, True)


def test_what_is_no_bundle_is_said_to_be_none(tmp_path):
    (tmp_path / "bundle.zip").write_bytes(b"nothing")

    status, said = verified(tmp_path / "bundle.zip")

    assert (status, "malformed" in said) == (1, True)


def test_dissent_and_carried_signatures_are_there(files):
    given = rows(files, "signoffs.jsonl")

    assert {(each["version"], each["round"]) for each in given} == {(0, 1), (1, 1), (1, 2)}
    assert [each["by"] for each in json.loads(files["dissent.json"])["signoffs"]] == ["Marcus"]
    assert any(name.startswith("bodies/") for name in files)


# --- approved over dissent


@pytest.fixture
def over_dissent(db: None) -> dict[str, bytes]:
    """A version whose definition was approved over a No, taken back, and approved over again."""
    company = disputed(Company())
    for reason in (WHY, "Decided again after the contracts were read."):
        overrule(company, reason=reason)
        if reason == WHY:
            take_back(company)
    return files_of(bundle_of(company.version))


def test_bundle_of_a_version_approved_over_dissent_is_whole(over_dissent, tmp_path):
    decisions = [each["decision"] for each in rows(over_dissent, "signoffs.jsonl") if each["meaning"] == "over dissent"]

    status, said = verified(packed(over_dissent, tmp_path / "bundle.zip"))

    assert decisions == ["overrule", "withdraw", "overrule"]
    assert status == 0, said


@pytest.mark.parametrize("decision", ["overrule", "withdraw"])
@pytest.mark.parametrize("name", ["reason", "statement", "authentication"])
def test_approval_over_dissent_said_otherwise_is_found(over_dissent, tmp_path, decision, name):
    def change(found: list[Any]) -> None:
        row = next(each for each in found if (each["decision"], each["meaning"]) == (decision, "over dissent"))
        row[name] = "Other words than these were said."

    changed = resummed(with_rows(over_dissent, "signoffs.jsonl", change))

    status, said = verified(packed(changed, tmp_path / "bundle.zip"))

    assert (status, "was written for other sign-offs" in said) == (1, True), said


def test_approval_over_dissent_that_is_left_out_is_found(over_dissent, tmp_path):
    def drop(found: list[Any]) -> None:
        found[:] = [each for each in found if each["decision"] != "overrule"]

    status, said = verified(packed(resummed(with_rows(over_dissent, "signoffs.jsonl", drop)), tmp_path / "b.zip"))

    assert (status, "other decisions" in said or "other sign-offs" in said) == (1, True), said
