"""What an editor has to know to build rules: every operator with its fields, derived from the node classes.

A node class says its shape once, in ast.py. Here that shape is turned into a description a page can draw forms
from, so that a new operator appears in the rule builder by being declared. Only its words may be added below; an
operator without any is called by its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from frameworks.criteria.ast import CLASS_BY_OPERATOR
from frameworks.criteria.base import AttributeLeaf, BaseNode, MeasuredLeaf

Form = dict[str, Any]

_OPERATORS: Final = {
    "eq": "is",
    "ne": "is not",
    "lt": "is less than",
    "le": "is at most",
    "gt": "is more than",
    "ge": "is at least",
    "in": "is one of",
    "not_in": "is none of",
    "range": "is from, up to",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "contains": "contains",
    "before": "is before",
    "on_or_before": "is on or before",
    "after": "is after",
    "on_or_after": "is on or after",
    "within_last": "is within the last",
    "within_next": "is within the next",
    "older_than": "is older than",
    "is_true": "is true",
    "is_false": "is false",
    "is_missing": "is missing",
    "is_present": "is present",
    "has_any": "has any of",
    "has_all": "has all of",
    "has_none": "has none of",
    "in_period": "is in the fiscal period",
    "change": "changed",
    "segment any_of": "is any of",
    "segment none_of": "is none of",
    "is_unassigned": "is Unassigned",
    "all": "All of",
    "any": "Any of",
    "at_least": "At least…",
    "not": "Not",
    "sustained": "Sustained",
    "signal": "Signal",
    "on_list": "On a list",
    "always": "Every account",
}
_FIELDS: Final = {
    "n": "Number",
    "k": "How many",
    "unit": "Unit",
    "value": "Value",
    "values": "Values",
    "periods": "Periods",
    "grain": "Period",
    "missing_period": "A missing period",
    "measure": "Measured",
    "compare": "Compared",
    "kind": "Kind",
    "details": "Details",
    "at_least": "At least",
    "within_days": "Within days",
    "list": "List",
    "period": "Period",
    "offset": "Periods from today",
    "of": "Of",
    "any_of": "Segments",
    "none_of": "Segments",
}
_VALUES: Final = {
    "lt": "less than",
    "le": "at most",
    "gt": "more than",
    "ge": "at least",
    "self": "the account",
    "ultimate_parent": "its ultimate parent",
    "true": "counts as met",
    "false": "counts as not met",
    "breaks": "starts the run over",
    "skip": "is skipped, once",
    "unknown": "leaves it unknown",
}
# Said by the node's place in the tree or by the attribute itself, or drawn by the builder in every leaf alike.
_STRUCTURE: Final = frozenset({"id", "op", "attribute", "dimension", "item", "items", "missing", "match"})
_BOUNDS: Final = frozenset({"ge", "gt", "lt", "le"})


def node_forms() -> list[Form]:
    """One description per operator, in the order in which editors list them.

    Fields that are `aside` are seldom used: an editor keeps them out of the row. `subject` is what the node looks at
    or is: attribute, dimension, alone, group (has items) or wrap (has one
    item). `types` are the data types of an attribute operator. Operators with alternative fields come once per
    alternative, with `variant` naming the field.
    """
    return [form for op, node_class in CLASS_BY_OPERATOR.items() for form in _forms_of(op, node_class)]


def _forms_of(op: str, node_class: type[BaseNode]) -> Iterator[Form]:
    names = node_class.model_fields
    form: Form = {
        "op": op,
        "label": _OPERATORS.get(op, _humanised(op)),
        "subject": _subject(node_class),
        "fields": _fields_of(node_class),
        "may_default": "missing" in names,
        "may_match_exactly": "match" in names,
        "has_bounds": names.keys() >= _BOUNDS,
    }
    if issubclass(node_class, AttributeLeaf):
        form["types"] = sorted(node_class.valid_types(op))
    alternatives = [field for field in form["fields"] if field["kind"] == "segments" and not field["required"]]
    if not alternatives:
        yield form
    for field in alternatives:
        label = _OPERATORS.get(f"{op} {field['name']}", _humanised(field["name"]))
        yield {**form, "label": label, "variant": field["name"], "fields": [{**field, "required": True}]}


def _subject(node_class: type[BaseNode]) -> str:
    if issubclass(node_class, AttributeLeaf):
        return "attribute"
    for name, subject in (("dimension", "dimension"), ("items", "group"), ("item", "wrap")):
        if name in node_class.model_fields:
            return subject
    return "alone"


def _fields_of(node_class: type[BaseNode]) -> list[Form]:
    hidden = set(_STRUCTURE)
    if issubclass(node_class, MeasuredLeaf):
        hidden |= {"unit", "currency"}  # those of the attribute, which stand beside the value
    if node_class.model_fields.keys() >= _BOUNDS:
        hidden |= _BOUNDS
    return [_field(node_class, name, info) for name, info in node_class.model_fields.items() if name not in hidden]


def _field(node_class: type[BaseNode], name: str, info: FieldInfo) -> Form:
    schema = _plain_schema(info)
    found: Form = {"name": name, "label": _FIELDS.get(name, _humanised(name)), "required": info.is_required()}
    if not info.is_required() and info.default is not None:
        found["default"] = info.default
    literals: tuple[str, ...] = getattr(node_class, "literal_fields", ())
    if name == "of":
        found["aside"] = True
    if name == "list":
        return {**found, "kind": "list"}
    return found | _kind(schema, is_literal=name in literals, of_dimension="dimension" in node_class.model_fields)


def _plain_schema(info: FieldInfo) -> dict[str, Any]:
    """The field's JSON Schema, of the value where null is allowed as well."""
    schema = TypeAdapter(info.rebuild_annotation()).json_schema()
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return {**schema, **options[0]} if options else schema


def _kind(schema: dict[str, Any], *, is_literal: bool, of_dimension: bool) -> Form:
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices:
        return {"kind": "choice", "options": [[str(c), _VALUES.get(str(c), _worded(str(c)))] for c in choices]}
    if schema.get("type") == "array":
        return {"kind": "segments" if of_dimension else "literals" if is_literal else "texts"}
    if schema.get("type") == "integer":
        return {"kind": "integer", "min": schema.get("minimum"), "max": schema.get("maximum")}
    if schema.get("type") == "object":
        return {"kind": "details"}
    return {"kind": "literal" if is_literal else "text"}


def _worded(name: str) -> str:
    return name.replace("_", " ")


def _humanised(name: str) -> str:
    return _worded(name).capitalize()
