"""A document as a tagged PDF. The renderer reads nothing but what it is handed: no network, no files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string

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


def pdf_of(context: Mapping[str, Any]) -> bytes:
    """The PDF of a document. Raises NoPdfError."""
    return bytes(_laid_out(context).write_pdf(pdf_variant="pdf/ua-1"))


def card_of(contexts: Iterable[Mapping[str, Any]]) -> bytes:
    """The first of these that fits one page as a PDF, else the last. Raises NoPdfError."""
    page = None
    for context in contexts:
        page = _laid_out(context)
        if len(page.pages) == 1:
            break
    return bytes(page.write_pdf(pdf_variant="pdf/ua-1")) if page else b""


def _laid_out(context: Mapping[str, Any]) -> Any:
    check_renderer()
    from weasyprint import CSS, HTML

    style = CSS(string=STYLES.read_text(encoding="utf-8"), url_fetcher=refuse)
    html = render_to_string("governance/documents/print.html", dict(context))
    return HTML(string=html, url_fetcher=refuse).render(stylesheets=[style], pdf_variant="pdf/ua-1")
