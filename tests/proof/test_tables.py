"""What the archive gives and keeps back is decided table by table, column by column."""

import re

from voucher.models import Base
from voucher.proof.schema import schema_of
from voucher.proof.tables import LEDGER, LEFT_OUT, STATE, given_columns

SECRET_OR_PERSONAL = re.compile(
    r"iban|bic$|holder|email|phone|contact|password|token|tag$|private|fingerprint|mediator|remittance|counterparty|content"
    r"|reason|decision|facts"
)
ALLOWED = {("dispute", "reason"), ("payment_advice", "state_reason"), ("bank_line", "return_reason"), ("stop_order", "reason"),
           ("stock_void", "reason"), ("close_check", "reason"), ("payment_event", "reason")}  # fmt: skip
"""Codes from a list, words about paper, or why what is left of a year is accepted: the page asks that it name nobody."""


def test_every_table_of_the_house_is_given_or_left_out_for_a_reason() -> None:
    declared = [*LEDGER, *STATE, *LEFT_OUT]
    assert sorted(declared) == sorted(set(declared))
    assert set(declared) == set(Base.metadata.tables)
    assert all(LEFT_OUT.values())


def test_no_column_that_tells_of_a_secret_or_a_person_is_given() -> None:
    given = {(name, column.name) for name in (*LEDGER, *STATE) for column in given_columns(name)}
    assert {one for one in given if SECRET_OR_PERSONAL.search(one[1])} <= ALLOWED
    assert ("voucher", "signature") not in given
    assert ("booklet", "signature") not in given


def test_what_is_kept_back_exists() -> None:
    for name, kept_back in {**LEDGER, **STATE}.items():
        assert kept_back <= set(Base.metadata.tables[name].columns.keys()), name


def test_the_schema_says_each_columns_type_unit_and_keys() -> None:
    schema = schema_of("redemption")
    columns = {one["name"]: one for one in schema["columns"]}
    assert schema["primary_key"] == ["id"]
    assert columns["amount_cents"] == {
        "name": "amount_cents",
        "type": "integer",
        "may_be_empty": False,
        "unit": "euro cents",
    }
    assert columns["period_id"]["refers_to"] == "period.id"
    assert columns["undone_at"]["may_be_empty"]
