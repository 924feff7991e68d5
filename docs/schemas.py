"""Make docs/schemas.md and docs/schemas/*.json from the types of the reports.

.venv/bin/python docs/schemas.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from likeness_studio.runner.report.batch_schemas import REPORTS
from likeness_studio.runner.report.schema_base import Report

PAGE = Path(__file__).with_suffix(".md")
FOLDER = PAGE.with_suffix("")
INTRO = """\
# The reports as data

This page and the JSON schemas in [schemas/](schemas) are made from `runner/report/*schemas.py` by
`python docs/schemas.py`.

What runs, batches and commands write as JSON has these types. More fields may come with newer versions: leave what you
do not know. A field that does not apply is null, empty or left out. `node` and `title` say which node gave
a report. In Python, `Report.read(values)` reads any of them and never fails; `report.as_dict()` gives back what came.
"""


def schema_of(report: type[Report]) -> dict[str, Any]:
    """The JSON schema of a report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | report.model_json_schema()


def type_in_words(field: dict[str, Any]) -> str:
    """The type of a field for people."""
    if "anyOf" in field:
        return " or ".join(type_in_words(each) for each in field["anyOf"])
    if "$ref" in field:
        return f"[{(name := field['$ref'].rpartition('/')[2])}](#{name.lower()})"
    if field.get("type") == "array":
        return f"list of {type_in_words(field.get('items', {}))}"
    return {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object"}.get(
        field.get("type", ""), field.get("type", "anything")
    )


def section(name: str, schema: dict[str, Any]) -> str:
    """One type: what it is, and its fields."""
    about = " ".join(schema.get("description", "").split())
    rows = [f"| `{field}` | {type_in_words(each)} |" for field, each in schema.get("properties", {}).items()]
    return "\n".join([f"## {name}", "", about, "", "| Field | Type |", "| --- | --- |", *rows]) + "\n"


def pages() -> dict[Path, str]:
    """Every file with its content."""
    found: dict[Path, str] = {}
    types: dict[str, dict[str, Any]] = {}
    for report in REPORTS:
        schema = schema_of(report)
        found[FOLDER / f"{report.__name__}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        types |= {report.__name__: schema}
        types |= {name: each for name, each in schema.get("$defs", {}).items() if name not in types}
    found[PAGE] = "\n".join([INTRO, *(section(name, types[name]) for name in types)])
    return found


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
