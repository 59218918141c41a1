"""Bodies that no version may hold, by the row of the list of bad input that each stands for."""

from collections.abc import Callable
from typing import Any

Leaf = dict[str, Any]


def leaf(op: str, attribute: str = "arr", **values: Any) -> Leaf:
    return {"id": "bad", "op": op, "attribute": attribute, **values}


def nested(levels: int) -> Leaf:
    found = leaf("lt", value="1")
    for level in range(levels):
        found = {"id": f"not{level}", "op": "not", "item": found}
    return found


def wide(count: int) -> Leaf:
    items = [{"id": f"w{place}", "op": "lt", "attribute": "arr", "value": str(place)} for place in range(count)]
    return {"id": "bad", "op": "any", "items": items}


# What stands in a rule of the segment SMB.
RULES: dict[str, Leaf] = {
    "K01 field of the database": leaf("lt", "owner.password", value="1"),
    "K01 dunder": leaf("lt", "__class__", value="1"),
    "K01 lookup": leaf("eq", "attrs__x__regex", value="1"),
    "K01 attribute nobody declared": leaf("lt", "headcount", value="1"),
    "K02 contains on a number": leaf("contains", value="1"),
    "K02 date operator on money": leaf("before", value="2026-01-01"),
    "K02 tags on a number": leaf("has_any", value=None, values=["a"]),
    "K03 word for a number": leaf("lt", value="many"),
    "K03 number for a text": leaf("lt", value=100000),
    "K03 empty list": leaf("in", values=[]),
    "K03 list of 1,001": leaf("in", values=[str(number) for number in range(1001)]),
    "K08 lower end above the upper": leaf("range", ge="10", lt="5"),
    "K08 not a number": leaf("lt", value="NaN"),
    "K08 endless": leaf("lt", value="Infinity"),
    "K09 more decimals than money has": leaf("lt", value="24999.995"),
    "K09 fraction of an employee": leaf("lt", "employee_count", value="1.5"),
    "K11 too deep": nested(20),
    "K11 too many": wide(1000),
    "K12 regular expression": leaf("regex", value="(a+)+$"),
    "K13 own segment": {"id": "bad", "op": "segment", "dimension": "tier", "any_of": ["smb"]},
    "K22 another schema's field": leaf("lt", value="1", sql="1=1"),
}

Change = Callable[[dict[str, Any]], dict[str, Any]]


def with_(**fields: Any) -> Change:
    return lambda body: {**body, **fields}


def derived(kind: str, data_type: str, of: list[str], **fields: Any) -> dict[str, Any]:
    own = {name: fields.pop(name) for name in ("grain", "periods") if name in fields}
    return {"label": "Margin", "data_type": data_type, "scale": 2, "derived": {"kind": kind, "of": of, **own}, **fields}


# What becomes of the body of another part: its kind, its key, and the change.
BODIES: dict[str, tuple[str, str, Change]] = {
    "K10 difference of two currencies": (
        "data_source",
        "margin",
        lambda body: derived("difference", "money", ["arr", "cost"], scale=2, currency="USD"),
    ),
    "K13 attribute derived from itself": (
        "data_source",
        "margin",
        lambda body: derived("growth", "decimal", ["margin"], grain="fiscal_quarter", periods=2),
    ),
    "K13 derived from what is derived": (
        "data_source",
        "margin",
        lambda body: derived("ratio", "decimal", ["each", "employee_count"]),
    ),
    "K13 closing a circle": (
        "data_source",
        "cost",
        lambda body: derived("ratio", "decimal", ["arr", "each"]),
    ),
    "K13 derived although another is derived from it": (
        "data_source",
        "cost",
        lambda body: derived("growth", "decimal", ["arr"], grain="fiscal_quarter", periods=2),
    ),
    "K16 one segment twice": ("dimension", "tier", with_(segments=["smb", "smb"])),
    "K16 key that is no word": ("dimension", "tier", with_(segments=["enterprise", "SMB "])),
    "K22 field that is not known": ("term", "arr", with_(wording_html="x")),
    "K22 id of another installation": ("dimension", "tier", with_(id=17)),
    "K22 type that is not known": ("data_source", "arr", with_(data_type="blob")),
    "K23 megabyte of text": ("playbook", "tier/smb", with_(summary="x" * 1_000_000)),
    "blank name": ("term", "arr", with_(label="  ")),
    "text where a list is": ("dimension", "tier", with_(segments="smb")),
    "number where text is": ("term", "arr", with_(wording=7)),
    "no name": ("term", "arr", lambda body: {name: body[name] for name in body if name != "label"}),
}
