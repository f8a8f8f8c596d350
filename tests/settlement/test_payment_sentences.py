"""What may be said of a payment: over any history that the table of transitions allows, no sentence says more than is known."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher.kernel.calendar import french_date
from voucher.settlement.formats_in.iso_reasons import explain, known_codes
from voucher.settlement.formats_out.target_days import next_target_day
from voucher.settlement.words.causes import (
    Cause,
    Holder,
    bad_rib,
    below_minimum,
    blocked,
    duplicate_announced,
    maybe_paid_already,
    no_rib,
    refused_account,
    suspended,
    to_confirm,
)
from voucher.settlement.words.dispute_sentences import DisputeFacts, dispute_said
from voucher.settlement.words.past_sentences import past_sentences
from voucher.settlement.words.payment_facts import Past, PaymentFacts
from voucher.settlement.words.payment_sentences import Said, said
from voucher.settlement.words.states import AdviceState, LineOrigin
from voucher.settlement.words.transitions import TRANSITIONS, PaymentWhy

DAY = date(2026, 6, 1)
CAUSES: list[Cause] = [
    suspended("contrôle en cours"),
    blocked("facture à vérifier"),
    no_rib(),
    bad_rib("Le BIC n’est pas celui de l’IBAN."),
    to_confirm(DAY, no_rib()),
    refused_account(explain("AC04")),
    refused_account(explain("BE01")),
    maybe_paid_already(),
    below_minimum(2_000, date(2027, 2, 28)),
]
WAITING = (AdviceState.HELD, AdviceState.REJECTED, AdviceState.RETURNED)
SENTENCES = re.compile(r"[^.!?…]+[.!?…]")


@st.composite
def histories(draw: st.DrawFn) -> tuple[Past, ...]:
    """Return a life of a payment, each change a day or some days after the one before."""
    on, state = DAY, None
    found: list[Past] = []
    for _ in range(draw(st.integers(1, 8))):
        ways = sorted((after, why) for before, after, why in TRANSITIONS if before == state)
        if not ways:
            break
        state, why = draw(st.sampled_from(ways))
        on += timedelta(days=draw(st.integers(0, 5)))
        found.append(Past(state, why, on))
    return tuple(found)


@st.composite
def facts(draw: st.DrawFn) -> PaymentFacts:
    past = draw(histories())
    last = past[-1]
    sent_on = next((one.on for one in past if one.state is AdviceState.IN_FILE), None)
    paid_on = next((one.on for one in reversed(past) if one.why is PaymentWhy.DEBITED), None)
    cause = draw(st.none() | st.sampled_from(CAUSES)) if last.state in (*WAITING, AdviceState.DUE) else None
    is_by_bank = draw(st.booleans())
    if last.state is AdviceState.IN_FILE and draw(st.booleans()):
        cause = duplicate_announced(is_by_bank=is_by_bank)
    execution_on = next_target_day(sent_on) if sent_on and is_by_bank else None
    assert last.on is not None
    return PaymentFacts(
        today=last.on + timedelta(days=draw(st.integers(0, 60))),
        state=last.state,
        is_approved=draw(st.booleans()),
        is_by_bank=is_by_bank,
        issuer_name="Département de Vallée-Claire",
        due_on=draw(st.none() | st.dates(DAY, DAY + timedelta(days=90))),
        sent_on=sent_on,
        execution_on=execution_on,
        expected_on=execution_on and next_target_day(execution_on + timedelta(days=2)),
        past=past,
        paid_on=paid_on,
        confirmed_by=draw(st.sampled_from(LineOrigin)) if paid_on else None,
        reason=draw(st.none() | st.sampled_from([explain(code) for code in known_codes()])),
        cause=cause,
        set_aside_because="Facture à vérifier" if last.why is PaymentWhy.SET_ASIDE else "",
        changed=draw(st.sampled_from(["", "Le RIB de la structure a changé depuis l’arrêt du lot."])),
        taken_up_in="2026-33-01/05" if last.state is AdviceState.TAKEN_UP else "",
    )


def days_after(told: str, words: str) -> list[str]:
    return re.findall(rf"{words} (\d{{1,2}}(?:er)?\u00a0\w+\u00a0\d{{4}})", told)


def all_days(first: date, last: date) -> dict[str, date]:
    return {french_date(day): day for day in (first + timedelta(days=n) for n in range((last - first).days + 1))}


DAYS = all_days(DAY - timedelta(days=5), DAY + timedelta(days=400))


@given(facts())
def test_no_sentence_says_paid_of_money_that_came_back_or_never_left(known: PaymentFacts) -> None:
    told = said(known)
    whole = f"{told.short} {told.sentence} {told.act} {told.office_act}"
    assert "versé" not in whole
    if known.state is not AdviceState.PAID:
        assert not told.what.startswith("Payé")
        assert told.title != "Payé"
        assert "l’a confirmé" not in told.sentence
    if known.state is AdviceState.RETURNED:
        assert told.what.startswith("Renvoyé par")
        assert "La somme reste due." in told.what


@given(facts())
def test_no_sentence_promises_a_batch_or_a_day_of_payment(known: PaymentFacts) -> None:
    told = said(known)
    for text in (told.what, told.when, told.act):
        assert not re.search(r"lot suivant|prochain lot|reprendra|vous paiera|serez payé|sera payé", text), text
    if known.cause is not None:
        assert "dans un autre lot" not in f"{told.act} {told.office_act}"
        assert "prochain lot" not in told.office_act


@given(facts())
def test_no_day_that_passed_is_told_as_one_to_come(known: PaymentFacts) -> None:
    told = said(known).sentence
    for words in ("À payer au plus tard le", "virement part le", "est attendu sur le compte pour le"):
        assert all(DAYS[day] >= known.today for day in days_after(told, words)), told
    for day in days_after(told, "était attendu pour le"):
        assert DAYS[day] < known.today
    for day in days_after(told, "C’était à payer au plus tard le"):
        assert DAYS[day] < (known.paid_on if known.state is AdviceState.PAID and known.paid_on else known.today)


@given(facts())
def test_each_says_what_happened_who_acts_and_what_to_do_in_short_sentences(known: PaymentFacts) -> None:
    told = said(known)
    assert told.what.endswith((".", "!"))
    assert (told.who == "") == (told.holder is Holder.NOBODY)
    assert bool(told.act) == bool(told.office_act), "who is told to act is told by both"
    if told.holder is Holder.STRUCTURE:
        assert "Donnez" in told.act
    ours = told.sentence.replace(known.reason.sentence if known.reason else "\0", "")
    for sentence in SENTENCES.findall(ours):
        assert len(sentence.split()) <= 18, sentence


@given(facts())
def test_what_is_said_does_not_depend_on_who_reads(known: PaymentFacts) -> None:
    told = said(known)
    assert not re.search(r"\b(?:vous|votre|vos)\b", told.sentence, re.IGNORECASE), told.sentence
    assert said(replace(known, issuer_name="")).sentence == told.sentence


@given(facts())
def test_the_past_is_told_in_its_order_and_says_no_more_than_is_proven(known: PaymentFacts) -> None:
    told = past_sentences(known)
    days = [on for _, on in told if on is not None]
    assert days == sorted(days)
    assert len(told) < len(known.past)
    unproven = replace(known, past=tuple(replace(one, on=None) for one in known.past), paid_on=None, sent_on=None)
    for one in known.past:
        if one.on is not None and one.on not in (known.due_on, known.execution_on, known.expected_on):
            assert french_date(one.on) not in said(unproven).what


def of(*past: tuple[AdviceState, PaymentWhy, int], **more: object) -> Said:
    """Say where a payment stands whose changes came so many days after the first of June."""
    steps = tuple(Past(state, why, DAY + timedelta(days=after)) for state, why, after in past)
    sent_on = next((one.on for one in steps if one.state is AdviceState.IN_FILE), None)
    paid_on = next((one.on for one in reversed(steps) if one.why is PaymentWhy.DEBITED), None)
    known = PaymentFacts(
        today=DAY + timedelta(days=20), state=steps[-1].state, past=steps, sent_on=sent_on, paid_on=paid_on
    )
    return said(replace(known, **more))  # type: ignore[arg-type]


_SENT = (AdviceState.IN_FILE, PaymentWhy.EXPORTED, 1)
_PAID = (AdviceState.PAID, PaymentWhy.DEBITED, 2)
_BACK = (AdviceState.RETURNED, PaymentWhy.CAME_BACK, 4)
_REJECTED = (AdviceState.REJECTED, PaymentWhy.REJECTED, 3)
_TAKEN = (AdviceState.TAKEN_UP, PaymentWhy.TAKEN_UP, 9)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (of(_SENT, _PAID, confirmed_by=LineOrigin.NAMED), "Payé le 3 juin 2026. La banque l’a confirmé."),
        (of(_SENT, _PAID, confirmed_by=LineOrigin.ACCOUNTANT), "Payé le 3 juin 2026. Le comptable public l’a confirmé."),
        (
            of(_SENT, _PAID, _BACK, reason=explain("AC04"), cause=refused_account(explain("AC04"))),
            (
                "Renvoyé par la banque le 5 juin 2026, après un paiement le 3 juin 2026. Le compte de la structure est fermé. "
                "La somme reste due."
            ),
        ),
        (
            of(_SENT, _REJECTED, (AdviceState.IN_FILE, PaymentWhy.ANSWER_WITHDRAWN, 5)),
            "Transmis à la banque le 2 juin 2026. Son rejet du 4 juin 2026 est retiré : il est de nouveau en cours.",
        ),
        (
            of(_SENT, _REJECTED, (AdviceState.IN_FILE, PaymentWhy.DEBITED_AFTER_ALL, 5), (AdviceState.PAID, PaymentWhy.DEBITED, 5)),
            "Payé le 6 juin 2026. Son rejet du 4 juin 2026 n’a pas tenu.",
        ),
        (
            of(_SENT, _REJECTED, (AdviceState.IN_FILE, PaymentWhy.ANSWER_WITHDRAWN, 5), (AdviceState.REJECTED, PaymentWhy.REJECTED, 7)),
            "Rejeté 2 fois par la banque, la dernière le 8 juin 2026. La banque n’a pas donné de raison. La somme reste due.",
        ),
        (
            of(_SENT, _PAID, (AdviceState.IN_FILE, PaymentWhy.PAYMENT_UNDONE, 6), paid_on=None),
            "Transmis à la banque le 2 juin 2026. Il avait été noté payé le 3 juin 2026, à tort.",
        ),
        (
            of(_SENT, _PAID, _BACK, _TAKEN, taken_up_in="2026-33-01/05"),
            "Renvoyé par la banque le 5 juin 2026, après un paiement le 3 juin 2026. La somme est dans le lot 2026-33-01/05.",
        ),
        (
            of((AdviceState.HELD, PaymentWhy.FROZEN, 0), _TAKEN, taken_up_in="2026-33-01/05"),
            "Resté en attente. La somme est dans le lot 2026-33-01/05.",
        ),
        (
            of(_SENT, execution_on=DAY + timedelta(days=21), expected_on=DAY + timedelta(days=23)),
            "Transmis à la banque le 2 juin 2026. Le virement part le 22 juin 2026. Il est attendu sur le compte pour le 24 juin 2026.",
        ),
        (
            of(_SENT, execution_on=DAY + timedelta(days=1), expected_on=DAY + timedelta(days=3)),
            "Transmis à la banque le 2 juin 2026. Il était attendu pour le 4 juin 2026. La banque ne l’a pas encore confirmé.",
        ),
        (
            of(_SENT, is_by_bank=False, due_on=DAY),
            "Transmis au comptable public le 2 juin 2026. C’était à payer au plus tard le 1er juin 2026.",
        ),
        (
            of((AdviceState.DUE, PaymentWhy.FROZEN, 0), cause=suspended("contrôle"), due_on=DAY + timedelta(days=30)),
            "Ce règlement ne peut pas partir avec son lot. Structure suspendue : contrôle. À payer au plus tard le 1er juillet 2026.",
        ),
    ],
)  # fmt: skip
def test_a_payment_says_its_day_its_reason_and_what_is_known_of_its_end(told: Said, sentence: str) -> None:
    assert told.sentence.replace("\u00a0", " ") == sentence


def test_a_history_taken_over_from_the_state_says_only_what_its_entries_prove() -> None:
    resumed = (Past(AdviceState.RETURNED, PaymentWhy.RESUMED, None),)
    known = PaymentFacts(today=DAY, state=AdviceState.TAKEN_UP, past=(*resumed, Past(*_TAKEN[:2], None)))
    assert said(known).what == "Renvoyé par la banque. La somme est dans un autre lot."


@pytest.mark.parametrize("is_upheld", [None, True, False])
@pytest.mark.parametrize("is_suspending", [True, False])
@pytest.mark.parametrize("left_cents", [None, 0, 1_000])
def test_a_dispute_promises_no_payment(is_upheld: bool | None, is_suspending: bool, left_cents: int | None) -> None:
    told = dispute_said(DisputeFacts(is_upheld=is_upheld, is_suspending=is_suspending, left_cents=left_cents))
    whole = f"{told.what} {told.money} {told.act}"
    assert not re.search(r"lot suivant|prochain lot|versé|paiera", whole)
    if is_upheld is False and not is_suspending:
        assert "due" not in told.money, "it may have been paid already"


ROOTS = ("voucher", "issuer_portal", "merchant_portal")
SPEAKS = re.compile(
    r"(?:lot suivant|prochain lot|lots suivants) (?:l[ea]s?|vous|nous|reprend|paie)\b|reprendra|\bversé\b|\bversés\b|en route"
    r"|(?:serez|sera|seront|êtes) payés?\b|vous paiera|jour ouvré bancaire après"
)
"""How a page spoke that promised a payment, or said one that came back."""

NOT_OF_A_PAYMENT = {
    "voucher/demonstration/finance.py": "what an invented person wrote of a stranger’s transfer",
    # Of money between funders and the programme, or of what a structure can be paid at all.
    "voucher/funding/close.py": "a convention is not closed while money is in transit",
    "issuer_portal/funding/templates/funding/agreement_backing.html": "what a funder paid in",
    "issuer_portal/funding/templates/funding/calls.html": "what a funder paid in",
    "issuer_portal/funding/templates/funding/statement.html": "the close of a convention: what is in transit",
    "voucher/network/import_places.py": "which structure the next vouchers are of",
    "voucher/accounting/checks_reconciliation.py": "the definition of a check",
    "issuer_portal/funding/calls.py": "what a funder paid in",
    "voucher/funding/checks.py": "what a funder paid in",
}


def texts() -> Iterable[tuple[str, str]]:
    top = Path(__file__).parents[2]
    for root in ROOTS:
        for path in sorted((top / root).rglob("*")):
            if path.suffix in {".py", ".html", ".typ"}:
                yield str(path.relative_to(top)), path.read_text(encoding="utf-8")


def test_no_other_place_says_where_a_payment_stands() -> None:
    spoken = {
        f"{name}:{number}: {line.strip()}"
        for name, text in texts()
        if name not in NOT_OF_A_PAYMENT and not name.startswith("voucher/settlement/words/")
        for number, line in enumerate(text.splitlines(), 1)
        if SPEAKS.search(line)
    }
    assert spoken == set()


def test_what_is_excused_from_that_still_speaks() -> None:
    known = dict(texts())
    assert [name for name in NOT_OF_A_PAYMENT if not SPEAKS.search(known.get(name, ""))] == []
