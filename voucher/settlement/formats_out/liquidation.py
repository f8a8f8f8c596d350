"""The état liquidatif of a batch and its supporting list, for the PUBLIC_ACCOUNTANT channel (domain.md §2).

There the collectivité's finance software makes the payment orders, and this is what it is given: what is owed to each structure,
certified by the authorising officer, as CSV and JSON for the software and as a PDF to sign; and the supporting list (pièce
justificative): the uses of vouchers behind each amount. Nothing here says who used a voucher. Pure: values in, bytes out;
the same values give the same bytes.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from voucher.kernel.calendar import french_date
from voucher.kernel.money import format_euros, thousands
from voucher.kernel.number_labels import iban_label, siret_label
from voucher.kernel.paper import euros_cell, safe_cell
from voucher.settlement.formats_out.amount_in_words import euros_in_words
from voucher.settlement.formats_out.paper import pdf, period_words

ANNEX_LINES_MAX = 5_000
"""Above so many lines, the annex of the PDF sums them up and refers to the CSV by its SHA-256."""

_CSV_HEADER = (
    "Lot",
    "Numéro d’engagement",
    "Code service",
    "Rang",
    "Référence",
    "SIRET",
    "Structure",
    "Titulaire du compte",
    "IBAN",
    "Nombre de chèques",
    "Montant en euros",
)
_SUPPORTING_HEADER = (
    "Lot",
    "Référence du règlement",
    "SIRET",
    "Structure",
    "Nature",
    "Référence",
    "Jour",
    "Lieu",
    "Service",
    "Nombre de chèques",
    "Montant en euros",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """One structure of an état liquidatif, with the account it is paid on and the reference of its payment."""

    reference: str
    siret: str
    name: str
    account_holder: str
    iban: str
    voucher_count: int
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportingLine:
    """One line behind an amount: a use of vouchers at a place, or a sum brought from elsewhere (`used_on` is None then).

    `nature` is French (« Encaissement »); `reference` is the redemption's or the earlier payment's. Never personal data.
    """

    payment_reference: str
    siret: str
    structure_name: str
    nature: str
    reference: str
    used_on: date | None
    place_name: str
    service: str
    voucher_count: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class KeptList:
    """The supporting list as a file: its name, the SHA-256 of its bytes, how many lines it holds."""

    name: str
    sha256: str
    line_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """An état liquidatif: what a collectivité owes for one closed period of one agreement, or pays again (`period` is None).

    `authority_name` is the collectivité, `signatory` the quality of who signs (« La présidente du conseil départemental »),
    `commitment_number` and `service_code` those of its finance software; None leaves a blank to fill in by hand.
    """

    batch_number: str
    agreement_name: str
    authority_name: str
    signatory: str
    commitment_number: str | None
    service_code: str | None
    drawn_up_on: date
    period: tuple[date, date] | None
    payees: Sequence[Payee]

    @property
    def total_cents(self) -> int:
        """What is owed in all."""
        return sum(payee.amount_cents for payee in self.payees)

    @property
    def voucher_count(self) -> int:
        """How many vouchers are paid in all."""
        return sum(payee.voucher_count for payee in self.payees)

    @property
    def certificate(self) -> str:
        """What the authorising officer certifies."""
        return (
            f"Je soussigné(e), {self.signatory[:1].lower()}{self.signatory[1:]}, ordonnateur de {self.authority_name}, certifie le service fait : les "
            "chèques comptés dans cet état ont été utilisés auprès des structures nommées, pour les services prévus par la "
            f"convention. J’arrête le présent état à la somme de {euros_in_words(self.total_cents)}."
        )


def liquidation_csv(liquidation: Liquidation) -> bytes:
    """Return the lines of the état liquidatif for the finance software: UTF-8 with BOM, `;`, amounts with a comma, CRLF.

    No total line: each row is a payment; its reference comes back in the accountant's return file.
    """
    return _csv(
        _CSV_HEADER,
        (
            (
                liquidation.batch_number,
                liquidation.commitment_number or "",
                liquidation.service_code or "",
                str(rank),
                payee.reference,
                payee.siret,
                payee.name,
                payee.account_holder,
                payee.iban,
                str(payee.voucher_count),
                euros_cell(payee.amount_cents),
            )
            for rank, payee in enumerate(liquidation.payees, 1)
        ),
    )


def liquidation_json(liquidation: Liquidation, supporting: KeptList) -> bytes:
    """Return the same as JSON, amounts in whole cents, with the fingerprint of the supporting list."""
    period = liquidation.period
    document = {
        "format": "etat-liquidatif/1",
        "lot": liquidation.batch_number,
        "convention": liquidation.agreement_name,
        "collectivite": liquidation.authority_name,
        "numero_engagement": liquidation.commitment_number,
        "code_service": liquidation.service_code,
        "etabli_le": liquidation.drawn_up_on.isoformat(),
        "periode": period and {"du": period[0].isoformat(), "au": period[1].isoformat()},
        "certification": liquidation.certificate,
        "total_centimes": liquidation.total_cents,
        "nombre_cheques": liquidation.voucher_count,
        "reglements": [
            {
                "rang": rank,
                "reference": payee.reference,
                "siret": payee.siret,
                "structure": payee.name,
                "titulaire": payee.account_holder,
                "iban": payee.iban,
                "nombre_cheques": payee.voucher_count,
                "montant_centimes": payee.amount_cents,
            }
            for rank, payee in enumerate(liquidation.payees, 1)
        ],
        "piece_justificative": {
            "fichier": supporting.name,
            "sha256": supporting.sha256,
            "nombre_lignes": supporting.line_count,
        },
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def supporting_csv(batch_number: str, lines: Iterable[SupportingLine]) -> bytes:
    """Return the supporting list as CSV, written as the état itself. Its amounts sum up to the état's, structure by structure."""
    return _csv(
        _SUPPORTING_HEADER,
        (
            (
                batch_number,
                line.payment_reference,
                line.siret,
                line.structure_name,
                line.nature,
                line.reference,
                line.used_on.strftime("%d/%m/%Y") if line.used_on else "",
                line.place_name,
                line.service,
                str(line.voucher_count),
                euros_cell(line.amount_cents),
            )
            for line in lines
        ),
    )


