"""What is refused at save, with code, node and place."""

from __future__ import annotations

import pytest

from frameworks.criteria.ast import thresholds
from frameworks.criteria.parsing import CriteriaError, parse_criteria
from tests.frameworks.criteria.vocabulary import ATTRIBUTES, DIMENSIONS, found, leaf, read


def _problems(root):
    with pytest.raises(CriteriaError) as caught:
        read(root)
    return caught.value.problems


def _always(number):
    return {"id": f"a{number}", "op": "always"}


def _change(attribute="arr", **fields):
    return leaf(
        "change", attribute, **{"grain": "month", "periods": 1, "measure": "percent", "compare": "gt", **fields}
    )


def _signal(**fields):
    return {"id": "n1", "op": "signal", "kind": "hiring", "at_least": 1, "within_days": 90, **fields}


def _sustained(item, **fields):
    return {"id": "n1", "op": "sustained", "periods": 2, "grain": "month", "item": {"id": "n2", **item}, **fields}


OVER = {"op": "gt", "attribute": "arr", "value": "5"}


@pytest.mark.parametrize(
    ("root", "code", "node_id", "pointer"),
    [
        (_sustained(OVER, periods=0), "invalid_value", "n1", "/root/periods"),
        (_sustained(OVER, periods=13), "invalid_value", "n1", "/root/periods"),
        (_sustained(OVER, grain="quarter"), "invalid_value", "n1", "/root/grain"),
        (_sustained(OVER, missing_period="skip_all"), "invalid_value", "n1", "/root/missing_period"),
        ({"id": "n1", "op": "sustained", "periods": 2, "grain": "month"}, "missing_field", "n1", "/root/item"),
        (_sustained({"op": "always"}), "not_in_history", "n2", "/root/item/op"),
        (_sustained({"op": "is_true", "attribute": "p"}), "not_in_history", "n2", "/root/item/op"),
        (_sustained({"op": "eq", "attribute": "name", "value": "x"}), "not_in_history", "n2", "/root/item/attribute"),
        (_sustained({"op": "is_missing", "attribute": "name"}), "not_in_history", "n2", "/root/item/attribute"),
        (_sustained({**OVER, "attribute": "tenure"}), "not_in_history", "n2", "/root/item/attribute"),
        (_sustained({**OVER, "of": "ultimate_parent"}), "of_not_valid", "n2", "/root/item/of"),
        (_sustained({"op": "on_list", "list": "key_logos"}), "not_in_history", "n2", "/root/item/op"),
        (
            _sustained({"op": "not", "item": {"id": "n3", "op": "is_unassigned", "dimension": "size"}}),
            "not_in_history",
            "n3",
            "/root/item/item/op",
        ),
        (
            _sustained({**_sustained(OVER), "id": "n2", "item": {**OVER, "id": "n3"}}),
            "not_in_history",
            "n2",
            "/root/item/op",
        ),
        (_sustained({**OVER, "value": "25,000"}), "not_a_number", "n2", "/root/item/value"),
    ],
)
def test_what_closed_periods_cannot_say_is_refused_at_its_own_node(root, code, node_id, pointer):
    assert found(_problems(root)) == [(code, node_id, pointer)]


def test_depth_and_size_count_inside_sustained():
    deep = _nested(8)
    deep = {"id": "s", "op": "sustained", "periods": 1, "grain": "month", "item": deep}

    assert ("too_deep", "a0") in [(code, node_id) for code, node_id, _ in found(_problems(deep))]


@pytest.mark.parametrize(
    ("root", "hint"),
    [
        (leaf("gt", "employes", value="1"), 'Did you mean "employees"?'),
        (leaf("has_eny", "tech", values=["x"]), 'Did you mean "has_any"?'),
        ({"id": "n1", "op": "on_list", "list": "fortune_200"}, 'Did you mean "fortune_2000"?'),
        ({"id": "n1", "op": "is_unassigned", "dimension": "lifecycel"}, 'Did you mean "lifecycle"?'),
        ({"id": "n1", "op": "segment", "dimension": "lifecycle", "any_of": ["churn"]}, 'Did you mean "churned"?'),
    ],
)
def test_misspelt_name_is_refused_with_the_nearest_one(root, hint):
    assert _problems(root)[0].message.endswith(hint)


