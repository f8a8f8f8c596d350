"""What schema.json says of each table of the archive: its columns, their types and units, its keys."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, LargeBinary, Uuid

from voucher.kernel.database import Instant
from voucher.ledger.chart import CHART, RULES, Code
from voucher.proof.tables import given_columns, table_of
from voucher.proof.transfers import TRANSFERS

ANY_SIDE = frozenset({Code.BANK, Code.UNIDENTIFIED, Code.TO_CALL, Code.CALLED, Code.ADVANCES, Code.CHARGES})
"""Accounts whose balance may stand on either side: the bank's, and those between funders and us."""


def chart() -> dict[str, Any]:
    """Return the chart of accounts and the table event → movements, as chart.json gives them."""
    accounts = {
        code: {
            "name": line.name,
            "book": line.book,
            "normal_side": line.normal_side,
            "is_strict": code not in ANY_SIDE,
            "dimensions": list(line.dimensions),
        }
        for code, line in CHART.items()
    }
    events = {
        str(event): {
            "name": rule.name,
            "journal": rule.journal,
            "moves": [list(move) for move in rule.all_moves],
        }
        for event, rule in RULES.items()
    }
    return {"accounts": accounts, "events": events}


def schema_of(name: str) -> dict[str, Any]:
    """Return the description of one table."""
    table = table_of(name)
    columns = [_column(column) for column in given_columns(name)]
    if name == "entry":
        columns.append({"name": "leaf", "type": "integer", "may_be_empty": True, "refers_to": "seal.leaf"})
    return {
        "file": f"{name}.csv",
        "primary_key": [column.name for column in table.primary_key.columns],
        "columns": columns,
    }


def transfers_schema() -> dict[str, Any]:
    """Return the description of the transfers read from payment files."""
    return {
        "file": f"{TRANSFERS}.csv",
        "primary_key": ["payment_file_id", "rank"],
        "columns": [
            {"name": "payment_file_id", "type": "uuid", "may_be_empty": False, "refers_to": "payment_file.id"},
            {"name": "rank", "type": "integer", "may_be_empty": False},
            {"name": "end_to_end_id", "type": "text", "may_be_empty": False, "refers_to": "payment_advice.reference"},
            {"name": "amount_cents", "type": "integer", "unit": "euro cents", "may_be_empty": False},
        ],
    }


def _column(column: Column[Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"name": column.name, "type": _type(column), "may_be_empty": bool(column.nullable)}
    if column.name.endswith("_cents"):
        said["unit"] = "euro cents"
    if column.name.endswith("_basis_points"):
        said["unit"] = "1/10,000"
    refers_to = sorted(str(key.target_fullname) for key in column.foreign_keys)
    if refers_to:
        said["refers_to"] = refers_to[0]
    return said


def _type(column: Column[Any]) -> str:
    kind = column.type
    for types, name in (
        (Uuid, "uuid"),
        (Boolean, "boolean: 1 or 0"),
        ((Instant, DateTime), "instant, UTC, ISO 8601"),
        (Date, "day, ISO 8601"),
        (LargeBinary, "bytes in hexadecimal"),
        ((Integer, BigInteger), "integer"),
    ):
        if isinstance(kind, types):
            return name
    return "text"
