"""Checks that need the parts alone: what nobody acts on, where nobody knows a source, what is the same twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from frameworks.checks.findings import Finding
from frameworks.criteria.ast import attributes_used
from frameworks.criteria.text import CriteriaTextError, scope_warnings
from frameworks.criteria.text_keys import matching_key
from frameworks.definition import Definition
from frameworks.parts.naming import own_label
from frameworks.parts.playbook import Playbook
from frameworks.parts.policy import GuardPolicy, LimitsPolicy
from frameworks.parts.term import UsedBy

MOST_DIMENSIONS = 5
MOST_SEGMENTS = 5
MICRO_SEGMENTS = 15
_TREATMENT = ("sales_motion", "marketing_approach", "cs_model", "cadence", "pricing", "offering", "actions")
_FACETS = {"compensation": "compensation", "messages": "messages", "training": "training path"}
# A definition quotes the words it builds on: “Account” or "ARR".
_QUOTED = re.compile('[“"]([^”"]{2,60})[”"]')
# Words of the field that a definition leans on; each is a term of its own (docs/glossary).
_FIELD_TERMS = re.compile(r"\b(?:ARR|MRR|ACV|TCV|NRR|GRR|CAC|LTV|ICP|QBR|EBR|MQL|PQL)\b")


def static_findings(definition: Definition) -> list[Finding]:
    """Every finding that the parts alone give away; the definition must be valid."""
    return [
        *_actions(definition),
        *_sources(definition),
        *_terms(definition),
        *_uses(definition),
        *_limits(definition),
        *_same_names(definition),
        *_anti_icp(definition),
        *_expectations(definition),
        *_treatments(definition),
        *_scopes(definition),
    ]


def assumed_finding(names: Sequence[str], *, shown: int = 5) -> Iterator[Finding]:
    """Parts nobody has confirmed, by name."""
    count = len(names)
    if count:
        more = f" and {count - shown} more" if count > shown else ""
        text = f"{count} {'part is' if count == 1 else 'parts are'} still ASSUMED: {', '.join(names[:shown])}{more}."
        yield Finding("assumed", "error", text, items=tuple(names))


def _actions(definition: Definition) -> Iterator[Finding]:
    for key, dimension in definition.dimensions.items():
        for short, segment in definition.segments[key].items():
            if not segment.rules and dimension.fallback != short:
                text = f"{dimension.label} / {segment.label} has no rule, so no account ever gets there."
                yield Finding("unreachable", "error", text, "segment", f"{key}/{short}")
            playbook = definition.playbooks.get(f"{key}/{short}")
            if playbook is None or not playbook.actions:
                text = f"{dimension.label} / {segment.label} has no playbook action: nobody would act on it."
                yield Finding("no_action", "error", text, "segment", f"{key}/{short}")


def readers(definition: Definition) -> dict[str, list[str]]:
    """Attribute → the segments ("tier/smb") whose rules read it; derived attributes read what they are made of."""
    found: dict[str, list[str]] = {}
    for dimension in definition.dimensions:
        for candidate in definition.candidates(dimension):
            for key in sorted(attributes_used(candidate.criteria.root)):
                found.setdefault(key, []).append(f"{dimension}/{candidate.segment_key}")
    for key in list(found):
        derived = getattr(definition.data_sources.get(key), "derived", None)
        for source in getattr(derived, "of", None) or ():
            found.setdefault(source, []).extend(found[key])
    return {key: list(dict.fromkeys(segments)) for key, segments in found.items()}


def _sources(definition: Definition) -> Iterator[Finding]:
    for key, segments in sorted(readers(definition).items()):
        source = definition.data_sources.get(key)
        if source is not None and not source.system and not getattr(source, "derived", None):
            text = (
                f"{source.label} is read by {_counted(segments, 'segment')}, and no data source says where it is from."
            )
            yield Finding("no_source", "error", text, "data_source", key)


def _terms(definition: Definition) -> Iterator[Finding]:
    known = {_folded(term.label) for term in definition.terms.values()}
    known |= {_folded(key.replace("_", " ")) for key in definition.terms}
    for key, term in definition.terms.items():
        named = {match for match in _QUOTED.findall(term.wording) if _is_a_name(match)}
        named |= set(_FIELD_TERMS.findall(term.wording))
        for word in sorted(named):
            if not any(_mentions(label, _folded(word)) for label in known):
                text = f"The definition of {term.label} uses “{word}”, which is not defined itself."
                yield Finding("undefined_term", "error", text, "term", key, (word,))


def _uses(definition: Definition) -> Iterator[Finding]:
    """A definition that still says it matters to what has left: people would go on signing it for nothing."""
    for key, term in definition.terms.items():
        gone = dict(_gone(definition, term.used_by)) if term.used_by else {}
        if gone:
            text = (
                f"The definition of {term.label} matters to {_listed(list(gone.values()))}, not part of this version."
                " Say there where it matters now, or take the definition out."
            )
            yield Finding("term_of_nothing", "warning", text, "term", key, tuple(gone))


def _gone(definition: Definition, used: UsedBy) -> Iterator[tuple[str, str]]:
    """Of what a definition names, the key and the name of what the version does not have."""
    yield from ((key, key) for key in used.attributes if key not in definition.data_sources)
    yield from ((key, key) for key in used.dimensions if key not in definition.dimensions)
    for key in used.segments:
        dimension, _, short = key.partition("/")
        body = definition.dimensions.get(dimension)
        if body is None or short not in body.segments:
            yield key, _called(definition, dimension, short)


def _is_a_name(quoted: str) -> bool:
    return quoted[:1].isupper() and len(quoted.split()) <= 4 and not quoted.endswith((".", "?", "!"))


def _mentions(label: str, word: str) -> bool:
    return label == word or f"({word})" in label or word.removesuffix("s") == label


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _limits(definition: Definition) -> Iterator[Finding]:
    policy = definition.policy("limits")
    most = policy if isinstance(policy, LimitsPolicy) else None
    dimensions = most.max_dimensions if most else MOST_DIMENSIONS
    per_dimension = most.max_segments_per_dimension if most else MOST_SEGMENTS
    in_all = most.max_segments_in_all if most else MICRO_SEGMENTS - 1
    count = len(definition.dimensions)
    if count > dimensions:
        text = f"{count} dimensions; the policy warns above {dimensions}."
        yield Finding("too_many_dimensions", "warning", text, items=(f"{count} dimensions",))
    for key, body in definition.dimensions.items():
        if len(body.segments) > per_dimension:
            text = f"{body.label} has {len(body.segments)} segments; the policy warns above {per_dimension}."
            items = (f"{len(body.segments)} segments",)
            yield Finding("too_many_segments", "warning", text, "dimension", key, items)
    total = sum(len(body.segments) for body in definition.dimensions.values())
    if total > in_all:
        text = f"{total} segments in all; more than {in_all} are micro-segments that nobody can act on."
        yield Finding("too_many_segments", "warning", text, items=(f"{total} segments in all",))


def _same_names(definition: Definition) -> Iterator[Finding]:
    """Two segments that people cannot tell apart by what they read: not by case, spaces or how a letter is coded."""
    for key, body in definition.dimensions.items():
        labels: dict[str, list[str]] = {}
        for short, segment in definition.segments[key].items():
            labels.setdefault(matching_key(segment.label, missing_tokens=()) or "", []).append(short)
        for shorts in (each for each in labels.values() if len(each) > 1):
            text = f"{body.label}: {_listed(shorts)} have the same name, so nobody can tell them apart."
            yield Finding("same_name", "error", text, "dimension", key, tuple(shorts))


def _anti_icp(definition: Definition) -> Iterator[Finding]:
    """One finding per dimension, so that one waiver can say that a whole dimension needs none."""
    for key, body in definition.dimensions.items():
        without = {short: s.label for short, s in definition.segments[key].items() if not getattr(s, "anti_icp", ())}
        if without:
            have = "has" if len(without) == 1 else "have"
            text = f"{body.label}: {_listed(list(without.values()))} {have} no anti-ICP list."
            yield Finding("no_anti_icp", "warning", text, "dimension", key, tuple(without))


def _expectations(definition: Definition) -> Iterator[Finding]:
    """A share signed for a segment that left would count for nothing, and its successor would be held."""
    guard = definition.policy("guard")
    for key in sorted(guard.expectations) if isinstance(guard, GuardPolicy) else ():
        dimension, _, short = key.partition("/")
        body = definition.dimensions.get(dimension)
        if body is not None and short in body.segments:
            continue
        went = next((entry.into for entry in body.retired if entry.segment == short), []) if body else []
        names = {short: _called(definition, dimension, short) for short in (short, *went)}
        where = f" It went into {_listed([names[each] for each in went])}." if went else ""
        text = (
            f"The guard policy expects a share of accounts in {names[short]}, which is no segment of this version."
            f"{where} Say there how large what took its place may be, or take the line out."
        )
        yield Finding("expectation_of_nothing", "error", text, "policy", "guard", (key,))


def _called(definition: Definition, dimension: str, short: str) -> str:
    outer, inner = definition.dimensions.get(dimension), definition.segments.get(dimension, {}).get(short)
    own = own_label("segment", short, inner.label if inner else "")
    return f"{own_label('dimension', dimension, outer.label if outer else '')} / {own}"


def _treatments(definition: Definition) -> Iterator[Finding]:
    for key, body in definition.dimensions.items():
        labels = {short: segment.label for short, segment in definition.segments[key].items()}
        books = {
            short: definition.playbooks[f"{key}/{short}"]
            for short in labels
            if f"{key}/{short}" in definition.playbooks
        }
        same, facets = [], []
        for one, other in combinations(books, 2):
            if _is_same(books[one], books[other]):
                same.append((one, other))
                continue
            for facet, words in _FACETS.items():
                given = getattr(books[one], facet)
                if given and given == getattr(books[other], facet):
                    facets.append((one, other, facet, words))
        if same:
            pairs = _listed([f"{labels[one]} and {labels[other]}" for one, other in same], joint=";")
            text = f"{body.label}: {pairs} have the same playbook, so they are not two segments."
            items = tuple(f"{one} + {other}" for one, other in same)
            yield Finding("same_treatment", "warning", text, "dimension", key, items)
        if facets:
            pairs = _listed(
                [f"{labels[a]} and {labels[b]} share their {words}" for a, b, _, words in facets], joint=";"
            )
            text = f"{body.label}: {pairs}. Each facet has to differ between segments."
            items = tuple(f"{one} + {other}: {facet}" for one, other, facet, _ in facets)
            yield Finding("same_facet", "warning", text, "dimension", key, items)


def _is_same(one: Playbook, other: Playbook) -> bool:
    return all(_plain(getattr(one, name)) == _plain(getattr(other, name)) for name in _TREATMENT)


def _plain(value: Any) -> Any:
    """Actions without their keys: the same work under another key is the same work."""
    if isinstance(value, list):
        return sorted(repr(item.model_copy(update={"key": ""})) for item in value)
    return _folded(value) if isinstance(value, str) else value


def _scopes(definition: Definition) -> Iterator[Finding]:
    """Rules are stored as trees, which have one reading; a note that quotes the rule as text may have two."""
    for key in definition.dimensions:
        for short, segment in definition.segments[key].items():
            found = [f"{rule.key}: {words}" for rule in segment.rules for words in _ambiguities(rule.note)]
            if found:
                text = f"{definition.dimensions[key].label} / {segment.label}: {_listed(found, joint=';')}"
                yield Finding("scope_ambiguous", "warning", text, "segment", f"{key}/{short}", tuple(found))


def _ambiguities(note: str) -> list[str]:
    """What is ambiguous in a note that is a rule in text form; nothing in prose."""
    try:
        return [problem.message for problem in scope_warnings(note)] if note else []
    except CriteriaTextError:
        return []


def _counted(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _listed(words: Sequence[str], joint: str = ",") -> str:
    if len(words) == 1:
        return words[0]
    return f"{f'{joint} '.join(words[:-1])} and {words[-1]}" if joint == "," else f"{joint} ".join(words)
