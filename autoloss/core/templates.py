"""Templates of Python files that autoloss writes."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def code_templates(package: str) -> Environment:
    """Return the templates beside the modules of a package, without any escaping.

    Args:
        package: Dotted name of the package.
    """
    return Environment(
        loader=PackageLoader(package, ""),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
