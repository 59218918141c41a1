"""From the verdicts on a dimension's candidates to one segment: today's answer, then what came before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.oracle.facts import Bodies, Body, Facts, Outcome, State, Verdict
from tests.oracle.nodes import Asking, SegmentOf, combined
from tests.oracle.values import Values

DEFAULT_BASES = ("value", "behavioural", "needs", "lifecycle", "technographic", "firmographic", "geographic")
OPEN = ("fallback", "no_match", "missing_data", "insufficient_history")


@dataclass(frozen=True)
class Candidate:
    """A rule, or the `move` or `stay` of a segment, with the verdict on its own criteria."""

    segment: str
    name: str
    kind: str
    basis: str
    root: Body
    own: Verdict

    @property
    def key(self) -> str:
        return f"{self.segment}/{self.name}"


class Dimension:
    """One dimension of one account at one instant."""

    def __init__(self, bodies: Bodies, key: str, asking: Asking, prior: State | None) -> None:
        self.body = bodies["dimension", key]
        self.segments = {short: bodies["segment", f"{key}/{short}"] for short in self.body["segments"]}
        self.ranks = {short: rank for rank, short in enumerate(self.segments, 1)}
        self.policy = self.body.get("hit_policy", "basis_precedence")
        self.asking = asking
        self.trace: dict[str, dict[str, Verdict]] = {}
        self.candidates = self._in_order()
        self.was = self.today_name(prior.computed) if prior else None
        self.rests = False

    def today_name(self, segment: str | None) -> str | None:
        """The segment, or the only one that took its place; None where there is no one such."""
        entry = next((each for each in self.body.get("retired", ()) if each["segment"] == segment), None)
        if entry is None:
            return segment if segment in self.segments else None
        places = {self.today_name(each) for each in entry["into"]}
        return places.pop() if len(places) == 1 else None

    def carried(self, segment: str) -> str | None:
        """Where an override of the segment goes on."""
        entry = next((each for each in self.body.get("retired", ()) if each["segment"] == segment), None)
        if entry is None:
            return segment
        to = entry.get("overrides") or (entry["into"][0] if len(entry["into"]) == 1 else "reconfirm")
        return self.carried(to) if to in entry["into"] else None

    # --- candidates

    def around(self, segment: str) -> list[str]:
        """The segments it is nested in, nearest first."""
        parent = self.segments[segment].get("parent")
        return [parent, *self.around(parent)] if parent else []

    def are_related(self, one: str, other: str) -> bool:
        return one == other or one in self.around(other) or other in self.around(one)

    def _in_order(self) -> list[Candidate]:
        """By rank, under basis precedence by basis first; nothing of a segment before what is nested in it.

        `move` and `stay` come after the rules of the earliest basis of their segment.
        """
        bases = [*self.body.get("basis_order", DEFAULT_BASES)] if self.policy == "basis_precedence" else []
        found: list[tuple[int, Candidate]] = []
        for segment, body in self.segments.items():
            places = [bases.index(r["basis"]) if r["basis"] in bases else len(bases) for r in body.get("rules", ())]
            for place, rule in zip(places, body.get("rules", ()), strict=True):
                found.append((place, self._asked(segment, rule["key"], "rule", rule["criteria"], rule["basis"])))
            for kind in ("move", "stay"):
                if body.get(kind):
                    found.append((min(places, default=len(bases)), self._asked(segment, kind, kind, body[kind])))
        ordered: list[Candidate] = []
        for candidate in (candidate for place in range(len(bases) + 1) for at, candidate in found if at == place):
            around = self.around(candidate.segment)
            before = (place for place, other in enumerate(ordered) if other.segment in around)
            ordered.insert(next(before, len(ordered)), candidate)
        return ordered

    def _asked(self, segment: str, name: str, kind: str, document: Body, basis: str = "") -> Candidate:
        trace = self.trace.setdefault(f"{segment}/{name}", {})
        return Candidate(segment, name, kind, basis, document["root"], self.asking.verdict(document["root"], trace))

    def rules(self, segment: str) -> list[Candidate]:
        return [each for each in self.candidates if each.kind == "rule" and each.segment == segment]

    def nested(self, candidate: Candidate) -> Verdict:
        """Its own verdict and one of the rules of each segment around it; a segment without rules asks nothing."""
        around = [self.rules(segment) for segment in self.around(candidate.segment)]
        return _all(candidate.own, *(_any(rule.own for rule in rules) for rules in around if rules))

    def today(self, segment: str) -> Verdict:
        """Whether some rule of the segment holds, counting or not."""
        return _any(self.nested(rule) for rule in self.rules(segment))

    def counts(self, candidate: Candidate) -> Verdict:
        """What the candidate says about this account.

        A `move` wins nothing by itself: it lets the rules of a segment count where the account is in another. An
        unknown rule stays unknown. A `stay` is asked where the account is in the segment and no rule holds it there,
        unless it rests there on its way; unknown, it keeps nobody.
        """
        verdict = self.nested(candidate)
        if candidate.kind == "move":
            return False
        if candidate.kind == "stay":
            is_asked = self.was == candidate.segment and self.today(candidate.segment) is not True and not self.rests
            return is_asked and verdict is True and self._is_needed(candidate.segment)
        move = next((c for c in self.candidates if c.kind == "move" and c.segment == candidate.segment), None)
        if move is None or self.was in (None, candidate.segment) or verdict is None:
            return verdict
        return verdict is True and move.own is True

    def _is_needed(self, segment: str) -> bool:
        """The fallback takes what nothing else could win, without its `stay`."""
        others = (rule for rule in self.candidates if rule.kind == "rule" and rule.segment != segment)
        return segment != self.body.get("fallback") or any(self.counts(rule) is not False for rule in others)

    # --- today's answer

    def answer(self, facts: Facts) -> Outcome:
        """What today's verdicts say of an account, given the segment it is in."""
        if facts.is_excluded:
            return _unplaced("excluded")
        base = self._base()
        if base is not True:
            waiting = [rule for rule in self._base_rules() if self.nested(rule) is None]
            return self._without_winner(waiting if base is None else [])
        said = [(candidate, self.counts(candidate)) for candidate in self.candidates]
        if self.policy in ("unique", "manual_review") and self._conflicts(said):
            return _unplaced("conflict", losers=self._true_today())
        place = next((place for place, (_, verdict) in enumerate(said) if verdict is True), None)
        if place is None:
            return self._without_winner([candidate for candidate, verdict in said if verdict is None])
        reach = said if self.policy in ("unique", "manual_review") else said[:place]
        return self._won(said[place][0], [candidate for candidate, verdict in reach if verdict is None])

    def _base_rules(self) -> list[Candidate]:
        base = self.body.get("base_basis") or "firmographic"
        return [each for each in self.candidates if each.kind == "rule" and each.basis == base]

    def _base(self) -> Verdict:
        """Under `raise_only` a rule of the base basis has to hold."""
        return _any(self.nested(rule) for rule in self._base_rules()) if self.policy == "raise_only" else True

    def _conflicts(self, said: list[tuple[Candidate, Verdict]]) -> bool:
        true = {each.segment for each, verdict in said if verdict is True and each.kind == "rule"}
        return any(not self.are_related(one, other) for one in true for other in true)

    def _true_today(self) -> list[str]:
        in_order = dict.fromkeys(each.segment for each in self.candidates if each.kind == "rule")
        return [segment for segment in in_order if self.today(segment) is True]

    def _won(self, winner: Candidate, unknown: list[Candidate]) -> Outcome:
        """A segment and those around it are no rivals of what is nested in it."""
        beaten = [winner.segment, *self.around(winner.segment)]
        rivals = [candidate for candidate in unknown if candidate.segment not in beaten]
        missing = self._missing(rivals)
        if rivals and self.body.get("undetermined_higher", "provisional") == "unassigned":
            return _unplaced(_missing_reason(missing), missing=missing)
        losers = [segment for segment in self._true_today() if not self.are_related(segment, winner.segment)]
        reason = "provisional" if rivals else "matched"
        return Outcome(winner.segment, winner.segment, None, reason, winner.key, missing, losers)

    def _without_winner(self, unknown: list[Candidate]) -> Outcome:
        if unknown:
            missing = self._missing(unknown)
            return _unplaced(_missing_reason(missing), missing=missing)
        fallback = self.body.get("fallback")
        return Outcome(fallback, fallback, None, "fallback" if fallback else "no_match")

    def _missing(self, candidates: list[Candidate]) -> list[str]:
        around = [rule for each in candidates for segment in self.around(each.segment) for rule in self.rules(segment)]
        return sorted({key for each in [*candidates, *around] for key in self.asking.lacking(each.root)})

    # --- what came before

    def decided(self, facts: Facts, prior: State | None, *, number: int, version: int) -> Outcome:
        """The outcome of an account whose facts have that number, under the framework's version of that number."""
        self.rests = prior is not None and self._rests(prior, number, version)
        said = self.answer(facts)
        if self.was is not None and prior is not None:
            said = self._kept(said) or self._slowed(said, prior, number, version)
        said.trace = self.trace
        return self._held(said, prior)

    def _kept(self, said: Outcome) -> Outcome | None:
        """Where nothing wins, but another segment's rules hold and wait for its `move`, the account stays."""
        if said.reason not in OPEN or self._base() is not True:
            return None
        moves = [each for each in self.candidates if each.kind == "move" and each.segment != self.was]
        pulling = next((each for each in moves if self.today(each.segment) is True), None)
        return self._at(self.was, "kept", pulling.key) if pulling else None

    def _slowed(self, said: Outcome, prior: State, number: int, version: int) -> Outcome:
        """Another segment is reached after the dwell, and `max_step` ranks at a time.

        A step made on these facts under this version is followed by the next when the dwell, if there is one, is over.
        """
        if said.segment is None or self.was is None or said.segment == self.was:
            return said
        step = self.body.get("max_step")
        is_dwelling = self._is_dwelling(prior)
        if self.rests and is_dwelling is not False:
            return self._at(self.was, "stepped", said.rule)
        if is_dwelling:
            return self._at(self.was, "kept", said.rule)
        ranks = [*self.segments]
        here, there = ranks.index(self.was), ranks.index(said.segment)
        if step and abs(there - here) > step:
            return self._at(ranks[here + step if there > here else here - step], "stepped", said.rule)
        return said

    def _rests(self, prior: State, number: int, version: int) -> bool:
        """The account has made a step on these facts under this version."""
        has_stepped = prior.reason == "stepped" and (prior.version, prior.decided_with) == (version, number)
        return has_stepped and self.body.get("max_step") is not None

    def _is_dwelling(self, prior: State) -> bool | None:
        """None where the dimension has no dwell. Days are those of the framework's zone."""
        days = self.body.get("min_dwell_days")
        if not days:
            return None
        return self.asking.values.today < self.asking.values.day(prior.since) + timedelta(days=days)

    def _at(self, segment: str | None, reason: str, rule: str) -> Outcome:
        return Outcome(segment, segment, None, reason, rule)

    def _held(self, said: Outcome, prior: State | None) -> Outcome:
        """A move against which the dimension asks a person waits for one, also while data are missing."""
        counted = self.today_name(prior.counted) if prior else None
        if prior is None or counted not in self.ranks or said.segment == counted:
            return said
        if said.segment is None:
            return replace(said, effective=counted, is_held=True) if self._waits_on(said, prior) else said
        is_up = self.ranks[said.segment] < self.ranks[counted]
        policy = self.body.get("upgrade", "auto") if is_up else self.body.get("downgrade", "review")
        if policy == "review" and self.today_name(prior.released) != said.segment:
            return replace(said, effective=counted, is_held=True)
        return said

    def _waits_on(self, said: Outcome, prior: State) -> bool:
        """Where it would go is not known, and nobody has let it go."""
        is_unknown = said.reason in ("missing_data", "insufficient_history")
        asks = "review" in (self.body.get("upgrade", "auto"), self.body.get("downgrade", "review"))
        return is_unknown and asks and prior.is_held and prior.released is None


