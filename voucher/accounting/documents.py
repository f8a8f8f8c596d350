"""What accounting prints: the annual account of an agreement, the record of a count, the état of a bank account. Frozen values in, bytes out."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from voucher.accounting.annual_account import DEFINITIONS, FIGURES, AgreementAccount, Line, due_on
from voucher.accounting.inactive_stock import CountPage
from voucher.accounting.model import GapKind
from voucher.accounting.reconciliation import DifferenceKind, Reconciliation
from voucher.kernel import paper
from voucher.kernel.calendar import french_date, french_instant
from voucher.kernel.money import format_euros, thousands
from voucher.kernel.number_labels import booklet_label, iban_label
from voucher.ledger.chart import Code

_TEMPLATES = Path(__file__).parent / "print"
DIFFERENCE_WORDS = {
    DifferenceKind.IN_TRANSIT: "Virements transmis, pas encore débités",
    DifferenceKind.ANNOUNCED: "Lignes annoncées, sur aucun relevé",
    DifferenceKind.LATER_STATEMENT: "Lignes d’un relevé arrêté plus tard",
    DifferenceKind.CLOSED_YEAR: "Décalages : lignes d’un exercice clos, écrites au premier jour ouvert",
    DifferenceKind.MISSING_STATEMENT: "Relevés manquants",
}
GAP_WORDS = {GapKind.MISSING: "Manque", GapKind.EXTRA: "En trop"}


@dataclass(frozen=True, slots=True)
class Signatures:
    """Who counted and who signed, in words; None while nobody did."""

    recorded_by: str
    signed_by: str | None


def annual_account_pdf(account: AgreementAccount, produced_on: date) -> bytes:
    """Return an annual account as a tagged PDF."""
    values = {
        "year": str(account.year),
        "agreement_number": account.agreement_number,
        "agreement_name": account.agreement_name,
        "issuer_name": account.issuer_name,
        "closed_on": french_date(date(account.year, 12, 31)),
        "due_on": french_date(due_on(account.year)),
        "produced_on": french_date(produced_on),
        "figures": list(FIGURES.values()),
        "vintages": [_row(str(vintage), line) for vintage, line in account.vintages.items()],
        "total": _row("Total", account.total),
        "definitions": [[name, DEFINITIONS[key]] for key, name in FIGURES.items()],
        "proofs": [
            [
                proof.name,
                format_euros(proof.cents),
                format_euros(proof.ledger_cents),
                "égal" if proof.is_equal else "différent",
            ]
            for proof in account.proofs
        ],
        "is_proven": account.is_proven,
    }
    return paper.pdf(_TEMPLATES / "annual_account.typ", values, produced_on)


def reconciliation_pdf(found: Reconciliation, drawn_on: date) -> bytes:
    """Return an état de rapprochement bancaire as a tagged PDF."""
    values = {
        "account_name": found.account_name,
        "holder_name": found.holder_name,
        "iban": iban_label(found.iban),
        "on": french_date(found.on),
        "drawn_on": french_date(drawn_on),
        "statement_on": french_date(found.statement_on) if found.statement_on else None,
        "statement": format_euros(found.statement_cents),
        "groups": [
            {
                "name": DIFFERENCE_WORDS[kind],
                "rows": [
                    [
                        french_date(row.on),
                        french_date(row.valued_on) if row.valued_on else "",
                        row.label,
                        format_euros(row.cents),
                    ]
                    for row in rows
                ],
                "total": format_euros(sum(row.cents for row in rows)),
            }
            for kind in DifferenceKind
            if (rows := found.of_kind(kind))
        ],
        "expected": format_euros(found.expected_cents),
        "ledger_parts": [[name, format_euros(cents)] for name, cents in ledger_parts(found)],
        "ledger": format_euros(found.ledger_cents),
        "unexplained": format_euros(found.unexplained_cents) if found.unexplained_cents else None,
        "waiting_count": found.waiting_count,
        "waiting": format_euros(found.waiting_cents),
    }
    return paper.pdf(_TEMPLATES / "reconciliation.typ", values, drawn_on)


def ledger_parts(found: Reconciliation) -> list[tuple[str, int]]:
    """Return what the books' balance is made of, each with its name; an opening of nothing is left out."""
    opening = [("Solde à l’ouverture du premier relevé, hors registre", found.opening_cents)]
    return [
        *(opening if found.opening_cents else []),
        (f"Banque (compte {Code.BANK})", found.bank_cents),
        (f"Virements transmis, non confirmés (compte {Code.IN_TRANSIT})", found.transit_cents),
    ]


def annual_account_csv(account: AgreementAccount) -> bytes:
    """Return an annual account, order by order, for a spreadsheet: UTF-8 with BOM, `;`, decimal comma."""
    heads = ["Convention", "Exercice", "Millésime", "Premier carnet", "Carnets"]
    for name in FIGURES.values():
        heads += [f"{name} (chèques)", f"{name} (€)"]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(heads)
    for order in account.orders:
        cells = [
            paper.safe_cell(account.agreement_number), str(account.year), str(order.vintage),
            str(order.first_booklet_number), str(order.booklet_count),
        ]  # fmt: skip
        for figure in FIGURES:
            amount = order.line.amount(figure)
            cells += [str(amount.count), paper.euros_cell(amount.cents)]
        writer.writerow(cells)
    return ("\ufeff" + out.getvalue()).encode()


def count_pdf(count: CountPage, names: Signatures) -> bytes:
    """Return the record of a count (procès-verbal de récolement) as a tagged PDF."""
    values = {
        "issuer_name": count.issuer_name,
        "holder_name": count.holder_name or "la collectivité elle-même",
        "counted_on": french_date(count.counted_on),
        "ranges": count.ranges or "aucun carnet",
        "expected": [thousands(count.expected_count), format_euros(count.expected_cents)],
        "counted": [thousands(count.counted_count), format_euros(count.counted_cents)],
        "gaps": _gap_rows(count),
        "recorded": f"{names.recorded_by}, le {french_instant(count.recorded_at)}",
        "signed": f"{names.signed_by or 'une autre personne'}, le {french_instant(count.signed_at)}"
        if count.signed_at
        else None,
    }
    return paper.pdf(_TEMPLATES / "count.typ", values, count.counted_on)


def _gap_rows(count: CountPage) -> Sequence[Sequence[str]]:
    return [[booklet_label(gap.booklet_number), GAP_WORDS[gap.kind], gap.known_as] for gap in count.gaps]


def _row(name: str, line: Line) -> list[str]:
    cells = [name]
    for figure in FIGURES:
        amount = line.amount(figure)
        cells += [thousands(amount.count), format_euros(amount.cents)]
    return cells
