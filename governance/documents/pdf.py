"""A document as a tagged PDF. The renderer reads nothing but what it is handed: no network, no files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STYLES = Path(__file__).with_name("print.css")
MISSING = (
    "PDF needs the system library Pango. Install the packages libpango-1.0-0, libpangoft2-1.0-0 and "
    "fonts-dejavu-core, then restart. The page itself works without it."
)


class NoPdfError(Exception):
    """The machine lacks what makes a PDF; the message says what to install."""


class RefusedAddressError(ValueError):
    """A document asked for a file or an address."""


def refuse(url: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The only fetcher the renderer gets."""
    raise RefusedAddressError(f"A document may not load {url}.")


def check_renderer() -> None:
    """Raises NoPdfError when this machine cannot make a PDF."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError) as error:
        raise NoPdfError(MISSING) from error


@dataclass(frozen=True)
class LaidOut:
    """A PDF and how many pages it has."""

    content: bytes
    pages: int


def styles() -> str:
    """What the layout depends on besides the text, with a class for each width of a column, in percent."""
    widths = "".join(f".w{share} {{ width: {share}% }}\n" for share in range(1, 101))
    return STYLES.read_text(encoding="utf-8") + widths


def lay_out(texts: Sequence[str]) -> LaidOut:
    """The only text, or else the first that fits on one page, or else the last. Raises NoPdfError."""
    check_renderer()
    from weasyprint import CSS, HTML

    style = CSS(string=styles(), url_fetcher=refuse)
    for text in texts:
        found = HTML(string=text, url_fetcher=refuse).render(stylesheets=[style], pdf_variant="pdf/ua-1")
        if len(found.pages) == 1:
            break
    return LaidOut(bytes(found.write_pdf(pdf_variant="pdf/ua-1")), len(found.pages))
