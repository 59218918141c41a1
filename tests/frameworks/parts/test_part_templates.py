"""The templates: whole, consistent, and readable by the criteria language."""

import pytest

from frameworks.content import checked_all
from frameworks.exchange.templates import TemplateError, list_templates, load_template, read_template
from frameworks.parts import KINDS, parse_part
from frameworks.parts.base import Piece
from frameworks.parts.segment import attributes_used

SLUGS = [
    "hypothesis_driven",
    "needs_based_signals",
    "firmographic_only",
    "lifecycle",
    "firmographic_value",
    "full_multi_dimensional",
]


def bodies(slug, kind):
    return {key: parse_part(kind, key, body) for of, key, body in load_template(slug).parts if of == kind}


def test_list_templates_has_every_file():
    assert [template.slug for template in list_templates()] == SLUGS
    assert load_template("firmographic_value").title == "Customer segmentation: four dimensions"


@pytest.mark.parametrize("slug", SLUGS)
def test_template_holds_parts_of_every_kind_in_reading_order(slug):
    kinds = [kind for kind, _, _ in load_template(slug).parts]

    assert list(dict.fromkeys(kinds)) == list(KINDS)
    assert set(bodies(slug, "policy")) == {"signoff", "guard", "limits", "overrides"}


@pytest.mark.parametrize("slug", SLUGS)
def test_dimensions_list_exactly_the_segments_there_are(slug):
    listed = {f"{key}/{short}" for key, body in bodies(slug, "dimension").items() for short in body.segments}

    assert listed == set(bodies(slug, "segment"))
    assert listed == set(bodies(slug, "playbook"))


@pytest.mark.parametrize("slug", SLUGS)
def test_every_segment_has_rules_and_a_treatment_of_its_own(slug):
    playbooks = bodies(slug, "playbook")

    assert all(segment.rules for segment in bodies(slug, "segment").values())
    assert all(len(playbook.actions) >= 2 for playbook in playbooks.values())
    titles = [tuple(action.title for action in playbook.actions) for playbook in playbooks.values()]
    assert len(set(titles)) == len(titles)


def unsaid(piece, path=""):
    """The fields of a playbook, and of its pieces, that say nothing; a zero says something."""
    for name in type(piece).model_fields:
        value = getattr(piece, name)
        if value in (None, "", []):
            yield f"{path}{name}"
        elif isinstance(value, Piece):
            yield from unsaid(value, f"{path}{name}.")


@pytest.mark.parametrize("slug", SLUGS)
def test_every_playbook_says_everything_a_segment_carries(slug):
    missing = {key: list(unsaid(playbook)) for key, playbook in bodies(slug, "playbook").items()}

    assert {key: fields for key, fields in missing.items() if fields} == {}


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("facet", ["compensation", "messages", "training", "offering", "pricing", "icp", "targets"])
def test_no_two_segments_of_a_dimension_share_a_facet(slug, facet):
    playbooks = bodies(slug, "playbook")

    for dimension, body in bodies(slug, "dimension").items():
        said = [repr(getattr(playbooks[f"{dimension}/{short}"], facet)) for short in body.segments]
        assert len(set(said)) == len(said), dimension


@pytest.mark.parametrize("slug", SLUGS)
def test_every_attribute_used_has_a_source_and_every_source_is_used(slug):
    used = set().union(*(attributes_used(segment) for segment in bodies(slug, "segment").values()))
    sources = bodies(slug, "data_source")
    derived = [source.derived.of for key, source in sources.items() if key in used and source.derived]

    assert used.union(*derived) == set(sources)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_body_is_written_as_it_will_be_stored(slug):
    parts = {(kind, key): body for kind, key, body in load_template(slug).parts}

    # The first save must not look like a change.
    assert {(each.kind, each.key): each.body for each in checked_all(parts)} == parts


@pytest.mark.parametrize("slug", SLUGS)
def test_template_says_for_whom_it_is(slug):
    template = load_template(slug)

    assert all([template.title, template.method, template.description, template.when, template.needs])


@pytest.mark.parametrize("slug", SLUGS)
def test_terms_refer_to_what_exists(slug):
    parts = {(kind, key) for kind, key, _ in load_template(slug).parts}

    for term in bodies(slug, "term").values():
        used = term.used_by
        wanted = [
            *(("data_source", key) for key in (used.attributes if used else ())),
            *(("dimension", key) for key in (used.dimensions if used else ())),
            *(("segment", key) for key in (used.segments if used else ())),
        ]
        assert set(wanted) <= parts


@pytest.mark.parametrize("slug", ["firmographic_value"])
def test_every_tier_is_a_term_and_three_terms_are_in_dispute(slug):
    terms = bodies(slug, "term")

    assert set(bodies(slug, "dimension")["customer_tier"].segments) <= set(terms)
    disputed = {key for key, term in terms.items() if term.variants}
    assert disputed == {"customer_tier", "arr", "enterprise"}
    for key in disputed:
        assert [variant.department for variant in terms[key].variants] == ["sales", "cs", "finance"]


@pytest.mark.parametrize("slug", ["nothing", "../templates", "Firmographic", ""])
def test_template_that_is_not_there_is_named(slug):
    with pytest.raises(TemplateError, match="no template"):
        load_template(slug)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: [", "x: Line 2, column 1"),
        ("title: a\ntitle: b", "'title' occurs twice"),
        ("- a", "a template has"),
        ("{title: a, description: b, parts: [1]}", "kind, then key"),
        ("{title: a, description: b, parts: {verse: {}}}", "no kind of part verse"),
        ("{title: a, description: b, parts: {term: {arr: {label: ARR}}}}", "/term/arr/wording: This is needed"),
        ("{title: a, description: b, parts: {term: {arr: 1.5}}}", "/term/arr"),
        ("{title: a, description: b, parts: {segment: {a/b: {rules: [5]}}}}", "/parts/segment/a/b/rules/0"),
    ],
)
def test_file_that_is_no_template_is_refused_with_its_place(text, message):
    with pytest.raises(TemplateError, match=message):
        read_template("x", text)
