"""Parts, files and findings of a version by API: read, write over what was read, and every refusal without a trace."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from frameworks.models import Contribution, FrameworkVersion, Part, PartBody
from frameworks.roles import Role
from frameworks.services.exchange import export_version
from governance.models import AuditEntry, IdempotencyKey
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import Company, criteria, put_in_force

YAML = "application/yaml"
TERM = {"label": "NRR", "wording": "What customers of a year ago pay now, of what they paid then."}


@pytest.fixture
def company(db: None) -> Company:
    return Company()


@pytest.fixture
def writer(company: Company) -> Api:
    """A token whose owner edits drafts."""
    return Api(
        make_token(make_service("pipeline@example.com", Role.ARCHITECT), "frameworks:read", "frameworks:write"),
        Client(),
    )


@pytest.fixture
def root(company: Company) -> str:
    return f"/api/v1/framework-versions/{company.version.uuid}"


def state() -> list[Any]:
    models = (FrameworkVersion, PartBody, Contribution, AuditEntry, IdempotencyKey)
    parts = list(Part.objects.order_by("pk").values_list("pk", "key", "body_id"))
    return [parts, *(model.objects.count() for model in models)]


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(each["code"], each.get("pointer", each.get("header", ""))) for each in answer.json()["errors"]]


def test_part_is_read_with_its_digest_as_etag(company: Company, writer: Api, root: str) -> None:
    part = company.part("segment", "tier/smb")

    answer = writer.get(f"{root}/parts/segment/tier/smb")

    assert (answer.status_code, answer["ETag"]) == (200, f'"{part.body_id}"')
    assert answer.json()["body"] == part.body.body


@pytest.mark.parametrize("place", ["segment/tier/none", "nothing/arr", "term/a%00b", "term/" + "x" * 5000])
def test_part_that_is_not_there_is_not_found(writer: Api, root: str, place: str) -> None:
    assert writer.get(f"{root}/parts/{place}").status_code == 404


def test_parts_are_listed_in_pages_and_narrowed(company: Company, writer: Api, root: str) -> None:
    seen: list[tuple[str, str]] = []
    page = writer.get(f"{root}/parts?limit=4").json()
    while True:
        seen += [(each["kind"], each["key"]) for each in page["data"]]
        if not page["page"]["has_more"]:
            break
        page = writer.get(f"{root}/parts?limit=4&cursor={page['page']['next_cursor']}").json()

    assert sorted(seen) == sorted(company.version.parts.values_list("kind", "key"))
    assert [each["key"] for each in writer.get(f"{root}/parts?kind=term").json()["data"]] == ["account", "arr"]
    assert writer.get(f"{root}/parts?kind=x").status_code == 422


def test_list_takes_as_many_queries_for_many_parts(writer: Api, root: str) -> None:
    counts = []
    for limit in (1, 3):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            writer.get(f"{root}/parts?limit={limit}")
        counts.append(len(captured))

    assert counts[1] <= counts[0]


def test_part_is_created_changed_and_deleted_by_who_read_it(company: Company, writer: Api, root: str) -> None:
    address = f"{root}/parts/term/nrr"

    made = writer.send("PUT", address, TERM, **{"If-None-Match": "*"})
    changed = writer.send("PUT", address, TERM | {"wording": "Another."}, **{"If-Match": f'"x", {made["ETag"]}'})
    gone = writer.send("DELETE", address, **{"If-Match": changed["ETag"]})

    assert (made.status_code, changed.status_code, gone.status_code) == (201, 200, 204)
    assert writer.get(address).status_code == 404
    written = company.version.contributions.filter(key="nrr").order_by("pk")
    assert [(row.source, row.contributed_by.email) for row in written] == [("api", "pipeline@example.com")] * 3


@pytest.mark.parametrize(
    ("method", "key", "headers", "status"),
    [
        ("PUT", "arr", {}, 428),
        ("DELETE", "arr", {}, 428),
        ("PUT", "arr", {"If-Match": '"' + "0" * 64 + '"'}, 412),
        ("DELETE", "arr", {"If-Match": '"' + "0" * 64 + '"'}, 412),
        ("PUT", "arr", {"If-Match": "weak"}, 412),
        ("PUT", "arr", {"If-None-Match": "*"}, 412),
        ("PUT", "new", {"If-Match": '"' + "0" * 64 + '"'}, 412),
        ("PUT", "arr", {"If-Match": "*"}, 400),
        ("PUT", "arr", {"If-Match": "0000"}, 400),
        ("PUT", "new", {"If-None-Match": '"x"'}, 400),
        ("PUT", "new", {"If-None-Match": "*", "If-Match": '"x"'}, 400),
        ("DELETE", "new", {"If-Match": '"x"'}, 404),
    ],
)
def test_write_that_does_not_name_the_state_there_is_changes_nothing(
    company: Company, writer: Api, root: str, method: str, key: str, headers: dict[str, str], status: int
) -> None:
    digest = company.part("term", "arr").body_id
    headers = {name: f'W/"{digest}"' if value == "weak" else value for name, value in headers.items()}
    before = state()

    answer = writer.send(method, f"{root}/parts/term/{key}", TERM, **headers)

    assert answer.status_code == status
    assert state() == before
    assert status != 412 or answer.get("ETag") == (f'"{digest}"' if key == "arr" else None)


def test_frozen_version_is_immutable(company: Company, writer: Api, root: str) -> None:
    digest = company.part("term", "arr").body_id
    put_in_force(company.version)
    before = state()

    for method in ("PUT", "DELETE"):
        answer = writer.send(method, f"{root}/parts/term/arr", TERM, **{"If-Match": f'"{digest}"'})
        assert (answer.status_code, codes(answer)) == (409, [("immutable_version", "")])
    assert state() == before


def test_wrong_rule_is_refused_with_node_and_pointer(company: Company, writer: Api, root: str) -> None:
    body = company.body("segment", "tier/smb")
    body["rules"][0]["criteria"] = criteria(("lt", "arr", "100000"), ("lt", "owner.password", "1"))
    etag = company.part("segment", "tier/smb").body_id
    before = state()

    answer = writer.send("PUT", f"{root}/parts/segment/tier/smb", body, **{"If-Match": f'"{etag}"'})

    assert answer.status_code == 422
    cause = answer.json()["errors"][0]
    assert (cause["node"], cause["pointer"].startswith("/rules/0/criteria/root/items/1")) == ("n2", True)
    assert state() == before


def test_repeated_request_is_carried_out_once(company: Company, writer: Api, root: str) -> None:
    address, headers = f"{root}/parts/term/nrr", {"If-None-Match": "*", "Idempotency-Key": "a"}
    first = writer.send("PUT", address, TERM, **headers)
    again = writer.send("PUT", address, TERM, **headers)
    gone = [
        writer.send("DELETE", address, **{"If-Match": first["ETag"], "Idempotency-Key": "b"}).status_code
        for _ in range(2)
    ]

    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert gone == [204, 204]
    assert company.version.contributions.filter(key="nrr").count() == 2


def test_integration_brings_files_but_edits_no_part(company: Company, api: Api, root: str) -> None:
    company.version.parts.get(kind="waiver", key="no_anti_icp__tier").delete()
    found = [each for each in api.get(f"{root}/findings").json()["data"] if each["severity"] == "warning"]
    asked = {"fingerprints": [found[0]["fingerprint"]], "reason": "Known and accepted."}
    etag = f'"{company.part("term", "arr").body_id}"'
    before = state()

    answers = [
        api.send("PUT", f"{root}/parts/term/nrr", TERM, **{"If-None-Match": "*"}),
        api.send("DELETE", f"{root}/parts/term/arr", **{"If-Match": etag}),
        api.post("/api/v1/frameworks/main/drafts", {}),
        api.post(f"{root}/waivers", asked),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert state() == before


def test_reading_token_writes_nothing(company: Company, root: str) -> None:
    reader = Api(make_token(make_service(), "frameworks:read"), Client())
    text = export_version(company.version)
    before = state()

    answers = [
        reader.send("PUT", f"{root}/parts/term/nrr", TERM, **{"If-None-Match": "*"}),
        reader.send("DELETE", f"{root}/parts/term/arr", **{"If-Match": '"x"'}),
        reader.post("/api/v1/frameworks/main/drafts", {}),
        reader.post("/api/v1/frameworks/main/files/apply", text, content_type=YAML),
        reader.post(f"{root}/waivers", {"fingerprints": ["0"], "reason": "Known and accepted."}),
    ]

    assert {(answer.status_code, codes(answer)[0][0]) for answer in answers} == {(403, "insufficient_scope")}
    assert state() == before


def test_draft_starts_from_what_is_in_force(company: Company, writer: Api) -> None:
    refused = writer.post("/api/v1/frameworks/main/drafts", {})
    put_in_force(company.version)
    framework = company.version.framework
    framework.active_version = company.version
    framework.save()

    made = writer.post("/api/v1/frameworks/main/drafts", {})

    assert (refused.status_code, made.status_code, made.json()["number"]) == (409, 201, 1)
    assert (
        writer.get(made["Location"]).json()["parts"]
        == writer.get(f"/api/v1/framework-versions/{company.version.uuid}").json()["parts"]
    )


def test_export_plan_and_apply_go_round(company: Company, api: Api, root: str) -> None:
    exported = api.get(f"{root}/file", Accept=YAML)
    assert exported["Content-Type"].startswith(YAML)
    text = exported.content.decode()
    assert text == export_version(company.version)
    edited = text.replace("Yearly value of signed subscriptions.", "Yearly value of all contracts.")
    before = state()

    plan = api.post("/api/v1/frameworks/main/files/plan", edited, content_type=YAML).json()
    assert state() == before
    applied = [api.post("/api/v1/frameworks/main/files/apply", edited, content_type=YAML) for _ in range(2)]

    assert [(each["kind"], each["key"], each["change"]) for each in plan["changes"]] == [("term", "arr", "changed")]
    assert {each["code"] for each in plan["findings"]} >= {"no_anti_icp"}
    assert [answer.status_code for answer in applied] == [201, 200]
    made = FrameworkVersion.objects.get(uuid=applied[0].json()["version"]["id"])
    assert made.state == "draft"
    assert made.contributions.filter(key="arr", source="api").exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("a: &a [1]\nb: *a\n", YAML, 422),
        ("format: cutline-framework/9\nframework: main\nparts: {}\n", YAML, 422),
        (b"\xff\xfe", YAML, 400),
        ("{}", "application/json", 415),
        ("", YAML, 400),
        ("x" * (4 * 2**20 + 1), YAML, 413),
        ("- " * 500 + "x\n", YAML, 422),
    ],
)
@pytest.mark.parametrize("act", ["plan", "apply"])
def test_file_that_is_none_is_refused_without_a_trace(
    company: Company, api: Api, act: str, body: Any, content_type: str, status: int
) -> None:
    before = state()

    answer = api.post(f"/api/v1/frameworks/main/files/{act}", body, content_type=content_type)

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert state() == before


def test_file_of_another_or_unknown_framework_is_refused(company: Company, api: Api) -> None:
    text = export_version(company.version)
    before = state()

    for act in ("plan", "apply"):
        other = api.post(
            f"/api/v1/frameworks/main/files/{act}", text.replace("framework: main", "framework: x"), content_type=YAML
        )
        assert (other.status_code, codes(other)) == (422, [("other", "/framework")])
        assert api.post(f"/api/v1/frameworks/x/files/{act}", text, content_type=YAML).status_code == 404
    assert state() == before


def test_yaml_is_understood_at_files_only(company: Company, writer: Api, root: str) -> None:
    before = state()

    answer = writer.send("PUT", f"{root}/parts/term/nrr", "label: NRR", content_type=YAML, **{"If-None-Match": "*"})

    assert answer.status_code == 415
    assert writer.get(f"{root}/file", Accept="application/json").status_code == 406
    assert state() == before


def test_findings_are_listed_and_a_warning_waived(company: Company, writer: Api, root: str) -> None:
    company.version.parts.filter(kind="waiver", key="no_anti_icp__tier").delete()
    found = writer.get(f"{root}/findings").json()["data"]
    warnings = [each for each in found if each["severity"] == "warning" and not each["is_waived"]]
    errors = [each for each in found if each["severity"] == "error"]
    assert (bool(warnings), bool(errors), "named" in json.dumps(found)) == (True, True, False)
    before = state()

    def waive(finding: str) -> Any:
        return writer.post(f"{root}/waivers", {"fingerprints": [finding], "reason": "Known, and accepted for now."})

    refused = [waive("0"), waive(errors[0]["fingerprint"])]
    assert [answer.status_code for answer in refused] == [409, 422]
    assert state() == before
    assert waive(warnings[0]["fingerprint"]).status_code == 201
    now = {each["fingerprint"]: each["is_waived"] for each in writer.get(f"{root}/findings").json()["data"]}
    assert now[warnings[0]["fingerprint"]]
