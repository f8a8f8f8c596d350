"""Check a FEC, whoever wrote it, against the rule: art. A.47 A-1 of the Livre des procédures fiscales.

Written from the text of the rule and not from our writer, with which it shares nothing:

- III: UTF-8 or ISO 8859-15 (the bytes say which, and only one of them), days AAAAMMJJ, amounts with a comma and no separator of
  thousands, their sign first (a correction may be negative);
- VII: 18 columns named and in order, tab or bar between them; « Montant » and « Sens » (D or C, +1 or -1) may stand for « Debit »
  and « Credit »;
- VIII: a cash-basis book has 21 columns (farming: DateRglt, ModeRglt, NatOp) or 22 (other professions: IdClient too); what a
  person adds stands after them, under a name of its own;
- entries in the order in which they were validated, on one sequence without a gap: of each journal, or of the whole file (which
  may go on from the year before); each entry and the whole file balanced;
- a year is twelve months at most, but the first, which may begin on any day of the civil year before the one of its close
  (art. 37 CGI), and opens with nothing of a year before.

One pass over the lines, in bounded memory (it remembers the number of the last entry of each journal, not the entries).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from voucher.kernel.checks import Violation

HEADER = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
)  # fmt: skip
SIGNED_HEADER = tuple({"Debit": "Montant", "Credit": "Sens"}.get(name, name) for name in HEADER)
SIDES = {"D": 1, "+1": 1, "1": 1, "C": -1, "-1": -1}
UTF_8, LATIN_9 = "utf-8", "iso8859-15"
REQUIRED = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "PieceRef", "PieceDate",
    "EcritureLib", "ValidDate",
)  # fmt: skip
DAYS = ("EcritureDate", "PieceDate", "DateLet", "ValidDate", "DateRglt")
OPENING_CODES = ("AN", "RAN", "ANO", "ANV")
VIOLATIONS_MAX = 1000

_NAME = re.compile(r"(\d{9})FEC(\d{8})(-provisoire)?(-iso8859-15)?\.txt", re.IGNORECASE)
_AMOUNT = re.compile(r"[+-]?\d+(?:,\d{1,2})?")
_ACCOUNT = re.compile(r"[1-8]\d{2}[0-9A-Za-z]*")
_NUMBER = re.compile(r"(.*?)(\d+)")


@dataclass
class _Entry:
    """The entry that is being read."""

    journal: str
    number: str
    days: tuple[str, str]
    first_line: int
    cents: int = 0
    lines: int = 0


@dataclass(kw_only=True)
class _State:
    """What is remembered from one line to the next."""

    encoding: str | None
    separator: str = "\t"
    names: tuple[str, ...] = HEADER
    violations: list[Violation] = field(default_factory=list)
    entry: _Entry | None = None
    last_numbers: dict[str, int] = field(default_factory=dict)
    last_number: int | None = None
    breaks_by_journal: list[tuple[int, str]] = field(default_factory=list)
    breaks_of_file: list[tuple[int, str]] = field(default_factory=list)
    early: tuple[int, str] | None = None
    is_opened_again: bool = False
    journal_names: dict[str, str] = field(default_factory=dict)
    account_names: dict[str, str] = field(default_factory=dict)
    last_valid: str = ""
    total_cents: int = 0
    closes_on: date | None = None

    def say(self, check: str, line: int, detail: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(check, f"ligne {line}", detail))


def check_fec(lines: Iterable[bytes], *, name: str = "", encoding: str | None = None) -> list[Violation]:
    """Return what is wrong in a FEC, line by line (at most 1,000 violations). `name`, when given, is its file name.

    `encoding`: « utf-8 » or « iso8859-15 »; left out, the name says it (« -iso8859-15 »), or else the bytes. The year that the
    entries must be in ends on the day that the name says.
    """
    state = _State(encoding=encoding)
    if name:
        _check_name(state, name)
    decoded = _decoded(state, lines)
    header = next(decoded, None)
    if header is None:
        state.say("header", 1, "le fichier est vide")
        return state.violations
    if not _check_header(state, header[1]):
        return state.violations
    found = False
    for number, text in decoded:
        found = True
        _check_line(state, number, text)
    _end_entry(state)
    _end_file(state)
    if not found:
        state.say("header", 1, "aucune écriture après l’en-tête")
    if state.total_cents:
        state.say("file_balances", 0, f"débits moins crédits : {_euros(state.total_cents)}")
    return state.violations


def _check_name(state: _State, name: str) -> None:
    found = _NAME.fullmatch(name)
    if found is None:
        state.say("file_name", 0, f"« {name} » n’est pas de la forme SIRENFECAAAAMMJJ.txt")
        return
    if found[4]:
        state.encoding = state.encoding or LATIN_9
    state.closes_on = _day(found[2])
    if state.closes_on is None:
        state.say("file_name", 0, f"« {found[2]} » n’est pas un jour")


def _decoded(state: _State, lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(lines, 1):
        if state.encoding is None and not raw.isascii():
            # No line of accented Latin-9 is UTF-8 by chance: the first that is not ASCII says what the file is.
            state.encoding = UTF_8 if _is_utf_8(raw) else LATIN_9
        text = raw.decode(state.encoding or UTF_8, errors="replace")
        if "\ufffd" in text or any("\x80" <= mark <= "\x9f" for mark in text):
            state.say("encoding", number, f"des octets ne sont pas de l’{state.encoding}")
        elif state.encoding == LATIN_9 and _is_utf_8(raw) and not raw.isascii():
            state.say("encoding", number, "des octets sont de l’utf-8, dans un fichier en iso8859-15")
        if number == 1 and text.startswith("\ufeff"):
            state.say("encoding", 1, "le fichier commence par une marque d’ordre (BOM)")
            text = text[1:]
        yield number, text.rstrip("\r\n")


def _check_header(state: _State, text: str) -> bool:
    state.separator = "\t" if "\t" in text else "|"
    names = [one.strip() for one in text.split(state.separator)]
    first, more = [one.casefold() for one in names[: len(HEADER)]], names[len(HEADER) :]
    for header in (HEADER, SIGNED_HEADER):
        if first == [one.casefold() for one in header]:
            state.names = (*header, *more)
            break
    else:
        state.say("header", 1, f"les 18 colonnes attendues sont {' '.join(HEADER)} ; le fichier a {len(names)} noms")
        return False
    if "" in more or len({one.casefold() for one in names}) < len(names):
        state.say("header", 1, "une colonne ajoutée après les 18 n’a pas de nom, ou a celui d’une autre")
        return False
    return True


def _check_line(state: _State, number: int, text: str) -> None:
    cells = text.split(state.separator)
    if len(cells) != len(state.names):
        state.say("columns", number, f"{len(cells)} colonnes au lieu de {len(state.names)}")
        return
    line = dict(zip(state.names, cells, strict=True))
    if missing := [one for one in (*REQUIRED, *state.names[11:13]) if not line[one].strip()]:
        state.say("required", number, f"vide : {', '.join(missing)}")
    _check_days(state, number, line)
    _check_accounts(state, number, line)
    cents = _check_amounts(state, number, line)
    _join_entry(state, number, line)
    state.total_cents += cents
    assert state.entry is not None, "the line has just joined it"
    state.entry.cents += cents
    state.entry.lines += 1


def _check_days(state: _State, number: int, line: dict[str, str]) -> None:
    for name in DAYS:
        if line.get(name) and _day(line[name]) is None:
            state.say("dates", number, f"{name} « {line[name]} » n’est pas un jour AAAAMMJJ")
    on = _day(line["EcritureDate"])
    if on is not None and state.closes_on is not None:
        if not date(state.closes_on.year - 1, 1, 1) <= on <= state.closes_on:
            state.say("dates", number, f"EcritureDate {line['EcritureDate']} n’est pas de l’exercice du fichier")
        elif on <= _year_before(state.closes_on):
            state.early = state.early or (number, line["EcritureDate"])
    valid = line["ValidDate"]
    if _day(valid) is not None:
        if valid < state.last_valid:
            state.say(
                "validation_order", number, f"validée le {valid}, après une écriture validée le {state.last_valid}"
            )
        state.last_valid = max(state.last_valid, valid)
    if bool(line["EcritureLet"].strip()) != bool(line["DateLet"].strip()):
        state.say("letters", number, "EcritureLet et DateLet vont ensemble")


def _check_accounts(state: _State, number: int, line: dict[str, str]) -> None:
    account, name = line["CompteNum"], line["CompteLib"]
    if not _ACCOUNT.fullmatch(account):
        state.say("accounts", number, f"CompteNum « {account} » ne commence pas par trois chiffres du plan comptable")
    if state.account_names.setdefault(account, name) != name:
        state.say(
            "accounts", number, f"le compte {account} a deux noms : « {state.account_names[account]} », « {name} »"
        )
    if bool(line["CompAuxNum"].strip()) != bool(line["CompAuxLib"].strip()):
        state.say("accounts", number, "CompAuxNum et CompAuxLib vont ensemble")
    journal, label = line["JournalCode"], line["JournalLib"]
    if state.journal_names.setdefault(journal, label) != label:
        state.say(
            "journals", number, f"le journal {journal} a deux noms : « {state.journal_names[journal]} », « {label} »"
        )
    if not state.is_opened_again:
        state.is_opened_again = journal.strip().upper() in OPENING_CODES or "nouveau" in _bare(label)
    if bool(line["Montantdevise"].strip()) != bool(line["Idevise"].strip()):
        state.say("currency", number, "Montantdevise et Idevise vont ensemble")


def _check_amounts(state: _State, number: int, line: dict[str, str]) -> int:
    """Return debit less credit of a line, in cents."""
    if "Sens" in line:
        side = SIDES.get(line["Sens"].strip().upper())
        if side is None:
            state.say("debit_or_credit", number, f"Sens « {line['Sens']} » n’est ni D ni C, ni +1 ni -1")
        cents = _cents(state, number, "Montant", line["Montant"])
        if not cents:
            state.say("debit_or_credit", number, f"Montant {line['Montant']} est nul")
        return cents * (side or 1)
    debit, credit = (_cents(state, number, name, line[name]) for name in ("Debit", "Credit"))
    if bool(debit) == bool(credit):
        state.say(
            "debit_or_credit", number, f"Debit {line['Debit']} et Credit {line['Credit']} : l’un, et l’un seul, est nul"
        )
    return debit - credit


def _cents(state: _State, number: int, name: str, text: str) -> int:
    if not _AMOUNT.fullmatch(text):
        state.say("amounts", number, f"{name} « {text} » n’est pas un montant comme 1234,56")
        return 0
    euros, _, rest = text.partition(",")
    return int(euros + rest.ljust(2, "0"))


def _join_entry(state: _State, number: int, line: dict[str, str]) -> None:
    """Add a line to the entry it belongs to: an entry's lines follow each other, with one number and the same days."""
    journal, name = line["JournalCode"], line["EcritureNum"]
    days = (line["EcritureDate"], line["ValidDate"])
    if state.entry is not None and (state.entry.journal, state.entry.number) == (journal, name):
        if state.entry.days != days:
            state.say("entry_days", number, f"l’écriture {journal} {name} a plusieurs dates")
        return
    _end_entry(state)
    state.entry = _Entry(journal, name, days, number)
    found = _NUMBER.fullmatch(name)
    if found is None:
        state.say("numbering", number, f"EcritureNum « {name} » ne finit pas par un nombre")
        return
    rank, before = int(found[2]), state.last_numbers.get(journal, 0)
    if rank != before + 1 and len(state.breaks_by_journal) < VIOLATIONS_MAX:
        state.breaks_by_journal.append((number, f"journal {journal} : le numéro {rank} suit le {before}"))
    if state.last_number not in (None, rank - 1) and len(state.breaks_of_file) < VIOLATIONS_MAX:
        state.breaks_of_file.append((number, f"le numéro {rank} suit le {state.last_number}"))
    state.last_numbers[journal], state.last_number = rank, rank


