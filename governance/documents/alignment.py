"""The Definition Alignment: each agreed wording beside what departments say instead, and who said Yes or No."""

from collections.abc import Iterator

from frameworks.alignment import StandingsByPart, Voice, matrix
from frameworks.models import FrameworkVersion, Kind
from frameworks.parts.wording import humanise
from frameworks.services.carrying import carried_words, is_carried, tally_with_carried
from frameworks.templatetags.cutline import day
from governance.documents.blocks import Block, Facts, Points, Prose, Section, missing, table
from governance.documents.source import Source

SAID = {"yes": "Yes", "no": "No", "open": "has not answered"}


def sections_of(source: Source) -> Iterator[Section]:
    keys = [part.key for part in source.document.of_kind(Kind.TERM)]
    standings = tally_with_carried(source.version, source.at).about((Kind.TERM.value, key) for key in keys)
    voices = _voices(source, standings, keys)
    yield Section("Where we stand", list(_standing(source, standings, keys, voices)))
    yield Section("Definitions", [] if keys else [missing("definitions")])
    for part in source.document.of_kind(Kind.TERM):
        yield Section(part.label, list(_term(source, part.key, voices.get(part.key, []))), level=3)


def _voices(source: Source, standings: StandingsByPart, keys: list[str]) -> dict[str, list[Voice]]:
    """Who says what on each term; of a draft as if it were submitted now."""
    if not keys:
        return {}
    _, rows = matrix(source.version, standings, keys)
    return {row.key: row.voices for row in rows if row.voices}


def _standing(
    source: Source, standings: StandingsByPart, keys: list[str], voices: dict[str, list[Voice]]
) -> Iterator[Block]:
    said = {key: {voice.said for voice in own} for key, own in voices.items()}
    aligned = sum(found == {"yes"} for found in said.values())
    refused = sum("no" in found for found in said.values())
    waiting = sum("open" in found for found in said.values())
    carried = sum(is_carried(source.version, own) for (_, key), own in standings.items() if said.get(key) == {"yes"})
    over = sum(any(voice.overruled_by for voice in own) for own in voices.values())
    yield Facts(
        [
            ("Terms aligned", f"{aligned} of {len(keys)}{carried_words(source.version, carried)}"),
            ("With a No", f"{refused}, {over} of them approved over the dissent" if refused else ""),
            ("Waiting for answers", str(waiting) if waiting else ""),
        ]
    )
    if not voices and keys:
        yield Prose("No definition is signed by itself: nobody is asked term by term.")
    elif voices and source.version.state == FrameworkVersion.State.DRAFT:
        yield Prose("The version is a draft: this is what would count if it were submitted now.")


def _term(source: Source, key: str, voices: list[Voice]) -> Iterator[Block]:
    term = source.definition.terms[key]
    yield Prose(term.wording)
    used = term.used_by
    places = [source.document.label_of(Kind.DIMENSION, name) for name in (used.dimensions if used else ())]
    places += [source.document.label_of(Kind.SEGMENT, name) for name in (used.segments if used else ())]
    places += [source.document.label_of(Kind.DATA_SOURCE, name) for name in (used.attributes if used else ())]
    yield Facts([("Owner", term.owner or ""), ("Matters in", ", ".join(places)), ("Source", term.source)])
    if term.variants:
        rows = [(humanise(variant.department), variant.wording) for variant in term.variants]
        yield table(f"What departments say instead of “{term.label}”", ("Department", "Its wording"), rows)
    else:
        yield Prose("No department says it differently.", "quiet")
    if voices:
        yield Points([voice_words(voice) for voice in voices])


def voice_words(voice: Voice) -> str:
    """ "Marcus Hale: No, 21 Nov 2026. “…” Approved over this dissent by …"."""
    when = f", {day(voice.at)}" if voice.at else ""
    because = f" “{voice.reason}”" if voice.reason else ""
    reason = f" “{voice.overruled_because}”" if voice.overruled_because else ""
    over = f" Approved over this dissent by {voice.overruled_by}.{reason}" if voice.overruled_by else ""
    return f"{voice.name}: {SAID[voice.said]}{when}.{because}{over}"
