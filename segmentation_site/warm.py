"""What a web process reads once, before the first person waits for it."""

import gc
from pathlib import Path

from django.conf import settings
from django.template.loader import get_template
from django.urls import resolve, reverse

YOUNG_OBJECTS = 20_000
"""Python looks for garbage after 700 new objects, so a hundred times while a page reads ten thousand rows."""


def warm_up() -> None:
    """Read addresses and templates, and leave everything that stays out of garbage collection.

    A full collection walks through every class, address and template of the process: some 200 ms in which none of its
    threads answers, as often as requests make enough rows. What is frozen here is not walked through again.
    """
    resolve(reverse("frameworks:framework_list"))
    folder = Path(settings.BASE_DIR) / "templates"
    for path in sorted(folder.rglob("*.html")):
        get_template(path.relative_to(folder).as_posix())
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
