"""docs/reference.md names every key of the desired state, with the words of the JSON Schema."""

from __future__ import annotations

import pytest

from tests.documentation import keys

TABLES = {found["pointer"]: found["rows"] for found in keys.TABLE.finditer(keys.PAGE.read_text(encoding="utf-8"))}


def test_every_object_of_the_schema_has_its_table():
    assert keys.objects_with_keys() == set(TABLES)


@pytest.mark.parametrize("pointer", TABLES)
def test_a_table_says_what_the_schema_says(pointer: str):
    assert keys.table(pointer) == TABLES[pointer], "python -m tests.documentation.update writes it"


def test_every_key_has_a_description_and_an_example():
    for pointer in TABLES:
        for key, value in keys.pointed(pointer)["properties"].items():
            whole = keys.pointed(value["$ref"]) | value if "$ref" in value else value
            assert whole.get("description"), f"{pointer}: {key}"
