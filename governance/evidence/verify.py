#!/usr/bin/env python3
"""Check an evidence bundle of Cutline: python3 verify.py [BUNDLE.zip or the directory it was unpacked to].

Nothing but Python is needed: no database, no network, no other package. Every digest is computed anew from the
bodies, statements and figures in the bundle. One line per check; exit 1 names the first thing that is wrong.

A verifier that came with the bundle can have been changed with it. Take it from a bundle you trust, or compare its
SHA-256 with the one that `manage.py evidence --verifier` prints.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

FORMAT = "cutline-evidence/1"
SUMS = "SHA256SUMS"
LEVELS = ("cosmetic", "operational", "semantic")
GENESIS = "0" * 64
SIGNING = (
    *("version.signed", "signoff.withdrawn", "version.recertified"),
    *("version.dissent_overruled", "version.overruling_withdrawn"),
)
ATTESTED = (
    *("code", "part_kind", "part_key", "round", "decision", "meaning", "statement", "reason", "covered_digest"),
    *("manifest_digest", "impact_digest", "printed_name", "on_behalf_of_name", "role", "authentication"),
    *("authenticated_at", "signed_at"),
)
"""The fields of a sign-off that its audit entry holds the digest of."""
Json = Any
PartId = tuple[str, str]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


class BadError(Exception):
    """What is wrong; the message begins with the item."""


# Canonical JSON (RFC 8785)


def canonical(value: Json) -> str:
    """The one spelling of a JSON value. Raises BadError for what JSON cannot say."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    raise BadError(f"{type(value).__name__} is no JSON")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """A double as ECMAScript writes it: shortest digits, exponents only from 1e21 and below 1e-6."""
    if value != value or value in (float("inf"), float("-inf")):
        raise BadError("a number that is none")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """The digits with the decimal point after `point` of them."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def sha(value: Json) -> str:
    """SHA-256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def combined(rows: Iterable[tuple[str, str, str]]) -> str:
    """One digest over (kind, key, digest) of a set of parts."""
    return sha([list(row) for row in sorted(rows)])


# Reading


class Bundle:
    """The files of a bundle, in a zip or a directory."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.zip = zipfile.ZipFile(place) if os.path.isfile(place) else None
        names = self.zip.namelist() if self.zip else sorted(self._walk())
        self.names = [name for name in names if not name.endswith("/")]
        if len(set(self.names)) != len(self.names):
            raise BadError("the zip holds a file twice")

    def _walk(self) -> Iterator[str]:
        for folder, _, files in os.walk(self.place):
            for name in files:
                yield os.path.relpath(os.path.join(folder, name), self.place).replace(os.sep, "/")

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file, one at a time, however long the file is."""
        try:
            with self.zip.open(name) if self.zip else open(os.path.join(self.place, name), "rb") as file:
                yield from file
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise BadError(f"{name}: missing or unreadable ({error})") from error
        except Exception as error:  # a damaged deflate stream: zlib names its own errors
            raise BadError(f"{name}: unreadable ({error})") from error

    def read(self, name: str) -> bytes:
        return b"".join(self.lines(name))

    def json(self, name: str) -> Json:
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise BadError(f"{name}: no JSON ({error})") from error

    def rows(self, name: str) -> Iterator[Json]:
        for number, line in enumerate(self.lines(name), 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise BadError(f"{name} line {number}: no JSON") from error

    def digest(self, name: str) -> str:
        found = hashlib.sha256()
        for line in self.lines(name):
            found.update(line)
        return found.hexdigest()


# What a signature covers


class Bodies:
    """By the digest of a body: its level digests and what its rules refer to; each body is read once."""

    def __init__(self, bundle: Bundle, manifest: Json) -> None:
        self.bundle = bundle
        self.levels = bundle.json("levels.json")
        self.files = {digest: f"parts/{kind}/{key}.json" for kind, key, digest in manifest["parts"]}
        for name in bundle.names:
            if name.startswith("bodies/"):
                self.files.setdefault(name[len("bodies/") : -len(".json")], name)
        self._known: dict[str, tuple[str, str, list[PartId]]] = {}

    def level(self, kind: str, digest: str, level: str) -> str:
        """The digest of a body at a level. Nothing in a playbook is semantic: there it is the operational text."""
        if level == "cosmetic":
            return digest
        operational, semantic, _ = self._read(digest)
        return operational if level == "operational" or kind == "playbook" else semantic

    def semantic(self, digest: str) -> str:
        return self._read(digest)[1]

    def references(self, digest: str) -> list[PartId]:
        return self._read(digest)[2]

    def _read(self, digest: str) -> tuple[str, str, list[PartId]]:
        if digest not in self._known:
            if digest not in self.files:
                raise BadError(f"body {digest}: is not in the bundle")
            whole = self.bundle.json(self.files[digest])
            kind, body = whole["kind"], whole["body"]
            table = self.levels[f"policy/{body['policy']}" if kind == "policy" else kind]
            projected = [sha({"kind": kind, "body": project(body, table, level)}) for level in LEVELS[1:]]
            self._known[digest] = (projected[0], projected[1], references(body) if kind == "segment" else [])
        return self._known[digest]


def project(body: Json, table: Json, level: str) -> Json:
    """The fields of a body at `level` and above, by the table of levels."""
    kept = {}
    for name, value in body.items():
        field = table[name]
        value = _projected(value, field, level)
        if value not in (None, {}, []):
            kept[name] = value
    return kept


def _projected(value: Json, field: Json, level: str) -> Json:
    inner = field.get("fields")
    if inner is not None and isinstance(value, dict):
        return project(value, inner, level)
    if inner is not None and isinstance(value, list) and value:
        items = [project(item, inner, level) for item in value]
        return items if any(items) else []
    return value if LEVELS.index(field["level"]) >= LEVELS.index(level) else None


def references(segment: Json) -> list[PartId]:
    """The data sources and dimensions that the rules of a segment look at."""
    documents = [rule["criteria"] for rule in segment.get("rules", [])]
    documents += [segment[name] for name in ("move", "stay") if isinstance(segment.get(name), dict)]
    found: set[PartId] = set()
    waiting = [document.get("root") for document in documents]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        for name, kind in (("attribute", "data_source"), ("dimension", "dimension")):
            if isinstance(node.get(name), str):
                found.add((kind, node[name]))
        items = node.get("items")
        waiting += [*(items if isinstance(items, list) else []), node.get("item")]
    return sorted(found)


class Wording:
    """All parts of one round by their digests, and what a requirement covers in them."""

    def __init__(self, bodies: Bodies, parts: dict[PartId, str]) -> None:
        self.bodies, self.parts = bodies, parts
        self._found: dict[str, str] = {}

        self.digest = combined((kind, key, digest) for (kind, key), digest in parts.items())

    def covered_digest(self, asked: Json) -> str:
        name = canonical([asked[part] for part in ("part_kind", "part_key", "kinds", "keys", "level")])
        if name not in self._found:
            self._found[name] = self._covered_digest(asked)
        return self._found[name]

    def _covered_digest(self, asked: Json) -> str:
        covered = self._covered(asked)
        rows = [(kind, key, self.bodies.level(kind, digest, asked["level"])) for kind, key, digest in covered]
        for kind, key in sorted(self._context(covered)):
            rows.append((f"context {kind}", key, self.bodies.semantic(self.parts[kind, key])))
        return combined(rows)

    def _covered(self, asked: Json) -> list[tuple[str, str, str]]:
        if asked["part_key"]:
            part = (asked["part_kind"], asked["part_key"])
            return [(*part, self.parts[part])] if part in self.parts else []
        kinds, keys = asked["kinds"], asked["keys"]
        return [
            (kind, key, digest)
            for (kind, key), digest in self.parts.items()
            if kind in kinds and (not keys or key in keys)
        ]

    def _context(self, covered: list[tuple[str, str, str]]) -> set[PartId]:
        found: set[PartId] = set()
        for kind, key, digest in covered:
            if kind == "segment":
                named = [("dimension", key.partition("/")[0]), ("meta", "meta"), *self.bodies.references(digest)]
                found |= {part for part in named if part in self.parts}
        return found


# The checks: each a generator of what it counted, raising BadError at the first thing that is wrong


class Verifier:
    """Every check of one bundle; `run` prints a line for each."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.manifest: Json = None
        self.wordings: dict[tuple[int, int], Wording | None] = {}
        self.notes: list[str] = []

    def run(self) -> None:
        checks = (
            *(self.files, self.parts, self.manifest_digest, self.wording_digests, self.requirements, self.impacts),
            *(self.signoffs, self.dissent, self.audit, self.acts),
        )
        for check in checks:
            say(f"ok    {check.__name__:<16} {check()}")
        for note in self.notes:
            say(f"note  {note}")

    def files(self) -> str:
        """Nothing is missing, added or changed since the list was written."""
        listed = {}
        last = ""
        for line in self.bundle.lines(SUMS):
            match = re.fullmatch(rb"([0-9a-f]{64})  ([^\n]+)\n", line)
            if not match or match[2].decode() <= last:
                raise BadError(f"{SUMS}: {line!r} is no line of it")
            last = match[2].decode()
            listed[last] = match[1].decode()
        for name in sorted({*listed, *self.bundle.names} - {SUMS}):
            if name not in listed:
                raise BadError(f"{name}: is not listed in {SUMS}")
            if name not in self.bundle.names:
                raise BadError(f"{name}: is missing")
            if self.bundle.digest(name) != listed[name]:
                raise BadError(f"{name}: was changed")
        return f"{len(listed)} files are all there and as listed"

    def parts(self) -> str:
        """Each part's file is the canonical body whose SHA-256 the manifest names."""
        self.manifest = self.bundle.json("manifest.json")
        if self.manifest.get("format") != FORMAT:
            raise BadError(f"manifest.json: is not {FORMAT}")
        listed = {f"parts/{kind}/{key}.json": (kind, digest) for kind, key, digest in self.manifest["parts"]}
        if unlisted := sorted({name for name in self.bundle.names if name.startswith("parts/")} - listed.keys()):
            raise BadError(f"{unlisted[0]}: is not in the manifest")
        for name, (kind, digest) in listed.items():
            self._check_body(name, digest, kind)
        return f"{len(listed)} bodies have the digests of the manifest"

    def _check_body(self, name: str, digest: str, kind: str | None) -> None:
        content = self.bundle.read(name)
        if hashlib.sha256(content).hexdigest() != digest:
            raise BadError(f"{name}: is not the body {digest}")
        whole = json.loads(content)
        if canonical(whole).encode() != content or (kind and whole["kind"] != kind):
            raise BadError(f"{name}: is no canonical body of a {kind or 'part'}")

    def manifest_parts(self) -> dict[PartId, str]:
        return {(kind, key): digest for kind, key, digest in self.manifest["parts"]}

    def manifest_digest(self) -> str:
        """The digest over all parts is the one that people signed."""
        digest = combined((kind, key, digest) for kind, key, digest in self.manifest["parts"])
        if digest != self.manifest["manifest_digest"]:
            raise BadError("manifest.json: its parts have another digest than it says")
        return f"all parts together are {digest}"

    def wording_digests(self) -> str:
        """Earlier rounds and versions whose sign-offs count here: their wordings and the bodies they had."""
        for name in self.bundle.names:
            if name.startswith("bodies/"):
                self._check_body(name, name[len("bodies/") : -len(".json")], None)
        bodies, today = Bodies(self.bundle, self.manifest), self.manifest_parts()
        for row in self.bundle.rows("wordings.jsonl"):
            self.wordings[row["version"], row["round"]] = self._wording(row, bodies, today)
        self.wordings.setdefault(self._now(), Wording(bodies, today))
        return f"{len(self.wordings)} wordings have the digests that were signed"

    def _wording(self, row: Json, bodies: Bodies, today: dict[PartId, str]) -> Wording | None:
        name = f"wordings.jsonl v{row['version']} round {row['round']}"
        if row["differs"] is None:
            if (row["version"], row["round"]) == self._now():
                raise BadError(f"{name}: today's wording is not there")
            self.notes.append(f"v{row['version']} round {row['round']}: its wording could not be rebuilt")
            return None
        parts = dict(today)
        for kind, key, digest in row["differs"]:
            parts.pop((kind, key), None)
            if digest:
                parts[kind, key] = digest
        wording = Wording(bodies, parts)
        if wording.digest != row["manifest_digest"]:
            raise BadError(f"{name}: its parts are not the manifest {row['manifest_digest']}")
        return wording

    def _now(self) -> tuple[int, int]:
        return (self.manifest["version"]["number"], self.manifest["version"]["round"])

    def requirements(self) -> str:
        """What each round asked for covers what its parts said."""
        count = 0
        for row in self.bundle.rows("requirements.jsonl"):
            count += 1
            wording = self.wordings.get((self._now()[0], row["round"]))
            if wording and row["covered_digest"] and wording.covered_digest(row) != row["covered_digest"]:
                raise BadError(f"requirement {row['code']} {row['part_key']}: covers something else than it says")
        return f"{count} requirements cover what they say"

    def impacts(self) -> str:
        """The digest of each computed impact is that of its figures."""
        count = 0
        for row in self.bundle.rows("impacts.jsonl"):
            count += 1
            if sha({"as_of": row["as_of"], "figures": row["figures"]}) != row["digest"]:
                raise BadError(f"impact {row['uuid']}: its figures have another digest")
        return f"{count} impacts have their digests"

    def signoffs(self) -> str:
        """Each signature covers exactly the parts, the manifest and the impact it names."""
        impacts = {row["digest"] for row in self.bundle.rows("impacts.jsonl")}
        count = 0
        for row in self.bundle.rows("signoffs.jsonl"):
            count += 1
            self._check_signoff(row, impacts)
        return f"{count} sign-offs cover what their digests say"

    def _check_signoff(self, row: Json, impacts: set[str]) -> None:
        name = _signoff_name(row)
        wording = self.wordings.get((row["version"], row["round"]))
        if (row["version"], row["round"]) not in self.wordings:
            raise BadError(f"{name}: the wording of its round is missing")
        if wording and wording.digest != row["manifest_digest"]:
            raise BadError(f"{name}: was given on another manifest")
        if wording and wording.covered_digest(row["requirement"]) != row["covered_digest"]:
            raise BadError(f"{name}: covers something else than the parts here")
        if row["impact_digest"] and row["version"] == self._now()[0] and row["impact_digest"] not in impacts:
            raise BadError(f"{name}: the impact it was given on is missing")

    def dissent(self) -> str:
        """Every No and every decision taken back is told as dissent."""
        told = [row["uuid"] for row in self.bundle.json("dissent.json")["signoffs"]]
        given = [row for row in self.bundle.rows("signoffs.jsonl") if row["decision"] in ("reject", "withdraw")]
        if told != [row["uuid"] for row in given]:
            raise BadError("dissent.json: does not tell every No")
        return f"{len(told)} decisions against, each with its reason"

    def audit(self) -> str:
        """Each entry has its hash and follows the one before it in the chain."""
        hashes = self._hashes()
        count, last = 0, (0, GENESIS)
        for row in self.bundle.rows("audit/entries.jsonl"):
            count += 1
            seq, name = int(row["seq"]), f"audit entry {row['seq']}"
            if sha({key: value for key, value in row.items() if key != "hash"}) != row["hash"]:
                raise BadError(f"{name}: was changed after it was written")
            last = _advanced(hashes, last, seq - 1, name)
            if row["prev_hash"] != last[1]:
                raise BadError(f"{name}: does not follow the entry before")
            last = _advanced(hashes, last, seq, name)
            if row["hash"] != last[1]:
                raise BadError(f"{name}: the chain has another hash in its place")
        if next(hashes, None):
            raise BadError("audit/hashes.txt: goes on after the last entry")
        self._check_head(last)
        return f"{count} entries are whole and linked; the chain ended at entry {self._head()['seq']}"

    def _hashes(self) -> Iterator[tuple[int, str]]:
        expected = None
        for line in self.bundle.lines("audit/hashes.txt"):
            seq, _, digest = line.decode().strip().partition(" ")
            if expected is not None and int(seq) != expected:
                raise BadError(f"audit/hashes.txt: {expected} is missing")
            expected = int(seq) + 1
            yield int(seq), digest

    def _head(self) -> Json:
        return self.bundle.json("export.json")["audit_head"]

    def _check_head(self, last: tuple[int, str]) -> None:
        head = self._head()
        if int(head["seq"]) < last[0] or (int(head["seq"]) == last[0] and head["hash"] != last[1]):
            raise BadError("export.json: the end of the chain does not fit its entries")

    def acts(self) -> str:
        """The chain and the sign-offs tell the same: who decided what, when, in which order."""
        given: dict[tuple[str, str], list[Json]] = {}
        for row in self.bundle.rows("signoffs.jsonl"):
            given.setdefault((row["signed_at"], row["signer"]), []).append(row)
        count = 0
        for entry in self.bundle.rows("audit/entries.jsonl"):
            if entry["action"] in SIGNING:
                count += 1
                _check_act(entry, given.get((entry["at"], entry["actor"]), []))
        for row in (row for rows in given.values() for row in rows):
            raise BadError(f"{_signoff_name(row)}: the audit chain knows nothing of it")
        return f"{count} acts of signing are in the chain as they are here"


