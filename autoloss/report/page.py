"""What the pages have in common: templates that escape all they print, files beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def page_template(name: str, **filters: Callable[..., Any]) -> Template:
    """Return the template of a page; everything that it prints is escaped.

    Args:
        name: Its file.
        filters: What it may use besides jinja's own.
    """
    environment = Environment(
        loader=PackageLoader("autoloss.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(filters)
    return environment.get_template(name)


@cache
def page_file(name: str) -> str:
    """Return a file that lies beside the templates."""
    folder = resources.files("autoloss.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")
