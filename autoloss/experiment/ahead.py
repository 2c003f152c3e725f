"""Loads what the end of a search needs, libraries and templates, while other processes train."""

from __future__ import annotations

import contextlib
import threading
from functools import cache

from autoloss.report.html import html_template
from autoloss.report.markdown import markdown_template


@cache
def load_ahead() -> threading.Thread:
    """Load it in a thread, once in a process, and return the thread."""
    thread = threading.Thread(target=_load, name="autoloss-ahead", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    # The search says so itself if it cannot do without a library.
    with contextlib.suppress(ImportError):
        import autoloss.search.importance  # noqa: F401
    html_template()
    markdown_template()
