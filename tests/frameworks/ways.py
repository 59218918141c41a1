"""Each way by which a body reaches a draft: the pages, the API, and a file through upload, API or command."""

import json
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from frameworks.content import checked
from frameworks.definition import Definition, bodies_of
from frameworks.models import Contribution, FrameworkVersion, Part, PartBody
from frameworks.roles import Role
from frameworks.yaml_text import write_yaml
from governance.models import AuditEntry
from tests.api.making import Api, make_service, make_token
from tests.frameworks.making import Company, sent


class Ways:
    """One company, and each way by which a body reaches its draft."""

    def __init__(self, company: Company) -> None:
        self.company = company
        owner = make_service("pipeline@example.com", Role.ARCHITECT)
        self.api = Api(make_token(owner, "frameworks:read", "frameworks:write"), Client())
        self.browser = Client()
        self.browser.force_login(company.ravi)
        self.before = self.state()

    def state(self) -> list[Any]:
        parts = list(Part.objects.order_by("pk").values_list("pk", "key", "body_id"))
        models = (FrameworkVersion, PartBody, Contribution, AuditEntry)
        return [parts, *(model.objects.count() for model in models)]

    def send(self, way: str, kind: str, key: str, body: dict[str, Any]) -> Any:
        if way == "page":
            return self._edit(kind, key, body)
        if way == "api":
            etag = f'"{self.company.part(kind, key).body_id}"'
            address = f"/api/v1/framework-versions/{self.company.version.uuid}/parts/{kind}/{key}"
            return self.api.send("PUT", address, body, **{"If-Match": etag})
        if way == "orm":
            return self._write(kind, key, body)
        text = self.file({(kind, key): body})
        if way == "command":
            return self._command(text)
        if way == "upload":
            return self.upload(text)
        return self.api.post(f"/api/v1/frameworks/main/files/{way}", text, content_type="application/yaml")

    def upload(self, text: str) -> Any:
        return self.browser.post("/frameworks/main/upload/", {"file": SimpleUploadedFile("x.yaml", text.encode())})

    def _edit(self, kind: str, key: str, body: dict[str, Any]) -> Any:
        place = {"slug": "main", "number": self.company.version.number}
        if kind == "segment":
            address = reverse("frameworks:dimension_save", kwargs={**place, "key": "tier"})
            edit = sent(self.company, **{key.partition("/")[2]: body})
            return self.browser.post(address, json.dumps(edit), content_type="application/json")
        address = reverse("frameworks:part_edit", kwargs={**place, "kind": kind, "key": key})
        digest = self.company.part(kind, key).body_id
        return self.browser.post(f"{address}?as=text", {"key": key, "digest": digest, "text": write_yaml(body)})

    def _write(self, kind: str, key: str, body: dict[str, Any]) -> None:
        """Past every service, as a script in a shell would."""
        content = checked(kind, key, body, Definition(bodies_of(self.company.version)))
        PartBody.objects.bulk_create([content.row()], ignore_conflicts=True)
        self.company.version.parts.filter(kind=kind, key=key).update(body_id=content.digest)

    def _command(self, text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.yaml"
            path.write_text(text, encoding="utf-8")
            call_command("framework", "apply", str(path), "--by", self.company.ravi.email, stdout=StringIO())

    def file(self, changed: dict[tuple[str, str], Any], **header: Any) -> str:
        """The draft as a file with other bodies; JSON is YAML too."""
        parts: dict[str, dict[str, Any]] = {}
        for (kind, key), body in (dict(bodies_of(self.company.version)) | changed).items():
            parts.setdefault(kind, {})[key] = dict(body)
        return json.dumps({"format": "cutline-framework/1", "framework": "main", "parts": parts, **header})