@pytest.mark.parametrize(
    ("root", "stored"),
    [
        (leaf("gt", "arr", value="5.00", of="self"), leaf("gt", "arr", value="5.00")),
        (_sustained({**OVER, "value": "5.00"}, missing_period="unknown"), _sustained({**OVER, "value": "5.00"})),
        (_change(value="20.500"), _change(value="20.5")),
        (_change(value="-100"), _change(value="-100")),
        (_change(value="5", measure="absolute"), _change(value="5.00", measure="absolute")),
    ],
)
def test_option_that_says_the_default_is_not_stored(root, stored):
    assert read(root).document()["root"] == stored


def test_lists_are_not_checked_where_nobody_says_which_there_are():
    document = {"schema": "criteria/1", "root": {"id": "n1", "op": "on_list", "list": "anything"}}

    assert parse_criteria(document, attributes=ATTRIBUTES, dimensions=DIMENSIONS).document() == document


@pytest.mark.parametrize(
    "written", ["1e308", "-1e308", "NaN", "nan", "Infinity", "-Infinity", "inf", "9" * 30, "0." + "1" * 30]
)
@pytest.mark.parametrize("attribute", ["employees", "arr", "score", "rising"])
def test_number_no_attribute_can_have_is_refused(attribute, written):
    for root in (leaf("gt", attribute, value=written), leaf("in", attribute, values=["1", written])):
        (problem,) = _problems(root)
        assert problem.code in {"not_a_number", "too_large", "scale"}


