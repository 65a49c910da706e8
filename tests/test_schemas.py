"""The data dictionary: every table and column is described, and the page about them is current."""

from pathlib import Path

import pytest

from auditlib.aws.reads import OPTIONAL_READS, READS
from auditlib.frames import DTYPES, empty_frame, frame_of_rows
from auditlib.schemas import COVERAGE, GAPS, SCHEMAS, Schema, data_dictionary, schema_of
from auditlib.views import VIEWS

ALL = {**SCHEMAS, "gaps": GAPS, "coverage": COVERAGE}


@pytest.mark.parametrize("schema", ALL.values(), ids=ALL)
def test_every_column_has_a_known_type_and_a_description(schema: Schema) -> None:
    assert len(set(schema.names)) == len(schema.names)
    for column in schema.columns:
        assert column.kind in DTYPES
        assert len(column.description) >= 3
        assert not column.description.endswith(".")
        assert column.name.isidentifier()


@pytest.mark.parametrize("schema", ALL.values(), ids=ALL)
def test_every_table_says_what_a_row_is_and_what_tells_rows_apart(schema: Schema) -> None:
    assert schema.row
    assert set(schema.key) <= set(schema.names)
    assert {"account", "region"} <= set(schema.key)


@pytest.mark.parametrize("schema", ALL.values(), ids=ALL)
def test_an_empty_frame_has_all_columns_and_types(schema: Schema) -> None:
    frame = empty_frame(schema)
    assert tuple(frame.columns) == schema.names
    assert [str(dtype) for dtype in frame.dtypes] == [DTYPES[c.kind] for c in schema.columns]
    one = frame_of_rows(schema, [{c.name: False for c in schema.columns if c.kind == "bool"}])
    assert one.dtypes.astype(str).tolist() == frame.dtypes.astype(str).tolist()


def test_every_base_table_comes_from_a_read_and_every_view_from_tables() -> None:
    assert {table for read in (*READS, *OPTIONAL_READS) for table in read.tables} == {
        name for name, schema in SCHEMAS.items() if not schema.inputs
    }
    assert {name for name, schema in SCHEMAS.items() if schema.inputs} == set(VIEWS)
    assert {one for schema in SCHEMAS.values() for one in schema.inputs} <= set(SCHEMAS)


@pytest.mark.parametrize("schema", [s for s in SCHEMAS.values() if not s.inputs], ids=str)
def test_every_row_of_a_base_table_names_its_source(schema: Schema) -> None:
    assert schema.names[-2:] == ("source", "record")
    assert schema.names[:2] == ("account", "region")


def test_an_unknown_table_has_no_schema() -> None:
    with pytest.raises(KeyError):
        schema_of("nothing")


def test_the_page_of_tables_is_current() -> None:
    page = Path(__file__).parents[1] / "docs" / "tables.md"
    assert page.read_text(encoding="utf-8") == data_dictionary(), (
        "run: python -m auditlib.schemas > docs/tables.md"
    )
