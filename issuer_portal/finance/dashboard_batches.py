"""Finance's dashboards of how payments go: the days that batches take, the transfers that do not arrive."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from urllib.parse import urlencode

from flask import render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.rules import Role
from voucher.kernel.calendar import french_month
from voucher.kernel.keyset import Asked, Page
from voucher.reporting import rejects
from voucher.reporting.rejects import Failure, FailureGroup
from voucher.reporting.timeline import STEP_WORDS, BatchLife, Step, Timeline, timeline
from voucher.settlement.batches.freeze_urgent import UrgentOffer, urgent_offers
from voucher.settlement.deadlines.payment_deadlines import late_now
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.settlement.words.payment_sentences import Said
from voucher.web.access import staff, viewer
from voucher.web.filters import euros, plural
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader, whole

STEP_CHOICES = [(str(step), name) for step, (name, _) in STEP_WORDS.items()]
LATE_CHOICES = [("oui", "Hors délai"), ("non", "À temps")]
STEP_DAYS: tuple[tuple[Step, str, str, Callable[[BatchLife], date | None]], ...] = (
    (Step.APPROVAL, "approved_on", "Validé le", lambda row: row.approved_on),
    (Step.EXPORT, "exported_on", "Transmis le", lambda row: row.exported_on),
    (Step.PAYMENT, "ended_on", "Payé le", lambda row: row.ended_on),
)


@dataclass(frozen=True, slots=True)
class StepLine:
    """What a step of a batch is, and how many days it usually takes."""

    name: str
    definition: str
    days: Decimal | None


STEPS = Table(
    "Durée des étapes",
    (
        Column[StepLine]("name", "Étape"),
        Column("definition", "Définition", under="name"),
        Column("days", "Jours (médiane)", Kind.DECIMAL),
    ),
    part="etapes",
    file_name="duree-des-etapes",
)


def _step_lines(found: Timeline) -> list[StepLine]:
    steps = [
        StepLine(name, definition, _days(found.medians.get(step))) for step, (name, definition) in STEP_WORDS.items()
    ]
    whole_time = "De la fin de la période au dernier paiement."
    return [*steps, StepLine("En tout", whole_time, _days(found.median_total))]


def _days(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:g}")


def _step_columns(
    step: Step, key: str, heading: str, on: Callable[[BatchLife], date | None]
) -> list[Column[BatchLife]]:
    """Return the day a step ended, the days it took, and how long it has been waited for."""

    def waits(row: BatchLife) -> str:
        return f"Attend depuis {plural(row.waited_days, 'jour')}" if row.waits is step else ""

    return [
        Column(key, heading, Kind.DAY, on),
        Column(f"{key}_days", f"{STEP_WORDS[step][0]} (jours)", Kind.COUNT, lambda row: row.days.get(step), under=key),
        Column(f"{key}_waits", f"{STEP_WORDS[step][0]}, attente", Kind.TAG, waits, tag=lambda _: "wait", under=key),
    ]


LIVES = Table(
    "Les lots dans le temps",
    (
        Column[BatchLife]("number", "Lot", link=lambda row: url_for("finance.batch", batch_id=row.id)),
        Column("agreement_number", "Convention", under="number"),
        Column("period_closed_on", "Période close le", Kind.DAY, under="number"),
        Column("due_on", "À payer avant le", Kind.DAY, under="number"),
        Column(
            "is_late",
            "Délai",
            Kind.TAG,
            lambda row: "Hors délai" if row.is_late else "",
            tag=lambda _: "warn",
            under="number",
        ),
        Column("frozen", "Arrêté le", Kind.DAY, lambda row: row.frozen_on, is_sorted=True),
        *(column for step, key, heading, on in STEP_DAYS for column in _step_columns(step, key, heading, on)),
        Column("days", "En tout (jours)", Kind.COUNT, lambda row: row.total_days, is_sorted=True),
        Column("total", "Total", Kind.EUROS, lambda row: row.total_cents, is_sorted=True, is_summed=True),
    ),
    default_sort="-frozen",
    filters=("retard", "etape", "lot"),
    one="lot",
    file_name="duree-des-lots",
)


@blueprint.get("/tableau-de-bord/lots")
@staff(*READERS, deputies=True)
def lives() -> str | Response:
    """Show each batch as a line of steps, with the days between and what is usual."""
    here = services()
    listing = read_listing(request.args, LIVES)
    found = timeline(here.database, now=here.now(), issuer_id=scope())
    steps = whole(_step_lines(found))
    find = rows_reader(
        found.kept(listing.asked.filters),
        {
            "frozen": lambda row: row.frozen_on,
            "days": lambda row: (
                row.total_days if row.total_days is not None else row.waited_days + sum(row.days.values())
            ),
            "total": lambda row: row.total_cents,
        },
        lambda row: (row.id,),
    )
    if listing.wants_file:
        return list_file(STEPS, listing, steps) if listing.part == STEPS.part else list_file(LIVES, listing, find)
    return render_template(
        "finance/lives.html",
        listing=listing,
        found=found,
        counts=late_now(here.database, here.now(), issuer_id=scope()),
        steps=drawn(STEPS, listing, steps),
        lines=drawn(LIVES, listing, find),
        step_choices=STEP_CHOICES,
        late_choices=LATE_CHOICES,
    )


def _groups(
    part: str, heading: str, what: str, name: Callable[[FailureGroup], str], *more: Column[FailureGroup]
) -> Table[FailureGroup]:
    """Return the list of failures gathered by a reason, a bank or a month."""
    return Table(
        f"Par {part}",
        (
            Column("name", heading, value=name),
            *(column for column in more if column.under),
            Column(
                "count",
                "Virements",
                Kind.COUNT,
                is_summed=True,
                link=lambda row: f"{url_for('finance.failure_rows')}?{urlencode({part: row.key})}",
                link_label=name,
            ),
            Column("amount_cents", "Montant", Kind.EUROS, is_summed=True),
            Column("open_cents", "Encore dû", Kind.EUROS, is_summed=True),
            *(column for column in more if not column.under),
        ),
        part=part,
        file_name=f"rejets-par-{part}",
        what=what,
    )


BY_REASON = _groups(
    "motif",
    "Motif",
    "les motifs",
    lambda row: row.first.reason.sentence,
    Column("code", "Code", value=lambda row: row.first.reason.code, under="name"),
    Column("what_to_do", "Que faire", value=lambda row: row.first.reason.what_to_do),
)
BY_BANK = _groups("banque", "Banque de la structure (BIC)", "les banques", lambda row: row.key)
BY_MONTH = _groups("mois", "Mois", "les mois", lambda row: french_month(row.first.on))
GROUPS = {
    BY_REASON.part: (BY_REASON, rejects.by_reason),
    BY_BANK.part: (BY_BANK, rejects.by_bank),
    BY_MONTH.part: (BY_MONTH, rejects.by_month),
}


@blueprint.get("/tableau-de-bord/rejets")
@staff(*READERS, deputies=True)
def failures() -> str | Response:
    """Show rejects and returns by reason with what to do, by bank, by month."""
    found = rejects.failures(services().database, issuer_id=scope())
    listing = read_listing(request.args, BY_REASON)
    if listing.wants_file:
        table, gathered = GROUPS.get(listing.part, GROUPS["motif"])
        return list_file(table, listing, whole(gathered(found)))
    return render_template(
        "finance/failures.html",
        count=len(found),
        cents=sum(one.amount_cents for one in found),
        open_cents=sum(one.amount_cents for one in found if one.is_open),
        groups=[drawn(table, listing, whole(gathered(found))) for table, gathered in GROUPS.values()],
    )


@dataclass(frozen=True, slots=True)
class ToldFailure:
    """A transfer that did not arrive, where its payment stands now, and what may be paid again without waiting."""

    row: Failure
    said: Said
    offer: UrgentOffer | None


def _offer(one: ToldFailure) -> str:
    if one.offer is None:
        return ""
    if one.offer.why_not:
        return f"{euros(one.offer.amount_cents)} à payer sans attendre : pas encore. {one.offer.why_not}"
    return f"Payer sans attendre {euros(one.offer.amount_cents)}"


def _offer_url(one: ToldFailure) -> str | None:
    if one.offer is None or one.offer.why_not or not viewer().may(Role.FINANCE_PREPARER):
        return None
    return url_for("finance.urgent", agreement_id=one.offer.agreement_id, structure=one.offer.structure_id)


FAILURES = Table(
    "Virements rejetés ou retournés",
    (
        Column[ToldFailure]("on", "Jour", Kind.DAY, lambda one: one.row.on, is_sorted=True),
        Column(
            "structure_name",
            "Structure",
            value=lambda one: one.row.structure_name,
            link=lambda one: url_for("finance.structure_page", structure_id=one.row.structure_id),
        ),
        Column("pivot", "SIRET ou RNA", value=lambda one: one.row.pivot, under="structure_name"),
        Column(
            "reference",
            "Règlement",
            value=lambda one: one.row.reference,
            under="structure_name",
            link=lambda one: url_for("finance.advice_page", advice_id=one.row.advice_id),
        ),
        Column("batch_number", "Lot", value=lambda one: one.row.batch_number, under="structure_name"),
        Column("what", "Quoi", value=lambda one: "Retour" if one.row.is_return else "Rejet"),
        Column(
            "is_open",
            "Encore dû",
            Kind.TAG,
            lambda one: "À repayer" if one.row.is_open else "Repris",
            tag=lambda one: "warn" if one.row.is_open else "neutral",
            under="what",
        ),
        Column("offer", "Payer sans attendre", value=_offer, link=_offer_url, under="what"),
        Column("reason", "Ce que dit la banque", value=lambda one: one.row.reason.sentence),
        Column("code", "Motif", value=lambda one: one.row.reason.code, under="reason"),
        Column("sentence", "Où en est-on", value=lambda one: one.said.sentence, under="reason"),
        Column("next_act", "Qui doit agir, et quoi faire", value=lambda one: one.said.next_for_office, under="reason"),
        Column("bic", "Banque (BIC)", value=lambda one: one.row.bic),
        Column("amount", "Montant", Kind.EUROS, lambda one: one.row.amount_cents, is_sorted=True, is_summed=True),
    ),
    default_sort="-on",
    filters=("motif", "banque", "mois", "structure"),
    one="virement",
    file_name="rejets-et-retours",
)


@blueprint.get("/tableau-de-bord/rejets/lignes")
@staff(*READERS, deputies=True)
def failure_rows() -> str | Response:
    """List the transfers that did not arrive."""
    listing = read_listing(request.args, FAILURES)
    found = rejects.failures(services().database, issuer_id=scope())
    kept = rejects.kept(found, listing.asked.filters)
    rows = rows_reader(
        kept,
        {"on": lambda row: row.on, "amount": lambda row: row.amount_cents},
        lambda row: (row.reference, str(row.is_return)),
    )

    def find(asked: Asked) -> Page[ToldFailure]:
        page = rows(asked)
        here = services()
        told = said_of(here.database, [row.advice_id for row in page.rows], here.now())
        failed_in = {row.agreement_id for row in page.rows if row.is_open}
        offers = urgent_offers(here.database, failed_in, now=here.now(), issuer_id=scope())
        return page.of(
            ToldFailure(
                row, told[row.advice_id], offers.get((row.agreement_id, row.structure_id)) if row.is_open else None
            )
            for row in page.rows
        )

    total_cents = sum(one.amount_cents for one in kept)
    if listing.wants_file:
        return list_file(FAILURES, listing, find)
    return render_template(
        "finance/failure_rows.html",
        listing=listing,
        lines=drawn(FAILURES, listing, find, totals={"amount": total_cents}),
        count=len(kept),
        total_cents=total_cents,
        reasons=[(group.key, f"{group.key} · {group.first.reason.sentence}") for group in rejects.by_reason(found)],
        banks=[(group.key, group.key) for group in rejects.by_bank(found)],
        months=[(group.key, french_month(group.first.on)) for group in rejects.by_month(found)],
    )