@pytest.mark.parametrize(
    ("root", "code", "pointer"),
    [
        # unknown attributes and operators (K01, K02, K12)
        (leaf("eq", "owner.password", value="x"), "unknown_field", "/root/attribute"),
        (leaf("eq", "__class__", value="x"), "unknown_field", "/root/attribute"),
        (leaf("eq", "attrs__x__regex", value="x"), "unknown_field", "/root/attribute"),
        (leaf("contains", "employees", value="1"), "operator_not_valid", "/root/op"),
        (leaf("gt", "industry", value="saas"), "operator_not_valid", "/root/op"),
        (leaf("gt", "name", value="a"), "operator_not_valid", "/root/op"),
        (leaf("lt", "signed_on", value="2026-01-01"), "operator_not_valid", "/root/op"),
        (leaf("eq", "p", value="true"), "operator_not_valid", "/root/op"),
        (leaf("is_true", "employees"), "operator_not_valid", "/root/op"),
        (leaf("regex", "name", value="(a+)+$"), "unknown_operator", "/root/op"),
        ({"id": "n1", "op": ["eq"]}, "unknown_operator", "/root/op"),
        ({"id": "n1"}, "missing_field", "/root/op"),
        # values of the wrong kind (K03, K08)
        (leaf("gt", "employees", value=200), "not_a_string", "/root/value"),
        (leaf("gt", "employees", value=True), "not_a_string", "/root/value"),
        (leaf("gt", "employees", value=None), "not_a_string", "/root/value"),
        (leaf("gt", "employees"), "missing_field", "/root/value"),
        (leaf("gt", "employees", value="25,000"), "not_a_number", "/root/value"),
        (leaf("gt", "employees", value="1 000"), "not_a_number", "/root/value"),
        (leaf("gt", "employees", value="1k"), "not_a_number", "/root/value"),
        (leaf("gt", "employees", value="007"), "not_a_number", "/root/value"),
        (leaf("gt", "employees", value=""), "not_a_number", "/root/value"),
        (leaf("gt", "employees", value=" 5"), "not_a_number", "/root/value"),
        (leaf("gt", "employees", value="１２"), "not_a_number", "/root/value"),
        (leaf("gt", "arr", value="NaN"), "not_a_number", "/root/value"),
        (leaf("gt", "arr", value="Infinity"), "not_a_number", "/root/value"),
        (leaf("gt", "arr", value="1e308"), "not_a_number", "/root/value"),
        (leaf("gt", "arr", value="1" * 30), "too_large", "/root/value"),
        (leaf("lt", "employees", value="-1"), "below_minimum", "/root/value"),
        (leaf("in", "employees", values=[]), "empty_list", "/root/values"),
        (leaf("in", "employees", values=["1"] * 1001), "too_many_values", "/root/values"),
        (leaf("in", "employees", values=["1", "x"]), "not_a_number", "/root/values/1"),
        (leaf("in", "employees", values="1"), "invalid_value", "/root/values"),
        # precision (K09)
        (leaf("gt", "arr", value="24999.995"), "scale", "/root/value"),
        (leaf("gt", "employees", value="1.5"), "scale", "/root/value"),
        # ranges (K06, K08)
        (leaf("range", "employees", ge="1000", lt="200"), "empty_range", "/root/ge"),
        (leaf("range", "employees", ge="200", le="200"), "empty_range", "/root/ge"),
        (leaf("range", "employees", gt="9", lt="9"), "empty_range", "/root/gt"),
        (leaf("range", "signed_on", ge="2026-02-01", lt="2026-01-01"), "empty_range", "/root/ge"),
        (leaf("range", "employees", ge="200"), "one_sided_range", "/root"),
        (leaf("range", "employees"), "one_sided_range", "/root"),
        (leaf("range", "employees", ge="1", gt="1", lt="2"), "two_bounds", "/root"),
        # units and currency (K10)
        (leaf("gt", "arr", value="1", currency="EUR"), "wrong_currency", "/root/currency"),
        (leaf("gt", "employees", value="1", currency="USD"), "wrong_currency", "/root/currency"),
        (leaf("gt", "employees", value="1", unit="teams"), "wrong_unit", "/root/unit"),
        # dates
        (leaf("before", "signed_on", value="03/04/2026"), "not_a_date", "/root/value"),
        (leaf("before", "signed_on", value="2026-02-30"), "not_a_date", "/root/value"),
        (leaf("before", "signed_on", value="0001-01-01"), "not_a_date", "/root/value"),
        (leaf("before", "signed_on", value="2026-01-01T00:00:00Z"), "not_a_date", "/root/value"),
        (leaf("before", "seen_at", value="2026-01-01T00:00:00"), "timezone_required", "/root/value"),
        (leaf("before", "seen_at", value="2026-01-01T24:01:00Z"), "not_a_date", "/root/value"),
        (leaf("within_last", "signed_on", n=0, unit="days"), "invalid_value", "/root/n"),
        (leaf("within_last", "signed_on", n="90", unit="days"), "invalid_value", "/root/n"),
        (leaf("within_last", "signed_on", n=True, unit="days"), "invalid_value", "/root/n"),
        (leaf("within_last", "signed_on", n=90, unit="hours"), "invalid_value", "/root/unit"),
        # text and choices
        (leaf("eq", "name", value=""), "missing_token", "/root/value"),
        (leaf("eq", "name", value="N/A"), "missing_token", "/root/value"),
        (leaf("eq", "name", value="a\x00b"), "control_character", "/root/value"),
        (leaf("eq", "name", value="a\ud800b"), "control_character", "/root/value"),
        (leaf("eq", "name", value="a" * 1001), "too_long", "/root/value"),
        (leaf("eq", "industry", value="saas", match="exact"), "match_not_valid", "/root/match"),
        (leaf("in", "industry", values=["saas", "retail"]), "unknown_choice", "/root/values/1"),
        # tags
        (leaf("eq", "tech", value="x"), "operator_not_valid", "/root/op"),
        (leaf("has_any", "name", values=["x"]), "operator_not_valid", "/root/op"),
        (leaf("has_any", "tech", values=[]), "empty_list", "/root/values"),
        (leaf("has_any", "tech", values=["x"] * 1001), "too_many_values", "/root/values"),
        (leaf("has_all", "tech", values=["x", "N/A"]), "missing_token", "/root/values/1"),
        (leaf("has_none", "regions", values=["emea", "EMEA"]), "unknown_choice", "/root/values/1"),
        # fiscal periods
        (leaf("in_period", "signed_on", period="fiscal_quarter"), "missing_field", "/root/offset"),
        (leaf("in_period", "signed_on", period="month", offset=0), "invalid_value", "/root/period"),
        (leaf("in_period", "signed_on", period="fiscal_year", offset=5), "invalid_value", "/root/offset"),
        (leaf("in_period", "arr", period="fiscal_year", offset=0), "operator_not_valid", "/root/op"),
        # the history of a metric
        (_change(), "missing_field", "/root/value"),
        (_change(value="20", periods=0), "invalid_value", "/root/periods"),
        (_change(value="20", periods=13), "invalid_value", "/root/periods"),
        (_change(value="20", grain="week"), "invalid_value", "/root/grain"),
        (_change(value="20", compare="eq"), "invalid_value", "/root/compare"),
        (_change(value="20%"), "not_a_number", "/root/value"),
        (_change(value="0.1234567"), "scale", "/root/value"),
        (_change(value="1.005", measure="absolute"), "scale", "/root/value"),
        (_change(value="20", of="ultimate_parent"), "of_not_valid", "/root/of"),
        (_change("name", value="20"), "operator_not_valid", "/root/op"),
        (_change("rising", value="20"), "not_in_history", "/root/attribute"),
        (_change("tenure", value="20"), "not_in_history", "/root/attribute"),
        (leaf("gt", "rising", value="20", of="ultimate_parent"), "of_not_valid", "/root/of"),
        (leaf("gt", "arr", value="1", of="parent"), "invalid_value", "/root/of"),
        # signals and lists
        (_signal(at_least=0), "invalid_value", "/root/at_least"),
        (_signal(within_days=3661), "invalid_value", "/root/within_days"),
        (_signal(kind="Hiring!"), "invalid_value", "/root/kind"),
        (_signal(details={}), "empty_list", "/root/details"),
        (_signal(details={"role": 5}), "not_a_string", "/root/details/role"),
        (_signal(details={"role": " "}), "missing_token", "/root/details/role"),
        (_signal(details={"role": "a\x00"}), "control_character", "/root/details/role"),
        (_signal(details={"role": "x" * 201}), "too_long", "/root/details/role"),
        (_signal(details={"Role": "x"}), "unknown_field", "/root/details/Role"),
        (_signal(details={"op": "x"}), "unknown_field", "/root/details/op"),
        (_signal(details={f"d{n}": "x" for n in range(11)}), "too_many_values", "/root/details"),
        ({"id": "n1", "op": "signal", "kind": "hiring", "at_least": 1}, "missing_field", "/root/within_days"),
        ({"id": "n1", "op": "on_list", "list": "fortune_200"}, "unknown_list", "/root/list"),
        ({"id": "n1", "op": "on_list"}, "missing_field", "/root/list"),
        # half-filled and misspelt rules
        (leaf("gt", "employees", value="1", vlaue="2"), "unknown_field", "/root/vlaue"),
        (leaf("gt", "employees", value="1", missing=True), "invalid_value", "/root/missing"),
        (leaf("is_missing", "employees", missing="true"), "unknown_field", "/root/missing"),
        ({"id": "n1", "op": "all", "items": []}, "empty_group", "/root/items"),
        ({"id": "n1", "op": "any"}, "empty_group", "/root/items"),
        ({"id": "n1", "op": "all", "items": {"a": 1}}, "empty_group", "/root/items"),
        ({"id": "n1", "op": "not"}, "missing_field", "/root/item"),
        ({"id": "n1", "op": "at_least", "k": 0, "items": [_always(1)]}, "invalid_value", "/root/k"),
        ({"id": "n1", "op": "at_least", "k": 2, "items": [_always(1)]}, "unreachable_count", "/root/k"),
        # other dimensions
        ({"id": "n1", "op": "segment", "dimension": "tier", "any_of": ["x"]}, "unknown_dimension", "/root/dimension"),
        (
            {"id": "n1", "op": "segment", "dimension": "lifecycle", "any_of": ["renewal", "gone"]},
            "unknown_segment",
            "/root/any_of/1",
        ),
        ({"id": "n1", "op": "segment", "dimension": "lifecycle", "any_of": []}, "empty_list", "/root/any_of"),
        ({"id": "n1", "op": "segment", "dimension": "lifecycle"}, "one_of_two", "/root"),
        ({"id": "n1", "op": "is_unassigned", "dimension": "tier"}, "unknown_dimension", "/root/dimension"),
    ],
)
def test_document_with_one_fault_is_refused_with_its_place(root, code, pointer):
    assert found(_problems(root)) == [(code, "n1", pointer)]