def _missing_reason(missing: list[str]) -> str:
    is_history = bool(missing) and all(key.startswith("history:") for key in missing)
    return "insufficient_history" if is_history else "missing_data"


def _unplaced(reason: str, **how: list[str]) -> Outcome:
    return Outcome(None, None, None, reason, **how)  # type: ignore[arg-type]


def _any(verdicts: Iterable[Verdict]) -> Verdict:
    found = list(verdicts)
    return combined({"op": "any"}, found) if found else False


def _all(*verdicts: Verdict) -> Verdict:
    return combined({"op": "all"}, list(verdicts))


class Account:
    """One account at one instant: its dimensions, each asked once, those it reads before it."""

    def __init__(
        self, bodies: Bodies, facts: Facts, as_of: datetime, prior: Mapping[str, State], number: int, version: int
    ) -> None:
        self.bodies, self.facts, self.as_of = bodies, facts, as_of
        self.prior, self.number, self.version = prior, number, version
        self.values = Values(bodies, facts, as_of)
        self.dimensions = [key for kind, key in bodies if kind == "dimension"]
        self.outcomes: dict[str, Outcome] = {}
        self.states: dict[str, State] = {}

    def outcome(self, key: str) -> Outcome:
        if key not in self.outcomes:
            dimension = Dimension(self.bodies, key, Asking(self.values, self._reader(key)), self.prior.get(key))
            found = dimension.decided(self.facts, self.prior.get(key), number=self.number, version=self.version)
            self.states[key] = self._state(key, found, dimension)
            self._replaced(dimension, key, found)
            self.outcomes[key] = found
        return self.outcomes[key]

    def _reader(self, key: str) -> SegmentOf:
        is_computed = self.bodies["dimension", key].get("basis_of") == "computed"
        return lambda other: self.outcome(other).segment if is_computed else self.outcome(other).effective

    def _state(self, key: str, found: Outcome, dimension: Dimension) -> State:
        """What the next evaluation finds. A release counts while the rules say the segment it was for."""
        prior = self.prior.get(key)
        was = prior and (dimension.today_name(prior.computed) or prior.computed)
        is_same = prior is not None and was == found.segment
        return State(
            computed=found.segment,
            counted=found.effective,
            reason=found.reason,
            since=prior.since if prior and is_same else self.as_of,
            decided_with=prior.decided_with if prior and is_same else self.number,
            version=self.version,
            released=(dimension.today_name(prior.released) or prior.released) if prior and is_same else None,
            is_held=found.is_held,
        )

    def _replaced(self, own: Dimension, dimension: str, found: Outcome) -> None:
        """An exclusion counts before an override, an override in force before the rules.

        One of a retired segment counts as its successor; of a split that names none it counts no more.
        """
        if self.facts.is_excluded:
            return
        for override in self.facts.overrides:
            if override.dimension == dimension and override.start <= self.as_of < override.end:
                segment = own.carried(override.segment)
                if segment is not None:
                    found.effective, found.until = segment, override.end
