"""One statement of a camt file while it is read: its head and balances, its entries counted, its sums proved at its end."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from lxml import etree

from voucher.kernel.money import NO_BREAK_SPACE, format_euros
from voucher.settlement.formats_in.bank_stages import Counted, IsOurs, Statement, not_ours
from voucher.settlement.formats_in.camt_balances import balances_of
from voucher.settlement.formats_in.camt_fields import Fields, figure
from voucher.settlement.formats_in.camt_lines import BankEntry, Entry, PassedOver, lines_of, read_entry, reference_of
from voucher.settlement.formats_in.safe_xml import line_of
from voucher.settlement.words.states import LineOrigin

_BOOKED = "BOOK"
# What will be booked or never will: the bank books it later under BOOK, or it is no money at all.
_NOT_BOOKED = frozenset({"PDNG", "INFO", "FUTR"})
_TOTALS = (
    ("TtlNtries", "", ("all", "booked", "in euros")),
    ("TtlCdtNtries", " au crédit", ("credit",)),
    ("TtlDbtNtries", " au débit", ("debit",)),
)
"""Each total that a bank may announce: its element, its words, what it may count."""


class Kind(StrEnum):
    """What a file holds: what moved so far today, a whole statement with its balances, or a notice of single entries."""

    REPORT = "camt.052"
    STATEMENT = "camt.053"
    NOTIFICATION = "camt.054"


class Progress:
    """What is known of the statement being read. `message_pages` is the head of its message, which may bear its page."""

    def __init__(self, kind: Kind, rank: int, element: etree._Element, message_pages: Fields, is_ours: IsOurs) -> None:
        self.element = element
        self.statement: Statement | None = None
        self.is_begun = False
        self.is_sound = True
        self.is_passed_over = False
        self._kind = kind
        self._rank = rank
        self._message_pages = message_pages
        self._is_ours = is_ours
        self._summary = Fields.empty()
        self._alike: Counter[tuple[str, bool, int, date]] = Counter()
        self._cents_of_day: Counter[date] = Counter()
        self._entry_counts: Counter[str] = Counter()
        self._entry_cents: Counter[str] = Counter()
        self._is_all_known = True

    def begin(self) -> None:
        """Read the head. Raises PassedOver for an account that is not ours or not in euros; WrongEntry for one of ours without
        balances and days.
        """
        self.is_begun = True
        self.is_sound = False
        head = self._summary = Fields(self.element, nested_name="Ntry")
        iban = self._account(head)
        opening_cents = closing_cents = page = is_last_page = None
        opened_on: date | None = None
        closed_on: date | None = None
        # A report or a notification proves nothing by its balances and its days: what it says of them is not read.
        if self._kind is Kind.STATEMENT:
            found = balances_of(self.element, head, self._message_pages)
            page, is_last_page = found.page, found.is_last_page
            opening_cents, closing_cents = found.opening_cents, found.closing_cents
            opened_on, closed_on = found.opened_on, found.closed_on
        self.statement = Statement(
            rank=self._rank,
            statement_id=head.first("Id") or "",
            number=head.first("ElctrncSeqNb", "LglSeqNb"),
            account_iban=iban,
            opened_on=opened_on,
            closed_on=closed_on,
            opening_cents=opening_cents,
            closing_cents=closing_cents,
            line=line_of(self.element),
            page=page,
            is_last_page=is_last_page,
        )
        self.is_sound = True

    def _account(self, head: Fields) -> str:
        """Return the IBAN of an account of ours, in euros. Raises PassedOver for any other: nothing more of it is looked at."""
        self.is_passed_over = True
        iban = head.first("Acct/Id/IBAN")
        currency = head.first("Acct/Ccy")
        if currency not in (None, "EUR"):
            what = f"Le compte {iban[:40]}" if iban else "Un compte sans IBAN"
            raise PassedOver(
                f"{what} est en « {currency[:3]} » : ses lignes ne sont comptées nulle part. "
                "Exportez le relevé d’un compte en euros."
            )
        if iban is None:
            raise PassedOver("Un relevé ne donne pas l’IBAN de son compte. Demandez un relevé par IBAN à la banque.")
        if not self._is_ours(iban):
            raise PassedOver(not_ours(iban))
        self.is_passed_over = False
        return iban

    def entry(self, element: etree._Element) -> BankEntry | None:
        """Count an entry, and return it if it is booked. Raises WrongEntry for what is booked and cannot be read, PassedOver for
        what is told because nothing counts it; an entry that waits or informs is only counted, whatever it lacks.
        """
        fields = Fields(element, nested_name="TxDtls")
        self._entry_counts["all"] += 1
        status = fields.first("Sts/Cd", "Sts", "Sts/Prtry")
        if status != _BOOKED:
            self._entry_counts["pending"] += 1
            self._pass_over(fields)
            if status in _NOT_BOOKED:
                return None
            said = f"au statut « {status[:20]} »" if status else "sans statut"
            raise PassedOver(
                f"Écriture {said} : seules comptent celles que la banque dit comptabilisées. Demandez-lui ce qu’elle est."
            )
        try:
            entry = read_entry(element, fields)
        except PassedOver:
            self._is_all_known = False
            raise
        self._entry_cents["all"] += entry.amount_cents
        side = "credit" if entry.is_credit else "debit"
        for total in (side, "booked", "in euros"):
            self._entry_counts[total] += 1
            self._entry_cents[total] += entry.amount_cents
        return None if self.statement is None else self._found(self.statement, entry)

    def _pass_over(self, fields: Fields) -> None:
        """Count what is not booked in the grand total, where a bank may have counted it too."""
        cents = fields.euros("Amt")
        if cents:
            self._entry_counts["in euros"] += 1
            self._entry_cents["all"] += cents[0]
        else:
            self._is_all_known = False

    def _found(self, statement: Statement, entry: Entry) -> BankEntry | None:
        lines = lines_of(entry, statement.account_iban)
        if not lines:
            return None
        reference, origin = reference_of(entry)
        alike = (reference, entry.is_credit, entry.amount_cents, entry.booked_on)
        self._alike[alike] += 1
        anchor_cents = None
        if origin is LineOrigin.UNNAMED and statement.opening_cents is not None:
            earlier = sum(cents for day, cents in self._cents_of_day.items() if day < entry.booked_on)
            anchor_cents = statement.opening_cents + earlier
        self._cents_of_day[entry.booked_on] += entry.signed_cents
        return BankEntry(
            statement_rank=statement.rank,
            account_iban=statement.account_iban,
            reference=reference,
            origin=origin,
            rank=self._alike[alike],
            anchor_cents=anchor_cents,
            amount_cents=entry.amount_cents,
            is_credit=entry.is_credit,
            booked_on=entry.booked_on,
            valued_on=entry.valued_on,
            line=entry.line,
            lines=lines,
            page=statement.page,
        )

    def counted(self) -> Counted:
        """Return the totals of what was read."""
        counts, cents = self._entry_counts, self._entry_cents
        return Counted(self._rank, counts["booked"], cents["credit"], cents["debit"], counts["pending"])

    def wrong_sums(self) -> Iterator[str]:
        """Yield a sentence for each sum that does not add up: balances, then the totals that the bank announces."""
        statement = self.statement
        assert statement is not None
        cents = self._entry_cents
        if statement.opening_cents is not None and statement.closing_cents is not None:
            computed = statement.opening_cents + cents["credit"] - cents["debit"]
            if computed != statement.closing_cents:
                yield (
                    f"{statement.name} : le solde de clôture est {format_euros(statement.closing_cents)}, mais le solde d’ouverture et "
                    f"les lignes font {format_euros(computed)}. Il manque sans doute une ligne : demandez le relevé complet à la banque."
                )
        for path, words, counted in _TOTALS:
            yield from self._wrong_total(f"{statement.name} : la banque annonce", path, words, counted)

    def _wrong_total(self, opening: str, path: str, words: str, counted: tuple[str, ...]) -> Iterator[str]:
        counts, cents = self._entry_counts, self._entry_cents
        # Banks count what is passed over or leave it out: beside such entries only what is sure is compared.
        if path != "TtlNtries" and (counts["pending"] or not self._is_all_known):
            return
        number = self._summary.first(f"TxsSummry/{path}/NbOfNtries")
        total = self._summary.first(f"TxsSummry/{path}/Sum")
        if number is not None and _count(number) not in {counts[which] for which in counted}:
            yield f"{opening} {number[:20]} écritures{words}, le fichier en contient {counts[counted[0]]}."
        sums = {cents[which] for which in counted if which != "in euros"}
        if total is not None and self._is_all_known and _total_cents(total) not in sums:
            yield f"{opening} un total{words} de {figure(total)}{NO_BREAK_SPACE}€, les écritures font {format_euros(cents[counted[0]])}."


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _total_cents(text: str) -> int | None:
    try:
        cents = Decimal(text).scaleb(2)
    except InvalidOperation:
        return None
    return int(cents) if cents.is_finite() and cents == cents.to_integral_value() else None