@pytest.mark.parametrize(
    ("document", "code", "pointer"),
    [
        ([], "malformed", ""),
        (None, "malformed", ""),
        ({"schema": "criteria/2", "root": _always(1)}, "unknown_schema", "/schema"),
        ({"root": _always(1)}, "unknown_schema", "/schema"),
        ({"schema": "criteria/1"}, "missing_field", "/root"),
        ({"schema": "criteria/1", "root": "always"}, "malformed", "/root"),
        ({"schema": "criteria/1", "root": {"op": "always"}}, "missing_field", "/root/id"),
        ({"schema": "criteria/1", "root": {"id": 7, "op": "always"}}, "invalid_id", "/root/id"),
        ({"schema": "criteria/1", "root": {"id": "a b", "op": "always"}}, "invalid_id", "/root/id"),
        ({"schema": "criteria/1", "root": _always(1), "a/b": 1}, "unknown_field", "/a~1b"),
    ],
)
def test_document_of_the_wrong_shape_is_refused(document, code, pointer):
    with pytest.raises(CriteriaError) as caught:
        parse_criteria(document, attributes=ATTRIBUTES, dimensions=DIMENSIONS)

    assert found(caught.value.problems) == [(code, None, pointer)]


def test_number_with_separators_is_refused_with_the_number_to_write():
    (problem,) = _problems(leaf("gt", "arr", value="25,000"))

    assert problem.message == 'ARR needs a plain number: write "25000" instead of "25,000".'


