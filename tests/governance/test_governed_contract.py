"""Every service that acts for somebody at some moment writes the audit chain: found by reading the code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("frameworks", "accounts", "governance")

WHO = {"actor", "signer"}
STEPS = {"frameworks.services.drafting.write_contents"}
"""Steps that several governed services share; nothing outside services may call them."""
DATA = {
    "accounts.services.observing.push_observations",
    "accounts.services.observing.record_signals",
    "accounts.services.pushing.push_accounts",
    "accounts.services.uploads.choose_mapping",
    "accounts.services.uploads.upload_import",
}
"""Account data on its way in is no governed act: provenance is kept value by value, and applying an import is one."""

OUTSIDE = {"services", "benchmark"}
"""The benchmark builds its framework in a schema of its own, where nobody governs."""

Name = tuple[str, str]
"""Module and function."""


def service_modules() -> dict[str, ast.Module]:
    paths = [path for app in APPS for path in (ROOT / app / "services").rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text()) for path in paths}


def functions(modules: dict[str, ast.Module]) -> dict[Name, ast.FunctionDef]:
    return {
        (module, node.name): node
        for module, tree in modules.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def imported(tree: ast.Module) -> dict[str, Name]:
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def called_names(node: ast.AST) -> set[str]:
    """Names called directly, and `module.name` calls by their last word."""
    calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    plain = {call.id for call in calls if isinstance(call, ast.Name)}
    return plain | {call.attr for call in calls if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)}


def opens_governed(node: ast.FunctionDef) -> bool:
    return any(
        isinstance(item.context_expr, ast.Call)
        and isinstance(item.context_expr.func, ast.Name)
        and item.context_expr.func.id == "governed"
        for statement in ast.walk(node)
        if isinstance(statement, ast.With)
        for item in statement.items
    )


def callees(module: str, tree: ast.Module, node: ast.FunctionDef) -> set[Name]:
    names = imported(tree)
    return {names.get(called, (module, called)) for called in called_names(node)}


def forgetful(modules: dict[str, ast.Module]) -> list[str]:
    """Public functions with somebody and `at` that neither open `governed()` nor call a function that does."""
    known = functions(modules)
    governing = {name for name, node in known.items() if opens_governed(node)}
    calls = {name: callees(name[0], modules[name[0]], node) for name, node in known.items()}
    while more := {name for name in calls if name not in governing and calls[name] & governing}:
        governing |= more
    return sorted(".".join(name) for name, node in known.items() if acts(node) and name not in governing)


def acts(node: ast.FunctionDef) -> bool:
    arguments = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
    return not node.name.startswith("_") and "at" in arguments and bool(arguments & WHO)


def test_no_service_forgets_the_audit_chain():
    assert set(forgetful(service_modules())) <= STEPS | DATA


def test_shared_steps_are_called_by_services_only():
    names = {step.rpartition(".")[2] for step in STEPS}
    paths = [path for app in APPS for path in (ROOT / app).rglob("*.py") if not OUTSIDE & {*path.parts}]

    assert [path for path in paths if any(name in path.read_text() for name in names)] == []


def test_services_that_act_are_found_at_all():
    found = {name for (_, name), node in functions(service_modules()).items() if acts(node)}

    assert {"request_override", "decide_override", "withdraw_request", "revoke_override", "grant_override"} <= found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def change(*, actor, at): save()", ["app.change"]),
        ("def change(*, actor, at):\n with governed('x'): save()", []),
        ("def change(*, actor, at): _do()\ndef _do():\n with governed('x'): save()", []),
        ("def change(*, actor, at): governed('x')", ["app.change"]),
        ("def look(*, actor): save()", []),
        ("def _change(*, actor, at): save()", []),
    ],
)
def test_contract_tells_who_forgets(source, expected):
    assert forgetful({"app": ast.parse(source)}) == expected


def test_contract_follows_an_import():
    modules = {
        "low": ast.parse("def save(*, actor, at):\n with governed('x'): pass"),
        "high": ast.parse("from low import save\ndef change(*, actor, at): save(actor=actor, at=at)"),
    }

    assert forgetful(modules) == []
