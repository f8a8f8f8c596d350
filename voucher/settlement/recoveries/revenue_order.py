"""Demander un titre de recette: what did not come back by itself is asked for through the public accountant.

After so many days an overpayment may be claimed. One way only: nothing is netted any more, and the document is kept whole, as
PDF and as a CSV line for the finance software, which numbers the title itself. Ours is a numbered « demande d’émission ».
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, not_before, paris_day
from voucher.kernel.database import Database, changed, take_turn
from voucher.kernel.idempotency import is_replay
from voucher.kernel.money import format_euros, thousands
from voucher.kernel.number_labels import siret_label
from voucher.kernel.paper import euros_cell, safe_cell
from voucher.kernel.refusals import Refused
from voucher.network.model import Place, Structure
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Redemption
from voucher.settlement.formats_out.amount_in_words import euros_in_words
from voucher.settlement.formats_out.paper import pdf
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery, RevenueOrder
from voucher.settlement.recoveries.net_overpayments import find_overpayment
from voucher.settlement.words.labels import DISPUTE_REASONS, SIGNATORIES
from voucher.settlement.words.states import AdviceState

_CSV_HEADER = (
    "Demande",
    "Collectivité",
    "SIREN de la collectivité",
    "Convention",
    "Numéro d’engagement",
    "SIRET du débiteur",
    "Débiteur",
    "Objet",
    "Date du constat",
    "Montant en euros",
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A demand that was made: its number (« DT-2026-0001 ») and what it asks for, in cents."""

    id: UUID
    number: str
    amount_cents: int


def order_number(year: int, rank: int) -> str:
    """Return how a demand is called: its year in Paris and its rank among its issuer's of that year."""
    return f"DT-{year}-{rank:04d}"


def claimable_from(decided_at: datetime, days: int) -> datetime:
    """Return the instant from which an overpayment that did not come back may be claimed."""
    return decided_at + timedelta(days=days)


