"""The JSON schema of ``summary.json``, made from the dataclasses of the summary."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
import types
from dataclasses import MISSING, fields, is_dataclass
from importlib import resources
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from autoloss.records import Summary
from autoloss.report.document import SCHEMA_VERSION

FILE = "summary.schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_json() -> str:
    """Return the schema as it is shipped; ``python -m autoloss.report.schema`` writes it again."""
    return (resources.files("autoloss.report") / FILE).read_text(encoding="utf-8")


def make_schema() -> dict[str, Any]:
    """Return the schema of the summary's dataclasses: draft 2020-12, a definition a record.

    A number may be ``null``, if it is unknown or not finite. A reader must
    pass over keys that it does not know: they may come without a new `schema_version`.
    """
    found: dict[str, Any] = {}
    _define(Summary, found)
    top = found.pop("Summary")
    top["properties"]["schema_version"] |= {"const": SCHEMA_VERSION}
    return {
        "$schema": _DRAFT,
        "title": "autoloss summary",
        **top,
        "$defs": dict(sorted(found.items())),
    }


def _define(kind: Any, found: dict[str, Any]) -> None:
    """Add the definition of a dataclass and of all that it is made of."""
    if kind.__name__ in found:
        return
    found[kind.__name__] = {}
    texts, hints = _argument_texts(kind), get_type_hints(kind)
    properties, required = {}, []
    for field in fields(kind):
        own = _of(hints[field.name], found)
        text = texts.get(field.name)
        properties[field.name] = {**own, "description": text} if text else own
        if field.default is MISSING and field.default_factory is MISSING:
            required.append(field.name)
    found[kind.__name__] = {
        "description": (inspect.getdoc(kind) or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _of(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type."""
    if is_dataclass(kind):
        _define(kind, found)
        return {"$ref": f"#/$defs/{getattr(kind, '__name__', '')}"}
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple:
        if args[-1] is Ellipsis:
            return {"type": "array", "items": _of(args[0], found)}
        items = [_of(one, found) for one in args]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(args[1], found)}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(one, found) for one in args]}
    plain: dict[Any, dict[str, Any]] = {
        float: {"type": ["number", "null"]},
        int: {"type": "integer"},
        bool: {"type": "boolean"},
        str: {"type": "string"},
        type(None): {"type": "null"},
    }
    return dict(plain.get(kind, {}))


def _argument_texts(kind: type) -> dict[str, str]:
    """Return the description of each field in the docstring."""
    # `inspect.getdoc` would take a parent's.
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    doc = ast.get_docstring(tree) if isinstance(tree, ast.ClassDef) else None
    part = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", doc or "", re.DOTALL | re.MULTILINE)
    if part is None:
        return {}
    entries = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", part[1], re.DOTALL | re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def render_schema() -> str:
    """Return the schema as text, as it is shipped."""
    return json.dumps(make_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_name(FILE).write_text(render_schema(), encoding="utf-8", newline="\n")