def liquidation_pdf(liquidation: Liquidation, lines: Sequence[SupportingLine], supporting: KeptList) -> bytes:
    """Return the état liquidatif as a tagged PDF to be signed, with its supporting list as an annex.

    Works for thousands of structures. An annex of more than ANNEX_LINES_MAX lines gives the sums of each structure.
    """
    payees = [
        [
            str(rank),
            payee.reference,
            siret_label(payee.siret),
            payee.name,
            payee.account_holder,
            iban_label(payee.iban),
            thousands(payee.voucher_count),
            format_euros(payee.amount_cents),
        ]
        for rank, payee in enumerate(liquidation.payees, 1)
    ]
    values = {
        "batch_number": liquidation.batch_number,
        "agreement_name": liquidation.agreement_name,
        "authority_name": liquidation.authority_name,
        "signatory": liquidation.signatory,
        "certificate": liquidation.certificate,
        "commitment_number": liquidation.commitment_number,
        "service_code": liquidation.service_code,
        "drawn_up_on": french_date(liquidation.drawn_up_on),
        "period": liquidation.period and period_words(liquidation.period),
        "payees": payees,
        "payee_count": thousands(len(payees)),
        "voucher_count": thousands(liquidation.voucher_count),
        "total": format_euros(liquidation.total_cents),
        "annex": _annex(lines),
        "is_annex_whole": len(lines) <= ANNEX_LINES_MAX,
        "supporting_name": supporting.name,
        "supporting_sha256": supporting.sha256,
        "supporting_count": thousands(supporting.line_count),
    }
    return pdf("liquidation.typ", values, liquidation.drawn_up_on)


def _annex(lines: Sequence[SupportingLine]) -> list[dict[str, Any]]:
    """Return the annex by structure, in the order of the lines: its sums, and its rows while they are not too many."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        one = found.setdefault(
            line.payment_reference,
            {"name": line.structure_name, "reference": line.payment_reference, "rows": [], "sums": [0, 0, 0]},
        )
        one["sums"] = [one["sums"][0] + 1, one["sums"][1] + line.voucher_count, one["sums"][2] + line.amount_cents]
        if len(lines) <= ANNEX_LINES_MAX:
            one["rows"].append(
                [
                    line.nature,
                    line.reference,
                    line.used_on.strftime("%d/%m/%Y") if line.used_on else "–",
                    line.place_name or "–",
                    line.service or "–",
                    thousands(line.voucher_count),
                    format_euros(line.amount_cents),
                ]
            )
    for one in found.values():
        line_count, voucher_count, cents = one["sums"]
        lines_said = f"{thousands(line_count)} {'ligne' if line_count == 1 else 'lignes'}"
        one["sums"] = [lines_said, thousands(voucher_count), format_euros(cents)]
    return list(found.values())


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Write texts so that a spreadsheet reads and runs nothing of them; what is a number is written by its caller."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        # The last two are a count and an amount, which may be below zero.
        writer.writerow([*(safe_cell(text) for text in row[:-2]), *row[-2:]])
    return ("\ufeff" + out.getvalue()).encode()