def claim_overpayment(
    database: Database,
    claim_id: UUID,
    overpayment_id: UUID,
    *,
    days: int,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> Claimed:
    """Ask for a revenue order of what is left of an overpayment; the same `claim_id` again changes nothing.

    `days` is how long netting is given first (PASS_REVENUE_ORDER_DAYS). Raises Refused: too early, nothing left, a netting
    that has not left yet, claimed already.
    """
    with database.write() as session:
        found = find_overpayment(session, overpayment_id, issuer_id)
        row: dict[str, object] = {"id": claim_id, "overpayment_id": overpayment_id, "claimed_by": by}
        if is_replay(session, RevenueOrder, row):
            standing = session.get_one(RevenueOrder, claim_id)
            return Claimed(claim_id, order_number(standing.year, standing.rank), standing.amount_cents)
        _refuse_early(session, found, days, now)
        left_cents = found.amount_cents - found.recovered_cents
        claimed_at = not_before(now, found.decided_at)
        claim = (
            update(Overpayment)
            .where(
                Overpayment.id == overpayment_id,
                Overpayment.claimed_at.is_(None),
                Overpayment.recovered_cents == found.recovered_cents,
            )
            .values(claimed_at=claimed_at)
            .execution_options(synchronize_session=False)
        )
        if changed(session, claim) == 0:
            raise Refused("overpayment_changed", "Ce trop-perçu vient de changer. Relisez-le, puis recommencez.")
        year = paris_day(claimed_at).year
        take_turn(session, f"revenue orders {found.issuer_id} {year}")
        rank = 1 + (
            session.scalar(
                select(func.max(RevenueOrder.rank)).where(
                    RevenueOrder.issuer_id == found.issuer_id, RevenueOrder.year == year
                )
            )
            or 0
        )
        facts = _facts(session, overpayment_id)
        number = order_number(year, rank)
        # Drawn inside: its number is known here only. A demand is rare, and its document one page.
        paper, line = _pdf(facts, number, left_cents, claimed_at), _csv(facts, number, left_cents)
        told = {
            "issuer_id": found.issuer_id,
            "year": year,
            "rank": rank,
            "amount_cents": left_cents,
            "claimed_at": claimed_at,
            "pdf": paper,
            "pdf_sha256": hashlib.sha256(paper).hexdigest(),
            "csv": line,
            "csv_sha256": hashlib.sha256(line).hexdigest(),
        }
        session.execute(insert(RevenueOrder).values({**row, **told}))
    return Claimed(claim_id, number, left_cents)


def _refuse_early(session: Session, found: Row[*tuple[Any, ...]], days: int, now: datetime) -> None:
    if found.claimed_at is not None:
        raise Refused("already_claimed", "Le titre est déjà demandé. Ouvrez la demande sur cette page.")
    if found.recovered_cents == found.amount_cents:
        raise Refused("nothing_left", "Ce trop-perçu est soldé. Il n’y a rien à réclamer.")
    if now < (begins_at := claimable_from(found.decided_at, days)):
        raise Refused(
            "too_early",
            "Ce trop-perçu est d’abord retenu sur les règlements suivants. Le titre peut être demandé à partir du "
            f"{french_date(paris_day(begins_at))}.",
        )
    netting = exists().where(
        Recovery.overpayment_id == found.id,
        Recovery.cancelled_at.is_(None),
        PaymentAdvice.id == Recovery.advice_id,
        PaymentAdvice.state == AdviceState.DUE,
    )
    if session.scalar(select(netting)):
        raise Refused(
            "being_netted", "Une retenue est dans un lot qui n’est pas parti. Transmettez ce lot, puis recommencez."
        )


def _facts(session: Session, overpayment_id: UUID) -> Row[*tuple[Any, ...]]:
    return session.execute(
        select(
            Overpayment.amount_cents,
            Overpayment.recovered_cents,
            Overpayment.decided_at,
            Dispute.voucher_count,
            Dispute.reason,
            Dispute.facts,
            Dispute.decision,
            Redemption.redeemed_at,
            Place.name.label("place_name"),
            Structure.name.label("structure_name"),
            Structure.pivot,
            Agreement.number.label("agreement_number"),
            Agreement.name.label("agreement_name"),
            Agreement.commitment_number,
            Issuer.name.label("issuer_name"),
            Issuer.siren,
            Issuer.kind,
        )
        .join(Dispute, Dispute.id == Overpayment.dispute_id)
        .join(Redemption, Redemption.id == Overpayment.redemption_id)
        .join(Place, Place.id == Redemption.place_id)
        .join(Structure, Structure.id == Overpayment.structure_id)
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(Overpayment.id == overpayment_id)
    ).one()


def _pdf(facts: Row[*tuple[Any, ...]], number: str, left_cents: int, claimed_at: datetime) -> bytes:
    recovered = [["Déjà revenu", "", "", format_euros(-facts.recovered_cents)]] if facts.recovered_cents else []
    values = {
        "number": number,
        "authority_name": facts.issuer_name,
        "asked_on": french_date(paris_day(claimed_at)),
        "structure_name": facts.structure_name,
        "pivot": siret_label(facts.pivot),
        "agreement_name": f"{facts.agreement_number}, {facts.agreement_name}",
        "commitment_number": facts.commitment_number or None,
        "decided_on": french_date(paris_day(facts.decided_at)),
        "reason": DISPUTE_REASONS[facts.reason],
        "facts": facts.facts,
        "decision": facts.decision,
        "place_name": facts.place_name,
        "used_on": french_date(paris_day(facts.redeemed_at)),
        "voucher_count": thousands(facts.voucher_count),
        "amount": format_euros(facts.amount_cents),
        "recovered": recovered,
        "total": format_euros(left_cents),
        "total_in_words": euros_in_words(left_cents),
        "signatory": SIGNATORIES[facts.kind],
    }
    return pdf("revenue_order.typ", values, paris_day(claimed_at))


def _csv(facts: Row[*tuple[Any, ...]], number: str, left_cents: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(_CSV_HEADER)
    used_on = paris_day(facts.redeemed_at).strftime("%d/%m/%Y")
    writer.writerow(
        [
            safe_cell(text)
            for text in (
                number,
                facts.issuer_name,
                facts.siren,
                facts.agreement_number,
                facts.commitment_number or "",
                facts.pivot,
                facts.structure_name,
                f"Pass numérique : trop-perçu, encaissement du {used_on}",
                paris_day(facts.decided_at).strftime("%d/%m/%Y"),
            )
        ]
        + [euros_cell(left_cents)]
    )
    return ("\ufeff" + out.getvalue()).encode()
