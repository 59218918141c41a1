"""The zip of an evidence bundle: written as it is read, the same bytes for the same content."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from frameworks.models import FrameworkVersion
from governance.evidence.content import VERIFIER, Evidence, export_row
from governance.evidence.printed import manifest_page, readme
from governance.models import AuditHead

SUMS = "SHA256SUMS"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16


def write_bundle(version: FrameworkVersion, out: IO[bytes], *, by: str, at: datetime) -> str:
    """Write the bundle of a locked version. Answers the SHA-256 of SHA256SUMS, which stands for every byte of it."""
    head = AuditHead.objects.get(pk=1)
    evidence = Evidence(version, head)
    sums: dict[str, str] = {}
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, chunks in _files(evidence, export_row(head, by=by, at=at)):
            sums[name] = _write(archive, name, chunks)
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        return _write(archive, SUMS, [lines.encode()])


def _files(evidence: Evidence, export: bytes) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield "README.txt", [readme(evidence).encode()]
    yield "verify.py", [VERIFIER.read_bytes()]
    yield "export.json", [export]
    yield from evidence.files()
    yield "manifest.html", manifest_page(evidence)


def _write(archive: ZipFile, name: str, chunks: Iterable[bytes]) -> str:
    """Add a file with nothing of today in it; answers its SHA-256."""
    info = ZipInfo(name, _EPOCH)
    info.compress_type, info.external_attr, info.create_system = ZIP_DEFLATED, _READABLE, 3
    digest = hashlib.sha256()
    with archive.open(info, "w") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
