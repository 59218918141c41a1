"""The field inventory and the gap analysis: what is counted, what is flagged, in which order, and their pages."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, Assignment, Reason
from accounts.quality import StoredAttribute, fill_of, lacking
from frameworks.models import Attribute, FrameworkVersion
from governance.field_inventory import inventory_of
from governance.gap_analysis import GapKind, Priority, gap_analysis_of
from governance.rule_reads import rule_reads
from governance.services.intake_rows import link_answer, save_field
from tests.governance.intakes import FIELD, filled, fresh, make_people
from tests.governance.makers import AT, add_part, make_account, make_framework

ARR = {"label": "ARR", "data_type": "money", "scale": 2, "currency": "USD", "system": "Billing", "owner": "Nadia Frost"}
STAFF = {"label": "Employees", "data_type": "integer", "freshness_days": 90, "system": "Clearbit", "refresh": "monthly"}
SEATS = {"label": "Seats", "data_type": "integer", "missing_tokens": ["none"]}


def rule(key: str, *attributes: str) -> dict[str, Any]:
    leaves = [{"id": f"n{place}", "op": "is_present", "attribute": name} for place, name in enumerate(attributes)]
    criteria = {"schema": "criteria/1", "root": {"id": "root", "op": "all", "items": leaves}}
    return {"key": key, "basis": "value", "criteria": criteria}


@pytest.fixture(autouse=True)
def today() -> Any:
    with time_machine.travel(AT, tick=False):
        yield


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    return make_people()


@pytest.fixture
def model(people: SimpleNamespace) -> SimpleNamespace:
    return make_framework(people.ravi)


@pytest.fixture
def draft(model: SimpleNamespace, people: SimpleNamespace) -> FrameworkVersion:
    """Enterprise needs ARR and employees; SMB takes ARR, or seats alone."""
    Attribute.objects.create(key="seats", data_type="integer")
    version = FrameworkVersion.objects.create(framework=model.framework, number=2, author=people.ravi)
    for key, body in (("arr", ARR), ("employee_count", STAFF), ("seats", SEATS)):
        add_part(version, "data_source", key, body)
    add_part(version, "dimension", "tier", {"label": "Customer Tier", "segments": ["enterprise", "smb"]})
    both = {"label": "Enterprise", "dimension": "tier", "rules": [rule("value", "arr", "employee_count")]}
    either = {"label": "SMB", "dimension": "tier", "rules": [rule("value", "arr"), rule("seats", "seats")]}
    add_part(version, "segment", "tier/enterprise", both)
    add_part(version, "segment", "tier/smb", either)
    return version


def known(name: str, **values: Any) -> Account:
    return Account.objects.create(name=name, name_key=name.lower(), **values)


def row_of(version: FrameworkVersion, key: str) -> Any:
    return next(row for row in inventory_of(version, AT).rows if row.key == key)


# --- what is counted


def test_fill_counts_columns_json_and_derived_in_one_query(db, django_assert_num_queries):
    known("Full", arr=Decimal(1), employee_count=5, industry="Tech", industry_key="tech", attributes={"seats": 12})
    known("Zero", arr=Decimal(0), employee_count=None, attributes={"seats": "0"})
    known("Words", industry="n/a", attributes={"seats": " N/A "})
    known("Own word", industry="Misc", industry_key="misc", attributes={"seats": "None"})
    known("Empty", attributes={"seats": ""}), known("Null", attributes={"seats": None})
    wanted = [
        StoredAttribute("arr", "money"),
        StoredAttribute("employee_count", "integer"),
        StoredAttribute("industry", "text", ("Misc",)),
        StoredAttribute("seats", "integer", ("none",)),
        StoredAttribute("per_head", "decimal", inputs=("arr", "employee_count")),
        StoredAttribute("nowhere", "decimal", inputs=("arr", "unheard_of")),
    ]

    with django_assert_num_queries(1):
        total, fills = fill_of(wanted, AT)

    counted = {key: fill.populated for key, fill in fills.items()}
    assert (total, counted) == (6, {"arr": 2, "employee_count": 1, "industry": 1, "seats": 2, "per_head": 1})


def test_fill_leaves_out_accounts_that_segmentation_does_not_look_at(db):
    other = known("Kept", arr=Decimal(1))
    known("Deleted", arr=Decimal(1), deleted_at=AT)
    known("Merged", arr=Decimal(1), merged_into=other)
    known("Test", arr=Decimal(1), exclusion=Account.Exclusion.TEST)

    total, fills = fill_of([StoredAttribute("arr", "money")], AT)

    assert (total, fills["arr"].populated) == (1, 1)


def test_fill_tells_values_that_are_too_old(db):
    old, new = AT - timedelta(days=91), AT - timedelta(days=1)
    known("Old", employee_count=1, employee_count_observed_at=old, attributes={"seats": 1})
    known("New", employee_count=1, employee_count_observed_at=new, attributes={"seats": 1})
    Account.objects.filter(name="Old").update(provenance={"seats": {"source": "file", "at": old.isoformat()}})
    wanted = [StoredAttribute("employee_count", "integer", (), 90), StoredAttribute("seats", "integer", (), 90)]

    _, fills = fill_of(wanted, AT)

    assert [(fills[key].stale, fills[key].usable, fills[key].newest) for key in ("employee_count", "seats")] == [
        (1, 1, new),
        (1, 1, old),
    ]


def test_fill_reads_no_provenance_where_no_age_is_asked_for(db):
    known("Any", attributes={"seats": 1}, stage="customer")

    with CaptureQueriesContext(connection) as queries:
        _, undated = fill_of([StoredAttribute("seats", "integer"), StoredAttribute("stage", "choice")], AT)
        fill_of([StoredAttribute("seats", "integer", (), 90)], AT)

    assert ["provenance" in query["sql"] for query in queries] == [False, True]
    assert [(fill.populated, fill.newest) for fill in undated.values()] == [(1, None), (1, None)]


def test_lacking_finds_exactly_the_accounts_that_fill_does_not_count(db):
    known("Has", attributes={"seats": 3}, arr=Decimal(1))
    known("Blank", attributes={"seats": ""})
    known("Absent")
    known("Test", exclusion=Account.Exclusion.TEST)

    for attribute in (StoredAttribute("seats", "integer"), StoredAttribute("arr", "money")):
        found = lacking(Account.objects.all(), attribute)
        assert sorted(found.values_list("name", flat=True)) == ["Absent", "Blank"]


# --- which rules read what


def test_reads_tell_readers_from_what_decides_and_follow_derived_attributes(draft):
    bodies = {(part.kind, part.key): part.body.body for part in draft.parts.select_related("body")}
    bodies["data_source", "per_head"] = {"derived": {"kind": "ratio", "of": ["arr", "employee_count"]}}
    bodies["segment", "tier/top"] = {"rules": [rule("value", "per_head")], "move": rule("m", "seats")["criteria"]}

    found = rule_reads(bodies)

    assert found.readers["seats"] == ("tier/smb", "tier/top")
    assert found.readers["employee_count"] == ("tier/enterprise", "tier/top")
    assert found.decides["arr"] == ("tier/enterprise", "tier/top")
    assert "seats" not in found.decides


def test_reads_of_a_rule_on_an_attribute_without_a_part_are_found(draft):
    bodies = {("segment", "tier/x"): {"rules": [rule("value", "nobody_knows")]}}

    assert rule_reads(bodies).decides == {"nobody_knows": ("tier/x",)}


# --- the inventory


def test_inventory_flags_what_is_under_the_signed_limit(draft):
    for place in range(4):
        known(f"Account {place}", arr=Decimal(1) if place < 3 else None)
    assert (row_of(draft, "arr").share, row_of(draft, "arr").is_under) == (Decimal("0.75"), True)

    limits = {
        "policy": "limits",
        **dict.fromkeys(("max_dimensions", "max_segments_per_dimension", "max_segments_in_all"), 9),
        **dict.fromkeys(("warn_segment_accounts", "min_segment_accounts"), 1),
        "min_populated": "0.75",
    }
    add_part(draft, "policy", "limits", limits)

    row = row_of(draft, "arr")
    assert (row.is_under, row.limit, row.missing, row.system) == (False, Decimal("0.75"), 1, "Billing")


def test_inventory_scores_what_rules_read(draft):
    known("One", arr=Decimal(1), employee_count=1)
    known("Two", arr=Decimal(1))

    inventory = inventory_of(draft, AT)

    assert [row.key for row in inventory.used] == ["arr", "employee_count", "seats"]
    assert inventory.score == (Decimal(1) + Decimal("0.5") + Decimal(0)) / 3


def test_inventory_without_accounts_or_version_has_no_shares(db):
    inventory = inventory_of(None, AT)

    assert (inventory.score, {row.share for row in inventory.rows}) == (None, {None})
    assert "arr" in {row.key for row in inventory.rows}


# --- the gaps


def gaps(model: SimpleNamespace, version: FrameworkVersion) -> list[Any]:
    return list(gap_analysis_of(model.framework, version, AT).gaps)


def test_gaps_of_data_are_prioritised_by_what_they_decide(model, draft):
    old = AT - timedelta(days=100)
    for place in range(5):
        known(
            f"Account {place}", arr=Decimal(1) if place < 2 else None, employee_count=1, employee_count_observed_at=old
        )

    found = gaps(model, draft)

    assert [(gap.kind, gap.subject, gap.priority, gap.owner) for gap in found] == [
        (GapKind.UNDER_LIMIT, "ARR", Priority.HIGH, "Nadia Frost"),
        (GapKind.STALE, "Employees", Priority.HIGH, "RevOps"),
        (GapKind.MISSING, "Seats", Priority.MEDIUM, "RevOps"),
    ]
    assert found[0].text == "ARR is known for 40\u00a0% of 5 accounts, less than 80\u00a0%; 3 have none."
    assert found[0].action.startswith("Enrich at least 2 more accounts")
    assert found[0].decides == ("Customer Tier / Enterprise",)
    assert (found[1].segments, found[1].dimensions) == (("Customer Tier / Enterprise",), ("Customer Tier",))
    assert found[1].action == "Refresh it from Clearbit (monthly)."


def test_what_is_needed_for_the_limit_is_rounded_up(model, draft):
    for place in range(6):
        known(f"Account {place}", arr=Decimal(1) if place < 1 else None, employee_count=1)
    assert gaps(model, draft)[0].action.startswith("Enrich at least 4 more accounts")  # 80 % of 6 are 4.8


def test_gap_counts_the_accounts_that_are_unassigned_for_it(model, draft, people):
    for place in range(2):
        account = make_account(model, people.leah, f"Account {place}")
        lacks = {
            "effective": None,
            "computed": None,
            "reason": Reason.MISSING_DATA,
            "missing": ["seats", "history:arr"],
        }
        Assignment.objects.filter(account=account).update(**lacks)
    Account.objects.filter(name="Account 1").update(exclusion=Account.Exclusion.TEST)
    make_account(model, people.leah, "Assigned")

    analysis = gap_analysis_of(model.framework, draft, AT)

    seats = next(gap for gap in analysis.gaps if gap.subject == "Seats")
    assert (analysis.unassigned, seats.accounts, seats.priority) == (1, 1, Priority.HIGH)


def test_attribute_that_most_accounts_have_is_a_gap_while_it_leaves_some_unassigned(model, draft, people):
    for place in range(5):
        account = make_account(model, people.leah, f"Account {place}")
        Account.objects.filter(pk=account.pk).update(employee_count=1 if place else None, attributes={"seats": 1})
        if not place:
            nowhere = {"effective": None, "computed": None, "reason": Reason.MISSING_DATA}
            Assignment.objects.filter(account=account).update(**nowhere, missing=["employee_count"])

    gap = gaps(model, draft)[0]

    assert (gap.kind, gap.subject, gap.accounts, gap.priority) == (GapKind.UNASSIGNED, "Employees", 1, Priority.HIGH)
    assert gap.text == "Employees is known for 80\u00a0% of 5 accounts, and 1 account is Unassigned without it."


def test_attribute_without_a_part_or_a_source_is_a_gap(model, draft, people):
    for name in ("One", "Two"):
        known(name, arr=Decimal(1), employee_count=1, attributes={"seats": 1})
    draft.parts.filter(kind="data_source", key="arr").delete()

    found = {(gap.kind, gap.subject) for gap in gaps(model, draft)}

    assert found == {(GapKind.MISSING, "Arr"), (GapKind.NO_SOURCE, "Seats")}


def test_fields_of_today_without_a_counterpart_are_gaps(model, draft, people):
    intake = filled(model.framework, people)
    given = {"intake": intake, "actor": people.ravi, "at": AT}
    save_field(values=FIELD | {"name": "Tier flow", "type": "workflow"}, **given)
    save_field(values=FIELD | {"name": "Old report", "type": "report", "fate": "kept"}, **given)
    save_field(values=FIELD | {"name": "Tier__c", "counterpart": "dimension/tier"}, **given)

    found = [gap for gap in gaps(model, draft) if gap.kind == GapKind.NO_COUNTERPART]
    assert [(gap.subject, gap.priority) for gap in found] == [
        ("Tier flow", Priority.HIGH),
        ("Customer segment", Priority.MEDIUM),
        ("Old report", Priority.LOW),
    ]

    draft.parts.filter(kind="dimension").delete()
    (gone,) = (gap for gap in gaps(model, draft) if gap.kind == GapKind.COUNTERPART_GONE)
    assert "Tier__c in Salesforce was to go over into tier, which is no longer in v2 (draft)" in gone.text


def test_questions_are_gaps_until_something_that_is_there_answers_them(model, draft, people):
    question = filled(model.framework, people).questions.get()
    assert [gap.kind for gap in gaps(model, draft) if gap.subject == question.text] == [GapKind.UNANSWERED]

    link_answer(question=question, target="dimension/tier", actor=people.ravi, at=AT)
    assert [gap for gap in gaps(model, draft) if gap.subject == question.text] == []

    draft.parts.filter(kind="dimension").delete()
    (gone,) = (gap for gap in gaps(model, draft) if gap.subject == question.text)
    assert (gone.kind, gone.priority, gone.owner) == (GapKind.ANSWER_GONE, Priority.HIGH, "Ravi Patel")


def test_analysis_takes_a_fixed_number_of_queries(model, draft, people, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    intake = filled(model.framework, people)
    with CaptureQueriesContext(connection) as one:
        gap_analysis_of(model.framework, draft, AT)
    for place in range(2):
        save_field(intake=fresh(intake), values=FIELD | {"name": f"Field {place}"}, actor=people.ravi, at=AT)
        known(f"Account {place}")

    with django_assert_num_queries(len(one.captured_queries)):
        gap_analysis_of(model.framework, draft, AT)


def test_analysis_without_version_or_intake_is_empty(model, people):
    analysis = gap_analysis_of(model.framework, None, AT)

    assert (analysis.gaps, analysis.intake, analysis.questions) == ((), None, ())


# --- the pages


@pytest.fixture
def browser(client: Client, people: SimpleNamespace) -> Client:
    client.force_login(people.leah)
    return client


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def lines_of(answer: Any) -> list[str]:
    return b"".join(answer.streaming_content).decode().splitlines()


@pytest.fixture
def inventory_url() -> str:
    return reverse("governance:field_inventory")


def test_inventory_shows_filters_and_sorts_by_address(browser, draft, inventory_url):
    known("One", arr=Decimal(1))
    known("Two")

    def labels(query: str) -> list[str]:
        answer = browser.get(f"{inventory_url}?{query}")
        assert answer.status_code == 200
        return [row.label for row, _ in answer.context["rows"]]

    assert labels("show=used") == ["ARR", "Employees", "Seats"]
    assert labels("show=used&sort=-share") == ["ARR", "Employees", "Seats"]
    assert labels("show=used&sort=readers") == ["Employees", "Seats", "ARR"]
    assert labels("show=under&q=billing") == ["ARR"]
    assert labels("show=no_source") == ["Seats"]
    assert labels("show=unused&q=seats") == []
    assert labels("sort=password&q=arr")[0] == "ARR"
    text = text_of(browser.get(f"{inventory_url}?show=used"))
    assert "1 without" in text
    assert "/accounts/?lacks=arr" in text
    assert "under 80" in text


@pytest.mark.parametrize("query", ["show=x", "framework=nowhere", "q=%00"])
def test_inventory_with_a_bad_filter_is_422_and_shows_nothing(browser, draft, inventory_url, query):
    assert browser.get(f"{inventory_url}?{query}").status_code == 422
    assert browser.get(f"{reverse('governance:field_inventory_csv')}?{query}").status_code == 422


def test_inventory_of_an_empty_installation_says_so(browser, inventory_url):
    assert "There is no account yet" in text_of(browser.get(inventory_url))


def test_inventory_is_exported_without_formulas(browser, draft, model):
    draft.parts.filter(kind="data_source", key="seats").delete()
    add_part(draft, "data_source", "seats", SEATS | {"system": "=HYPERLINK(1)"})

    lines = lines_of(browser.get(f"{reverse('governance:field_inventory_csv')}?show=used"))

    assert lines[0].lstrip("\ufeff").startswith("attribute,label,type,storage,system")
    assert "'=HYPERLINK(1)" in lines[3]


def test_list_of_accounts_shows_those_without_a_value(browser, model, draft):
    known("Blank Works", attributes={"seats": ""})
    known("Known Works", attributes={"seats": 4})
    path = reverse("accounts:account_list")

    text = text_of(browser.get(f"{path}?lacks=seats"))
    assert "Without a value for seats" in text
    assert "Blank Works" in text
    assert "Known Works" not in text
    assert "No account matches" in text_of(browser.get(f"{path}?lacks=owner__password"))


@pytest.fixture
def gaps_url() -> str:
    return reverse("governance:gap_analysis", args=["customers"])


def test_gaps_are_shown_filtered_and_exported(browser, model, draft, people, gaps_url):
    filled(model.framework, people)
    known("One")

    def subjects(query: str) -> list[str]:
        answer = browser.get(f"{gaps_url}?{query}")
        assert answer.status_code == 200
        return [gap.subject for gap in answer.context["gaps"]]

    assert subjects("priority=high") == ["ARR", "Employees"]
    assert subjects("kind=unanswered") == ["Who needs a dedicated CSM?"]
    assert subjects("v=1&priority=high") == []
    assert browser.get(f"{gaps_url}?priority=urgent").status_code == 422
    text = text_of(browser.get(gaps_url))
    assert "No account has a value for ARR." in text
    lines = lines_of(browser.get(reverse("governance:gap_analysis_csv", args=["customers"]) + "?priority=high"))
    assert lines[1].startswith("high,Attribute is not there,ARR,No account has a value for ARR.,Customer Tier,")


def test_page_without_gaps_or_intake_says_so(browser, model, gaps_url):
    text = text_of(browser.get(gaps_url))

    assert "No gap" in text
    assert "No intake was opened" in text


def test_pages_take_as_many_queries_for_three_as_for_one(
    browser, model, draft, people, gaps_url, inventory_url, django_assert_max_num_queries, django_assert_num_queries
):
    intake = filled(model.framework, people)
    counted = {}
    for path in (gaps_url, inventory_url):
        browser.get(path)
        with django_assert_max_num_queries(30) as one:
            browser.get(path)
        counted[path] = len(one.captured_queries)
    for place in range(2):
        save_field(intake=intake, values=FIELD | {"name": f"Field {place}"}, actor=people.ravi, at=AT)
        Attribute.objects.create(key=f"more_{place}", data_type="text")

    for path, count in counted.items():
        with django_assert_num_queries(count):
            browser.get(path)
