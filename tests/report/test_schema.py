"""The JSON schema of summary.json, and a small reader of schemas that holds summaries to it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from autoloss.records import Summary
from autoloss.report import summary_from_json, summary_json
from autoloss.report.schema import make_schema, render_schema, schema_json
from tests.report.summaries import make_hostile_summary, make_summary
from tests.report.test_html import EDGES

SCHEMA = json.loads(schema_json())
KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KNOWN = {
    *("$schema", "$defs", "$ref", "title", "description", "type", "properties", "required"),
    *("additionalProperties", "items", "prefixItems", "minItems", "enum", "const", "anyOf"),
}


def mistakes(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """Return where a value breaks a schema of the keywords that ours uses (draft 2020-12)."""
    assert set(schema) <= KNOWN
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        found = [mistakes(value, one, where) for one in schema["anyOf"]]
        return [] if not all(found) else found[0]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{where}: {value!r} is not {schema['const']}"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_bool = isinstance(value, bool) and "boolean" not in kinds
    if kinds and (is_bool or not any(isinstance(value, KINDS[kind]) for kind in kinds)):
        return [f"{where}: {value!r:.40} is not {kinds}"]
    found = []
    if isinstance(value, dict):
        own = schema.get("properties", {})
        found += [f"{where}: no {key}" for key in schema.get("required", ()) if key not in value]
        for key, item in value.items():
            rule = own.get(key, schema.get("additionalProperties", {}))
            found += mistakes(item, rule, f"{where}.{key}")
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        if len(value) < schema.get("minItems", 0):
            found.append(f"{where}: too short")
        for place, item in enumerate(value):
            rule = first[place] if place < len(first) else schema.get("items", {})
            too_long = [f"{where}: too long"]
            found += too_long if rule is False else mistakes(item, rule, f"{where}[{place}]")
    return found


def test_the_shipped_schema_is_that_of_the_dataclasses() -> None:
    assert schema_json() == render_schema(), "run python -m autoloss.report.schema"
    assert set(SCHEMA["properties"]) == {field.name for field in fields(Summary)}


def test_everything_is_described() -> None:
    for name, part in {"summary": SCHEMA, **make_schema()["$defs"]}.items():
        assert part["description"], name
    assert all("description" in one for one in SCHEMA["properties"].values())


@pytest.mark.parametrize(
    "summary",
    [make_summary(), make_hostile_summary(), *EDGES.values()],
)
def test_summaries_fit_the_schema(summary: Summary) -> None:
    assert mistakes(json.loads(summary_json(summary)), SCHEMA) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema_version": 2}, "$.schema_version"),
        ({"name": None}, "$.name"),
        ({"recommended": 1.5}, "$.recommended"),
        ({"pareto": [1, "2"]}, "$.pareto[1]"),
        ({"importance": [["lr"]]}, "$.importance[0]"),
        ({"importance": [["lr", 1.0, 2.0]]}, "$.importance[0]"),
        ({"verdict": {}}, "$.verdict"),
        ({"lower_is_better": 1}, "$.lower_is_better"),
        ({"optimism": {"trials": 1}}, "$.optimism"),
        ({"signals": []}, "$.signals"),
    ],
)
def test_the_schema_refuses_what_no_summary_is(change: dict[str, Any], where: str) -> None:
    plain = json.loads(summary_json(make_summary(n_trials=2))) | change
    found = mistakes(plain, SCHEMA)
    assert found
    assert all(text.startswith(where) for text in found)


def test_a_summary_without_what_came_later_is_read_and_fits() -> None:
    plain = json.loads(summary_json(make_summary(n_trials=4, diverged=0)))
    for key in ("signals", "confusion", "disagreements", "threshold", "choices"):
        del plain[key]
    assert mistakes(plain, SCHEMA) == []
    assert summary_from_json(json.dumps(plain)) == make_summary(n_trials=4, diverged=0)
