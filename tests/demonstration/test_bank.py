"""The demonstration's bank writes statements that are valid and that our own reader takes."""

from datetime import date

from tests.settlement.reading import read_statements
from voucher.demonstration.bank import BookedLine, statement
from voucher.demonstration.story import invented_iban, invented_siren, invented_siret
from voucher.kernel.identifiers import check_iban, check_siren, check_siret
from voucher.settlement.formats_out.schemas import validate


def test_a_statement_is_valid_and_read_back_to_the_cent() -> None:
    lines = [
        BookedLine(
            reference="R1", amount_cents=500_000, is_credit=True, counterparty="Financeur", remittance="Versement"
        ),
        BookedLine(
            reference="R2",
            amount_cents=12_345,
            is_credit=False,
            end_to_end_id="PASS-1",
            counterparty="Association du Fil",
        ),
        BookedLine(reference="R3", amount_cents=12_345, is_credit=True, end_to_end_id="PASS-1", return_reason="AC04"),
    ]
    content = statement("RELEVE-1", invented_iban(1), date(2026, 3, 12), 0, lines)
    assert validate(content, "camt.053.001.08") == []
    parsed = read_statements(content)
    (read,) = parsed.statements
    assert (read.opening_cents, read.closing_cents) == (0, 500_000)
    lines_read = parsed.lines
    assert [(line.amount_cents, line.is_credit, line.end_to_end_id, line.return_reason) for line in lines_read] == [
        (500_000, True, None, None),
        (12_345, False, "PASS-1", None),
        (12_345, True, "PASS-1", "AC04"),
    ]


def test_invented_identifiers_pass_the_keys_and_differ() -> None:
    assert len({check_iban(invented_iban(rank)) for rank in range(1, 50)}) == 49
    assert len({check_siren(invented_siren(rank)) for rank in range(1, 50)}) == 49
    assert len({check_siret(invented_siret(rank)) for rank in range(100, 150)}) == 50
