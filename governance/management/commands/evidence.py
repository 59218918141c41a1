"""`manage.py evidence FRAMEWORK VERSION --out FILE`: everything that shows who agreed to a version, in one zip."""

import hashlib
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from frameworks.errors import ConflictError
from frameworks.models import FrameworkVersion
from governance.evidence.content import VERIFIER
from governance.services.evidence import export_evidence


class Command(BaseCommand):
    help = "Write the evidence bundle of a version (docs/evidence.md), or say what its verifier looks like."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("framework", nargs="?", help="its address, as in /frameworks/ADDRESS/")
        parser.add_argument("version", nargs="?", type=int, help="its number")
        parser.add_argument("--out", type=Path, help="the file to write; FRAMEWORK-vN-evidence.zip when absent")
        parser.add_argument("--verifier", action="store_true", help="print the SHA-256 of verify.py and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verifier"]:
            self.stdout.write(f"{hashlib.sha256(VERIFIER.read_bytes()).hexdigest()}  verify.py")
            return
        if options["framework"] is None or options["version"] is None:
            raise CommandError("Name a framework and the number of one of its versions.")
        version = _version(options["framework"], options["version"])
        path: Path = options["out"] or Path(f"{options['framework']}-v{options['version']}-evidence.zip")
        self.stdout.write(f"{path}: {self._write(version, path)}")

    def _write(self, version: FrameworkVersion, path: Path) -> str:
        """The bundle's digest. What could not be finished leaves no file behind."""
        partial = path.with_name(path.name + ".part")
        try:
            with partial.open("wb") as out:
                digest = export_evidence(version=version, out=out, actor=None, at=timezone.now())
            partial.replace(path)
        except ConflictError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        finally:
            partial.unlink(missing_ok=True)
        return digest


def _version(slug: str, number: int) -> FrameworkVersion:
    found = FrameworkVersion.objects.select_related("framework", "author", "base_version")
    version = found.filter(framework__slug=slug, number=number).first()
    if version is None:
        raise CommandError(f"There is no version {number} of a framework {slug}.")
    return version
