"""`manage.py framework export | plan | apply | diff`: frameworks as code (docs/framework-as-code.md).

`plan` and `diff` end with 0 when there is no difference, 2 when there is one and 1 when something was refused, as
`terraform plan -detailed-exitcode` does.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.services.forecast import forecast_moves
from frameworks.checks.findings import Finding
from frameworks.comparison import last_signed, since_signed, typed
from frameworks.definition import Definition, bodies_of
from frameworks.errors import ConflictError, InvalidError, NotAllowedError
from frameworks.exchange.format import PartId
from frameworks.forecast import Move
from frameworks.models import Contribution, Framework, User
from frameworks.parts.diff import PartChange, diff_parts
from frameworks.parts.materiality import highest_materiality
from frameworks.parts.wording import humanise
from frameworks.services import exchange

DIFFERENT: Final = 2
_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_VERSION_HELP: Final = "a version's number, active, or draft for the newest draft"
_UNCOUNTED: Final = {
    "no_accounts": "There are no accounts that it could move.",
    "unreadable": "An account has a value that cannot be read as what the file says it is: no moves were counted.",
}


class Command(BaseCommand):
    help = "A framework as a YAML file: write it, see what an edited one would change, make a draft of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write a version as YAML")
        export.add_argument("framework", nargs="?", help="its address; the only one there is when absent")
        export.add_argument("--version", dest="of_version", metavar="VERSION", help=_VERSION_HELP)
        export.add_argument("--out", type=Path, help="the file to write; standard output when absent")
        plan = actions.add_parser("plan", help="say what a file would change, and for how many accounts")
        plan.add_argument("file", type=Path)
        apply = actions.add_parser("apply", help="make a draft of a file; nothing becomes active by it")
        apply.add_argument("file", type=Path)
        apply.add_argument("--by", required=True, metavar="EMAIL", help="who contributes it, and may not sign it")
        diff = actions.add_parser("diff", help="what differs between two versions or files, or since somebody signed")
        diff.add_argument("sides", nargs="+", metavar="SIDE", help=f"{_VERSION_HELP}, or a file ending in .yaml")
        diff.add_argument("--since-signed-by", metavar="EMAIL", help="one version, and what this person said Yes to")
        diff.add_argument("--framework", help="whose versions; the only one there is when absent")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except InvalidError as error:
            raise CommandError("\n".join(error.problems)) from error
        except (ConflictError, NotAllowedError) as error:
            raise CommandError(str(error)) from error

    def _export(self, options: Mapping[str, Any]) -> None:
        version = exchange.version_named(exchange.framework_named(options["framework"]), options["of_version"])
        text = exchange.export_version(version)
        if options["out"] is None:
            self.stdout.write(text, ending="")
            return
        options["out"].write_text(text, encoding="utf-8")
        self.stdout.write(f"{version.framework.slug} {version} is in {options['out']}.")

    def _plan(self, options: Mapping[str, Any]) -> None:
        plan = exchange.plan_file(_text_of(options["file"]))
        if plan.base is not None and not plan.changes:
            self.stdout.write("no changes")
            return
        self._introduce(plan)
        self.stdout.write()
        self._say_changes(plan.changes)
        self._say_unclear(plan)
        self._say_findings(plan.findings(timezone.now()))
        self._say_impact(Definition(plan.bodies), plan.framework)
        sys.exit(DIFFERENT)

    def _introduce(self, plan: exchange.FilePlan) -> None:
        if plan.base is None:
            self.stdout.write(f"There is no framework {plan.file.framework} yet: the file would start it.")
            return
        self.stdout.write(f"Compared with {plan.file.framework} {plan.base} ({plan.base.standing.lower()}).")
        if (active := plan.overtaken_by) is not None:
            self.stdout.write(f"{active} is active since: the file cannot be applied. Export {active} and start there.")

    def _apply(self, options: Mapping[str, Any]) -> None:
        actor = _person(options["by"])
        version, is_new = exchange.apply_file(
            text=_text_of(options["file"]), actor=actor, at=timezone.now(), source=Contribution.Source.IMPORT
        )
        named = f"{version.framework.slug} {version}"
        if is_new:
            self.stdout.write(f"{named} is a draft with the content of the file, contributed by {actor}.")
        else:
            self.stdout.write(f"no changes: {named} ({version.standing.lower()}) says the same.")

    def _diff(self, options: Mapping[str, Any]) -> None:
        is_since, sides = options["since_signed_by"] is not None, options["sides"]
        if len(sides) != (1 if is_since else 2):
            raise CommandError("Name two sides, or one version with --since-signed-by.")
        changes = self._since_signed(options) if is_since else self._between(sides, options["framework"])
        if not changes:
            self.stdout.write("no changes")
            return
        self._say_changes(changes)
        sys.exit(DIFFERENT)

    def _between(self, sides: Sequence[str], framework: str | None) -> list[PartChange]:
        before, after = (self._bodies(side, framework) for side in sides)
        return diff_parts(before, after)

    def _since_signed(self, options: Mapping[str, Any]) -> list[PartChange]:
        new = exchange.version_named(exchange.framework_named(options["framework"]), options["sides"][0])
        signer = _person(options["since_signed_by"])
        signed = last_signed(signer, new)
        if signed is None:
            raise CommandError(f"{signer} has not said Yes to {new} or an earlier version.")
        day = timezone.localtime(signed.signed_at).strftime("%Y-%m-%d %H:%M")
        self.stdout.write(f"Compared with {signed.version} as {signer} signed it on {day}.")
        return typed(since_signed(signed, new), new)

    def _bodies(self, named: str, framework: str | None) -> Mapping[PartId, Mapping[str, Any]]:
        if named.endswith((".yaml", ".yml")):
            return exchange.plan_file(_text_of(Path(named))).bodies
        return bodies_of(exchange.version_named(exchange.framework_named(framework), named))

    def _say_changes(self, changes: list[PartChange]) -> None:
        level = highest_materiality(changes)
        number = "1 part differs" if len(changes) == 1 else f"{len(changes):,} parts differ"
        self.stdout.write(f"{number}; the highest level is {level}.")
        for change in changes:
            self.stdout.write(f"  {_SIGNS[change.change]} {change.label} [{change.level}]")
            for field in change.fields:
                self.stdout.write(f"      {field.text}")

    def _say_unclear(self, plan: exchange.FilePlan) -> None:
        """Text that two readers may take differently, and how it was taken."""
        for where, taken, why in plan.unclear:
            self.stdout.write(f"\nwarning [scope_ambiguous] {where}: {' '.join(why)}")
            self.stdout.write(f"  It was taken as: {taken}")

    def _say_findings(self, findings: Sequence[Finding]) -> None:
        """Of parts and rules; what needs accounts is looked for on the draft."""
        self.stdout.write(f"\n{len(findings)} findings of the checks." if findings else "\nThe checks find nothing.")
        for finding in findings:
            answer = f" Waived: {finding.waiver.reason}" if finding.waiver else ""
            self.stdout.write(f"  {finding.severity} {finding.code}: {finding.text}{answer}")

    def _say_impact(self, definition: Definition, framework: Framework | None) -> None:
        forecast = forecast_moves(definition=definition, framework=framework, at=timezone.now())
        if forecast.state != "counted":
            self.stdout.write(f"\n{_UNCOUNTED[forecast.state]}")
            return
        self.stdout.write(f"\nOf {forecast.accounts:,} accounts, as they are now:")
        for key, body in sorted(definition.dimensions.items()):
            names = {short: segment.label for short, segment in definition.segments[key].items()}
            self._say_moves(body.label, [move for move in forecast.moves if move.dimension == key], names)

    def _say_moves(self, label: str, moves: Sequence[Move], names: Mapping[str, str]) -> None:
        def called(segment: str | None) -> str:
            return names.get(segment) or humanise(segment) if segment else "Unassigned"

        moved = sum(move.accounts for move in moves)
        self.stdout.write(f"  {label}: {moved:,} would move" if moved else f"  {label}: nobody would move")
        for move in moves:
            was = "(not assigned yet)" if move.is_first else called(move.was)
            self.stdout.write(f"    {was} → {called(move.now)}: {move.accounts:,}")


def _person(email: str) -> User:
    found = User.objects.filter(email__iexact=email).first()
    if found is None:
        raise CommandError(f"Nobody here has the e-mail address {email}.")
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8: byte {error.start + 1:,}.") from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
