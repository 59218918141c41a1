"""What a part is called where people read: by its label, never by its key. Every page, mail and diff asks here."""

from frameworks.parts.wording import humanise

META = "About the framework"
POLICIES = {"signoff": "Sign-off policy", "overrides": "Override policy"}
KINDS = {"term": "definition"}
"""How a kind is called inside a sentence, where that is not its own word."""
NAMED_BY_THEMSELVES = ("meta", "policy")


def own_label(kind: str, key: str, label: str = "") -> str:
    """What a part is called by itself. `label` is its body's, if it has one; without, the key stands for it."""
    if kind == "meta":
        return META
    if kind == "policy":
        return POLICIES.get(key, f"{humanise(key)} policy")
    return label or humanise(key.rpartition("/")[2])


def waiver_label(code: str, about: str = "") -> str:
    """ "No anti ICP, Customer Tier": what was found, and about what."""
    return f"{humanise(code)}, {about}" if about else humanise(code)


def titled(kind: str, label: str) -> str:
    """A label with its kind, at the beginning of a line: "Definition ARR", "Sign-off policy"."""
    words = phrased(kind, label)
    return label if kind in NAMED_BY_THEMSELVES else words[:1].upper() + words[1:]


def phrased(kind: str, label: str) -> str:
    """The same inside a sentence: "definition ARR", "sign-off policy"."""
    if kind == "meta":
        return "part about the framework"
    if kind == "policy":
        return label[:1].lower() + label[1:]
    return f"{KINDS.get(kind, humanise(kind).lower())} {label}"