def _end_file(state: _State) -> None:
    """Say what only the whole file shows: on which sequence its numbers are, and whether its year is the first."""
    for number, detail in min(state.breaks_by_journal, state.breaks_of_file, key=len):
        state.say("numbering", number, detail)
    if state.early is not None and state.is_opened_again:
        number, on = state.early
        state.say(
            "dates",
            number,
            f"EcritureDate {on} est à plus de douze mois de la clôture, et ce n’est pas le premier exercice",
        )


def _end_entry(state: _State) -> None:
    entry = state.entry
    if entry is None:
        return
    if entry.cents:
        state.say(
            "entry_balances",
            entry.first_line,
            f"écriture {entry.journal} {entry.number} : écart de {_euros(entry.cents)}",
        )
    if entry.lines < 2:
        state.say("entry_balances", entry.first_line, f"écriture {entry.journal} {entry.number} : une seule ligne")
    state.entry = None


def _day(text: str) -> date | None:
    if not re.fullmatch(r"\d{8}", text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a civil day has no zone
    except ValueError:
        return None


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bare(text: str) -> str:
    return unicodedata.normalize("NFKD", text).casefold()


def _year_before(day: date) -> date:
    """Return the day on which the year before ended; a 29 February follows a 28."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def _euros(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100},{abs(cents) % 100:02d}"
