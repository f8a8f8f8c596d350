"""Payment advices on paper, and amounts in words."""

import io
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from voucher.settlement.formats_out.amount_in_words import euros_in_words, number_in_words
from voucher.settlement.formats_out.documents import Advice, AdviceAdjustment, AdviceReceipt, Contact, advice_pdf
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.payment_sentences import said
from voucher.settlement.words.states import AdviceState

ADVICE = Advice(
    reference="L2026-33-01-0001",
    batch_number="2026-33-01/04",
    agreement_name="Vallée-Claire 2026",
    payer_name="Département de Vallée-Claire",
    issued_on=date(2026, 7, 5),
    period=(date(2026, 6, 1), date(2026, 6, 30)),
    situation="Transmis à la banque le 9 juillet 2026. Il est attendu sur le compte pour le 13 juillet 2026.",
    situation_on=date(2026, 7, 10),
    structure_name="Association Clic & Cie",
    siret="12345678900012",
    account_holder="Clic et Cie",
    iban="FR7630006000011234567890189",
    receipts=[
        AdviceReceipt("Médiathèque du Port", date(2026, 6, 1), 12, 12_000),
        AdviceReceipt("Tiers-lieu l’Écluse", date(2026, 6, 17), 1_200, 1_200_000),
    ],
    adjustments=[
        AdviceAdjustment("Reporté du lot 03 : virement revenu", 5_050),
        AdviceAdjustment("Repris : chèque compté deux fois", -1_000),
    ],
    total_cents=1_216_050,
    contact=Contact("le service numérique", "pass@vallee-claire.example", "01 99 00 00 00"),
)


def text_of(pdf: bytes) -> str:
    """The words of a PDF, one blank between each: lines break where the page does."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def test_an_advice_says_first_how_much_when_and_for_which_period() -> None:
    text = text_of(advice_pdf(ADVICE))
    summary, detail = text.split("Les chèques encaissés")
    for words in (
        "12 160,50 €",
        "Où en est-il, le 10 juillet 2026 ? Transmis à la banque le 9 juillet 2026.",
        "du 1er juin 2026 au 30 juin 2026",
        "Clic et Cie, qui finit par 0189",
    ):
        assert words in summary
    for words in (
        "Médiathèque du Port 1er juin 2026 12 120,00 €",
        "1 212 12 120,00 €",
        "virement revenu 50,50 €",
        "-10,00 €",
        "L2026-33-01-0001",
    ):
        assert words in detail
    assert "pass@vallee-claire.example" in detail
    assert "FR7630006000011234567890189" not in text.replace(" ", "")


def test_an_advice_of_nothing_says_that_no_transfer_is_needed() -> None:
    settled = PaymentFacts(
        today=date(2026, 7, 5),
        state=AdviceState.SETTLED,
        paid_on=date(2026, 7, 5),
    )
    nothing = replace(ADVICE, receipts=[], adjustments=[], total_cents=0, situation=said(settled).sentence)
    text = text_of(advice_pdf(nothing))
    assert "Soldé le 5 juillet 2026, sans virement" in text
    assert "Aucun chèque" in text
    assert "Sur quel compte" not in text


def test_an_advice_whose_lines_do_not_sum_up_is_never_made() -> None:
    with pytest.raises(ValueError, match="do not sum up"):
        replace(ADVICE, total_cents=1)
    with pytest.raises(ValueError, match="would take money"):
        replace(ADVICE, receipts=[], adjustments=[AdviceAdjustment("Repris", -1)], total_cents=-1)


def test_the_same_values_give_the_same_bytes() -> None:
    assert advice_pdf(ADVICE) == advice_pdf(ADVICE)


def test_an_advice_of_payments_made_again_says_so_and_has_no_period() -> None:
    again = replace(
        ADVICE, period=None, receipts=[], adjustments=[AdviceAdjustment("Repris du lot 03", 5_050)], total_cents=5_050
    )
    text = text_of(advice_pdf(again))
    assert "Un règlement d’avant, qui n’avait pas abouti" in text
    assert "Repris du lot 03 50,50 €" in text


def test_a_letter_that_the_font_cannot_draw_does_not_stop_a_payment() -> None:
    text = text_of(advice_pdf(replace(ADVICE, structure_name="Cafe\u0301 🚲 جمعية Ω ﬁn\tœuvre")))
    assert "Café ? ????? Ω fin œuvre" in text


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40))
def test_no_name_can_break_a_document_or_become_typst_code(name: str) -> None:
    assert advice_pdf(replace(ADVICE, structure_name=name + "#panic()")).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zéro"),
        (21, "vingt et un"),
        (71, "soixante et onze"),
        (80, "quatre-vingts"),
        (81, "quatre-vingt-un"),
        (99, "quatre-vingt-dix-neuf"),
        (100, "cent"),
        (200, "deux cents"),
        (201, "deux cent un"),
        (1_000, "mille"),
        (80_000, "quatre-vingt mille"),
        (200_000, "deux cent mille"),
        (80_000_000, "quatre-vingts millions"),
        (1_001_001, "un million mille un"),
        (
            999_999_999_999,
            "neuf cent quatre-vingt-dix-neuf milliards neuf cent quatre-vingt-dix-neuf millions neuf cent quatre-vingt-dix-neuf mille neuf cent quatre-vingt-dix-neuf",
        ),
    ],
)
def test_numbers_are_spelt_as_french_spells_them(number: int, words: str) -> None:
    assert number_in_words(number) == words


@pytest.mark.parametrize(
    ("cents", "words"),
    [
        (0, "zéro euro"),
        (101, "un euro et un centime"),
        (123_480, "mille deux cent trente-quatre euros et quatre-vingts centimes"),
        (1_000_000_00, "un million d’euros"),
        (1_000_200_00, "un million deux cents euros"),
    ],
)
def test_amounts_are_spelt_in_euros_and_centimes(cents: int, words: str) -> None:
    assert euros_in_words(cents) == words


def test_an_amount_below_zero_is_not_spelt() -> None:
    with pytest.raises(ValueError, match="from 0"):
        euros_in_words(-1)