def test_label_in_place_of_an_id_is_refused_with_the_id_to_write():
    (problem,) = _problems(leaf("eq", "industry", value="Healthcare"))

    assert problem.message == 'Industry has no choice "Healthcare". Its id is "health-care".'


def test_every_fault_of_a_document_is_reported_at_once_in_order():
    root = {
        "id": "n1",
        "op": "all",
        "items": [
            {"id": "n2", "op": "gt", "attribute": "arr", "value": 3},
            {"id": "n3", "op": "not", "item": {"id": "n4", "op": "in", "attribute": "employees", "values": ["x", "y"]}},
            {"id": "n2", "op": "always"},
            {"id": "n5", "op": "any", "items": [{"id": "n6", "op": "unheard_of"}]},
        ],
    }

    assert found(_problems(root)) == [
        ("not_a_string", "n2", "/root/items/0/value"),
        ("not_a_number", "n4", "/root/items/1/item/values/0"),
        ("not_a_number", "n4", "/root/items/1/item/values/1"),
        ("duplicate_id", "n2", "/root/items/2/id"),
        ("unknown_operator", "n6", "/root/items/3/items/0/op"),
    ]


def _nested(levels):
    root = _always(0)
    for level in range(1, levels):
        root = {"id": f"n{level}", "op": "not", "item": root}
    return root


def test_nesting_of_eight_levels_is_the_deepest():
    assert read(_nested(8)).root.id == "n7"
    assert [code for code, _, _ in found(_problems(_nested(9)))] == ["too_deep"]


@pytest.mark.parametrize("levels", [50, 100_000])
def test_nesting_far_beyond_the_limit_is_refused_without_following_it(levels):
    root = _nested(levels)

    assert [(code, pointer) for code, _, pointer in found(_problems(root))] == [("too_deep", "/root" + "/item" * 8)]
    while "item" in root:  # taking it apart by hand: the interpreter would recurse
        root = root.pop("item")


def test_two_hundred_nodes_are_the_most():
    def group(size):
        return {"id": "g", "op": "any", "items": [_always(number) for number in range(size)]}

    assert len(read(group(199)).root.children) == 199
    assert [code for code, _, _ in found(_problems(group(200)))] == ["too_many_nodes"]
    assert [code for code, _, _ in found(_problems(group(1000)))] == ["too_many_nodes"]


def test_a_thousand_values_are_the_most():
    rule = read(leaf("in", "employees", values=[str(number) for number in range(1000)]))

    assert len(thresholds(rule.root)) == 1000


def test_rule_on_its_own_dimension_is_a_cycle():
    root = {"id": "n1", "op": "segment", "dimension": "lifecycle", "any_of": ["churned"]}
    document = {"schema": "criteria/1", "root": root}

    with pytest.raises(CriteriaError) as caught:
        parse_criteria(document, attributes=ATTRIBUTES, dimensions=DIMENSIONS, own_dimension="lifecycle")

    assert found(caught.value.problems) == [("cycle", "n1", "/root/dimension")]


@pytest.mark.parametrize(
    ("attribute", "written", "stored"),
    [
        ("employees", "200", "200"),
        ("employees", "200.0", "200"),
        ("delta", "-0", "0"),
        ("arr", "25000", "25000.00"),
        ("arr", "25000.1", "25000.10"),
        ("arr", "25000.1000", "25000.10"),
        ("arr", "-0.00", "0.00"),
        ("arr", "123456789012345678.91", "123456789012345678.91"),
        ("name", "  Acme ", "  Acme "),
    ],
)
def test_literal_is_stored_in_one_form(attribute, written, stored):
    document = read(leaf("eq", attribute, value=written)).document()

    assert document == {"schema": "criteria/1", "root": leaf("eq", attribute, value=stored)}
