"""The seventh part of the archive's verifier: who decided, for what, when, and where stock was led."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from voucher.proof.verifier.archive import SINCE, Archive, Report

SERVICES = frozenset((
    "administrative_procedures", "everyday_digital_tools", "digital_employability", "safe_digital_use", "parenthood_and_education",
    "leisure_and_creation", "digital_world_understanding", "internet_and_equipment_access", "solidarity_equipment_purchase",
))  # fmt: skip


def check_decisions(archive: Archive, report: Report) -> None:
    """Check that two people decided where the rule asks for two, and that services, periods, stock and balances say what led there."""
    alone(archive, report)
    deputies(archive, report)
    services(archive, report)
    periods(archive, report)
    stock(archive, report)
    final_balances(archive, report)
    proposals(archive, report)


def alone(archive: Archive, report: Report) -> None:
    """Who opened a dispute does not decide it; who asked to give money up does not agree to it."""
    for one, opened_by, decided_by in archive.rows("dispute", "id opened_by decided_by"):
        if decided_by and decided_by == opened_by:
            report.wrong("deux personnes", "dispute", f"la contestation {one} est tranchée par qui l’a ouverte")
    for one, asked_by, agreed_by in archive.rows("overpayment", "id write_off_asked_by written_off_by"):
        if agreed_by and agreed_by == asked_by:
            report.wrong("deux personnes", "overpayment", f"le trop-perçu {one} est abandonné par une personne seule")


def deputies(archive: Archive, report: Report) -> None:
    """A batch approved by a deputy is one of the days that an approver named and a third person accepted, and of those before its end.

    A day is Paris's, an instant UTC: the first and the last hours of the days are left to `voucher verify`.
    """
    if archive.format < SINCE["approver_deputy"]:
        return
    columns = "id approver_id deputy_id from_on until_on is_accepted decided_at decided_by ended_at"
    named = {row[0]: row for row in archive.rows("approver_deputy", columns)}
    for one, approver, deputy, *_, decided_by, _ in named.values():
        if len({approver, deputy, decided_by}) < 3:
            report.wrong("deux personnes", "approver_deputy", f"{one} : les trois personnes ne sont pas trois")
    columns = "approved_as_id number frozen_by approved_by approved_at"
    for one, number, frozen_by, approved_by, at in archive.rows("settlement_batch", columns):
        if not one:
            continue
        _, _, deputy, from_on, until_on, is_accepted, decided_at, _, ended_at = named.get(one, ("",) * 9)
        lasts = is_accepted == "1" and decided_at <= at and not ("" < ended_at < at)
        days = {(datetime.fromisoformat(at) + timedelta(hours=hours)).date().isoformat() for hours in (1, 2)}
        if (
            approved_by != deputy
            or frozen_by == deputy
            or not lasts
            or not any(from_on <= day <= until_on for day in days)
        ):
            report.wrong(
                "lot",
                "settlement_batch",
                f"{number} : validé en remplacement, par qui ne remplaçait personne ce jour-là",
            )


def services(archive: Archive, report: Report) -> None:
    """A redemption is for one of the nine services."""
    for one, service in archive.rows("redemption", "id service"):
        if service not in SERVICES:
            report.wrong("encaissement", "redemption", f"{one} : « {service} » n’est aucun des neuf services")


def periods(archive: Archive, report: Report) -> None:
    """Periods of an agreement are numbered without a gap, and each opens once the one before is closed (clocks differ within a day)."""
    rows = sorted(
        (agreement, int(number), opened, closed)
        for agreement, number, opened, closed in archive.rows("period", "agreement_id number opened_at closed_at")
    )
    for agreement, group in groupby(rows, itemgetter(0)):
        last, before = 0, ""
        for _, number, opened, closed in group:
            if number != last + 1 or (last and (not before or opened[:10] < before[:10])):
                detail = f"convention {agreement}, période {number} ouverte le {opened} : la {last} est close le {before or '-'}"
                report.wrong("période", "period", detail)
            last, before = number, closed


def stock(archive: Archive, report: Report) -> None:
    """Slips, one after the other, lead each booklet to who holds it."""
    held = {int(number): prescriber for number, prescriber in archive.rows("booklet", "number prescriber_id")}
    here = dict.fromkeys(held, "")
    columns = "made_at id first_booklet_number booklet_count from_prescriber_id to_prescriber_id"
    for _, group in groupby(sorted(archive.rows("stock_slip", columns)), itemgetter(0)):
        waiting = list(group)
        while waiting:
            # Of one instant, the one that leaves from where booklets are comes first.
            slip = next((one for one in waiting if leaves_from(here, one)), waiting[0])
            waiting.remove(slip)
            if not leaves_from(here, slip):
                report.wrong("stock", "stock_slip", f"le bordereau {slip[1]} ne part pas d’où étaient ses carnets")
            here.update(dict.fromkeys(numbers_of(slip), slip[5]))
    for number, prescriber in held.items():
        if here[number] != prescriber:
            detail = f"le carnet {number} est chez {prescriber or 'son émetteur'}, ses bordereaux le disent chez "
            report.wrong("stock", "booklet", f"{detail}{here[number] or 'son émetteur'}")


def numbers_of(slip: tuple[str, ...]) -> range:
    return range(int(slip[2]), int(slip[2]) + int(slip[3]))


def leaves_from(here: dict[int, str], slip: tuple[str, ...]) -> bool:
    return all(here.get(number) == slip[4] for number in numbers_of(slip))


def final_balances(archive: Archive, report: Report) -> None:
    """A final balance says what was received that day, less what earlier ones give back; and what went back since."""
    calls = {
        one: (agreement, funder) for one, agreement, funder in archive.rows("funds_call", "id agreement_id funder_id")
    }
    receipts = [
        (calls.get(call, ("", "")), int(amount), at, undone)
        for call, amount, at, undone in archive.rows("funds_receipt", "call_id amount_cents received_at undone_at")
    ]
    columns = "agreement_id funder_id amount_cents returned_at undone_at"
    for agreement, funder, amount, at, undone in archive.rows("advance_return", columns):
        receipts.append(((agreement, funder), -int(amount), at, undone))
    refunds: Counter[str] = Counter()
    for close, amount, undone in archive.rows("advance_refund", "close_id amount_cents undone_at"):
        refunds[close] += 0 if undone else int(amount)
    given_back: Counter[tuple[str, str]] = Counter()
    columns = "closed_at number id agreement_id funder_id received_cents refund_cents refunded_cents"
    for at, number, one, agreement, funder, received, refund, refunded in sorted(
        archive.rows("funding_close", columns)
    ):
        key = (agreement, funder)
        stood = sum(
            cents for of, cents, came, undone in receipts if of == key and came <= at and (not undone or undone > at)
        )
        if int(received) != stood - given_back[key] or int(refunded) != refunds[one]:
            detail = f"{received} centimes reçus et {refunded} rendus, {stood - given_back[key]} et {refunds[one]} rapprochés"
            report.wrong("décompte", "funding_close", f"décompte {number} du financeur {funder} : {detail}")
        given_back[key] += int(refund)


def proposals(archive: Archive, report: Report) -> None:
    """What takes two people on a bank line was confirmed by another than who proposed it, and is what was proposed."""
    matches: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for row in archive.rows("bank_match", "id line_id kind amount_cents made_by undone_at undone_by"):
        matches[row[0]].append(row)
    columns = "id line_id kind amount_cents undoes_id proposed_by confirmed_by"
    known = {row[0]: row for row in archive.rows("line_proposal", columns)}
    undone = {row[4]: row[6] for row in known.values() if row[4] and row[6]}
    for one, line, kind, amount, _, proposed_by, confirmed_by in known.values():
        made = matches[one]
        if confirmed_by == proposed_by:
            report.wrong("deux personnes", "line_proposal", f"{one} : qui l’a proposé l’a aussi confirmé")
        if kind == "undo":
            continue
        found = sum(int(row[3]) for row in made)
        people = {row[4] for row in made} | {row[1] for row in made}
        if (found, people) != ((int(amount), {confirmed_by, line}) if confirmed_by else (0, set())):
            report.wrong("deux personnes", "line_proposal", f"{one} : {amount} centimes proposés, {found} rapprochés")
        # What a bank refuses to send back is undone by its report alone.
        if kind != "refund" and any(row[5] and row[6] != undone.get(one) for row in made):
            report.wrong("deux personnes", "line_proposal", f"{one} : défait sans une seconde personne")
    for one, made in matches.items():
        if any(row[2] in ("advance_return", "refund") for row in made) and one not in known:
            report.wrong("deux personnes", "bank_match", f"{one} : rendu ou renvoyé sans que personne l’ait proposé")
    sent = archive.rows("line_refund", "id amount_cents state debit_match_id")
    for one, amount, state, debit in sent:
        taken = sum(int(row[3]) for row in matches[one] if not row[5])
        debited = sum(int(row[3]) for row in matches.get(debit, ()) if not row[5])
        wanted = (
            int(amount) if state in ("in_file", "paid", "returned") else 0,
            int(amount) if state in ("paid", "returned") else 0,
        )
        if (taken, debited) != wanted:
            detail = f"{one} : {amount} centimes « {state} », {taken} pris à la ligne, {debited} débités"
            report.wrong("renvoi", "line_refund", detail)
