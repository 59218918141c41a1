"""What a service refuses, in words for the person who asked. Shared by all apps.

Pages and the API answer NotAllowedError with 403, ConflictError with 409 and InvalidError with 422.
"""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied

from frameworks.parts.naming import own_label, phrased


class NotAllowedError(PermissionDenied):
    """This person may not do this; `reasons` says why, one sentence each."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        super().__init__(" ".join(reasons))


class ConflictError(Exception):
    """Things are not as the person saw them, or not in a state in which this can be done."""

    code = "conflict"

    def __init__(self, message: str, *, reasons: Iterable[str] = ()) -> None:
        self.message = message
        self.reasons = list(reasons)
        super().__init__(" ".join([message, *self.reasons]))


class FrozenVersionError(ConflictError):
    """The version has left draft: nothing in it changes any more."""

    code = "immutable_version"


def _name(kind: str, key: str, body: Any) -> str:
    label = str(body.get("label") or "") if isinstance(body, dict) else ""
    return phrased(kind, own_label(kind, key, label))


class StalePartError(ConflictError):
    """Somebody else saved the part meanwhile. Both texts are here: `mine` as sent, `theirs` as stored.

    `theirs` and `digest` are None when the part is gone.
    """

    def __init__(self, *, kind: str, key: str, mine: Any, theirs: Any, digest: str | None) -> None:
        self.kind, self.key, self.mine, self.theirs, self.digest = kind, key, mine, theirs, digest
        self.name = _name(kind, key, theirs or mine)
        said = "deleted" if theirs is None else "changed"
        words = f"Somebody {said} the {self.name} while you were editing it."
        super().__init__(f"{words} Nothing of yours was saved over it.")


class StaleEditError(ConflictError):
    """Somebody else saved some of the parts that were about to be written together; none was written.

    `parts` has both texts of each, as StalePartError has them.
    """

    def __init__(self, parts: Iterable[StalePartError]) -> None:
        self.parts = list(parts)
        names = ", ".join(part.name for part in self.parts)
        super().__init__(f"Somebody changed {names} while you were editing. Nothing of yours was saved over it.")


class StaleThreadError(ConflictError):
    """Somebody replied in the thread, or settled it, meanwhile. `state` is what it is now."""

    code = "stale"

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__("Somebody replied in this thread, or settled it, since you read it. Read it again.")


class StaleSignoffError(ConflictError):
    """What was about to be signed is not what the signer saw; nothing of the batch was signed."""

    def __init__(self, *, requirement_ids: Iterable[int], labels: Iterable[str]) -> None:
        self.requirement_ids = list(requirement_ids)
        self.labels = list(labels)
        super().__init__(f"What you were about to sign changed since you opened this page: {', '.join(self.labels)}.")


class InvalidError(Exception):
    """The content is refused; `problems` names every one of them."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__(" ".join(self.problems))
