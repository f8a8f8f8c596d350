"""The ISO 20022 schemas that bank files are held to. They are data files of ISO, unchanged: see NOTICE."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

from lxml import etree

from voucher.settlement.formats_in.safe_xml import RefusedXml, parse

SCHEMA_FOLDER = Path(__file__).parent / "xsd"

# A schema object keeps the errors of its last validation, and is shared by all threads.
_one_validation_at_a_time = Lock()


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One departure from a schema: where, and what the validator says of it (in English, for a technician)."""

    line: int
    message: str


def schema_names() -> list[str]:
    """Return the names that `validate` knows, such as `pain.001.001.09`."""
    return sorted(path.stem for path in SCHEMA_FOLDER.glob("*.xsd"))


@lru_cache(maxsize=8)
def _schema(name: str) -> etree.XMLSchema:
    if name not in schema_names():
        raise ValueError(f"no schema named {name}")
    return etree.XMLSchema(etree.parse(SCHEMA_FOLDER / f"{name}.xsd"))


def validate(xml_bytes: bytes, schema_name: str) -> list[SchemaError]:
    """Return every departure of a document from an ISO schema, in document order; an empty list says it is valid.

    Raises ValueError for a schema that is not in the folder. What is not safe, well-formed XML is returned as one error.
    """
    schema = _schema(schema_name)
    try:
        document = parse(xml_bytes)
    except RefusedXml as refused:
        return [SchemaError(refused.line, refused.reason)]
    with _one_validation_at_a_time:
        if schema.validate(document):
            return []
        return [SchemaError(error.line, error.message) for error in schema.error_log]  # type: ignore[attr-defined]  # the stubs forget that a log can be read
