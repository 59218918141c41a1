"""What the page of a PDF that is being prepared says: where it stands, honestly, and what to do where it does not."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.functional import cached_property

from accounts.tables import duration_words
from governance.documents import PRINTABLES, Printable
from governance.health import is_silent
from governance.models import Heartbeat, PreparedDocument

State = PreparedDocument.State
TONES: dict[str, str] = {State.QUEUED: "a", State.WORKING: "a", State.READY: "ok", State.FAILED: "bad"}


@dataclass(frozen=True)
class PreparedPage:
    """One document on its way at one moment."""

    row: PreparedDocument
    at: datetime

    @property
    def printable(self) -> Printable:
        return PRINTABLES[self.row.document]

    @property
    def tone(self) -> str:
        return TONES[self.row.state]

    @property
    def sentence(self) -> str:
        """Where it stands, with the time that took or takes."""
        row = self.row
        if row.state == State.QUEUED:
            return f"A worker lays it out as soon as one is free. It has waited {self._since(row.asked_at)}."
        if row.state == State.WORKING and row.started_at:
            return f"A worker has been laying out its pages for {self._since(row.started_at)}."
        if row.state == State.READY:
            pages = f"{row.pages} page{'' if row.pages == 1 else 's'}"
            return f"{pages}, {filesizeformat(len(row.content or b''))}."
        return row.failure

    @cached_property
    def no_worker(self) -> str:
        """Why it may wait for long; empty while somebody works, or may be expected to."""
        if self.row.state != State.QUEUED:
            return ""
        queue = settings.CELERY_TASK_ROUTES["governance.*"]["queue"]
        heartbeat = Heartbeat.objects.filter(queue=queue).first()
        if not is_silent(heartbeat, self.at):
            return ""
        ago = f"for {self._since(heartbeat.consumed_at)}" if heartbeat else "yet"
        return (
            f"No worker has given a sign of life {ago}: none is running, or all are busy with something long. "
            f"It is prepared when one is back; “manage.py doctor” tells whoever runs this installation why. "
            "The page of the document shows the same at once."
        )

    def _since(self, moment: datetime) -> str:
        return duration_words((self.at - moment).total_seconds())