def _signoff_name(row: Json) -> str:
    return f"sign-off {row['uuid']} of {row['printed_name']}"


def _advanced(hashes: Iterator[tuple[int, str]], last: tuple[int, str], seq: int, name: str) -> tuple[int, str]:
    """The chain's hash at `seq`, withheld entries passed over."""
    while last[0] < seq:
        found = next(hashes, None)
        if found is None:
            raise BadError(f"{name}: audit/hashes.txt ends before it")
        last = found
    if last[0] != seq:
        raise BadError(f"{name}: audit/hashes.txt begins after it")
    return last


def _check_act(entry: Json, waiting: list[Json]) -> None:
    """Take the sign-offs that this entry was written for from those of its signer and moment, in their order."""
    name, told = f"audit entry {entry['seq']}", entry["after"].get("decisions")
    rows = waiting[: len(told) if told is not None else 1]
    del waiting[: len(rows)]
    if not rows or (told is not None and [decided(row) for row in rows] != told):
        raise BadError(f"{name}: tells of other decisions than the sign-offs here")
    if any(row["printed_name"] != entry["actor_name"] for row in rows):
        raise BadError(f"{name}: {entry['actor_name']} is not who signed")
    signed = entry["after"].get("signoffs")
    if signed is not None and signed != sha([{field: row[field] for field in ATTESTED} for row in rows]):
        raise BadError(f"{name}: was written for other sign-offs than those of {rows[0]['printed_name']} here")


def decided(row: Json) -> str:
    return f"{row['decision']} {row['code']} {row['part_key']}".strip()


def main(arguments: list[str]) -> int:
    place = arguments[0] if arguments else os.path.dirname(os.path.abspath(__file__))
    try:
        Verifier(Bundle(place)).run()
    except BadError as error:
        say(f"BAD   {error}")
        return 1
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, zipfile.BadZipFile) as error:
        say(f"BAD   the bundle is malformed: {type(error).__name__} {error}")
        return 1
    say("The bundle is whole.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
