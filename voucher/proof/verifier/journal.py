"""The third part of the archive's verifier: what signed texts claim of the journal, and the journal, read once."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

from voucher.proof.verifier.archive import Archive, Manifest, Report
from voucher.proof.verifier.proofs import (
    Keys,
    Proof,
    Tree,
    check_proof,
    in_words,
    leaf_of,
    open_checkpoint,
    open_proof,
    text_of,
    trail_in,
)

ENTRY_FORMAT = "pass-numerique/entry/1"
AFTER_ALL = "9999"  # after any instant, as archives write them
HEADER = "id event_type event_id journal posted_at posted_by effective_on reverses_id movement_count total_cents"
BATCH_EVENTS = ("batch_frozen", "batch_exported", "advice_set_aside")
BOOKED_EVENTS = (
    "transfer_booked", "transfer_returned", "unknown_debit_booked", "unknown_credit_booked", "bank_charged", "bank_charge_refunded",
)  # fmt: skip
# Those of a line's own entry, then those of what it was matched with later.
BANK_EVENTS = {
    *BOOKED_EVENTS, "debit_identified", "credit_identified", "charge_identified", "charge_refund_identified",
    "funds_identified", "advance_refunded", "advance_returned", "overpayment_repaid",
}  # fmt: skip
UNSEALED_FOR_MAX = timedelta(days=2)


class Account(NamedTuple):
    """An account of the chart, for one funder, agreement or structure."""

    key: str
    code: str
    book: str
    funder: str
    agreement: str


NOWHERE = Account("?", "?", "?", "", "")


class Claims:
    """What is claimed of the journal: roots, by size, with where each was read; proofs of entries, by leaf."""

    def __init__(self, archive: Archive, report: Report, keys: Keys, outside: list[str], proofs: list[str]) -> None:
        self.roots: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
        self.proofs: dict[int, list[Proof]] = defaultdict(list)
        self.sealed_size, self.sealed_at = 0, ""  # as the archive's last checkpoint has them
        # Of the audit trail: what the notes of today's operator say; that of an operator before stayed there.
        self.trail: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
        self.since = keys.since
        for handover in keys.handovers:
            self.roots[handover.size].append((f"seal_handover.csv, taille {handover.size}", handover.root))
        for told, hexadecimal, note, at in archive.rows("checkpoint", "size root note sealed_at"):
            where = f"checkpoint.csv, taille {told}"
            try:
                size, root = open_checkpoint(note, keys.of)
            except ValueError as bad:
                report.wrong("point de contrôle", where, str(bad))
                continue
            if (told, hexadecimal) != (str(size), root.hex()):
                report.wrong("point de contrôle", where, "la note signée dit une autre taille ou une autre racine")
            self.roots[size].append((where, root))
            self.hear_trail(where, note, size)
            self.sealed_size, self.sealed_at = max((self.sealed_size, self.sealed_at), (size, at))
        for path in outside:
            try:
                note = text_of(path)
                size, root = open_checkpoint(note, keys.of)
                self.roots[size].append((path, root))
                self.hear_trail(path, note, size)
            except ValueError as bad:
                report.wrong("point de contrôle", path, str(bad))
        for path in proofs:
            try:
                proof = open_proof(path, text_of(path), keys.of)
                self.roots[proof.size].append((path, proof.root))
                self.proofs[proof.leaf].append(proof)
                self.hear_trail(path, proof.note, proof.size)
            except ValueError as bad:
                report.wrong("preuve", path, str(bad))

    def hear_trail(self, where: str, note: str, journal_size: int) -> None:
        """Take what a note that is well signed says of the audit trail."""
        said = trail_in(note)
        if said is not None and journal_size > self.since:
            self.trail[said[0]].append((where, said[1]))


class Ledger:
    """The journal, read once: its seals and roots, and what facts are compared with."""

    def __init__(self, archive: Archive, report: Report) -> None:
        self.archive, self.report, self.tree, self.unsealed = archive, report, Tree(), 0
        self.wrong = report.wrong
        rows = archive.rows("account", "id key code book funder_id agreement_id")
        self.accounts = {row[0]: Account(*row[1:]) for row in rows}
        self.chart = json.loads(archive.bytes("chart.json"))
        self.pairs: Counter[tuple[str, str]] = Counter()  # cents by (debited account, credited account)
        # Movements by event, codes, and whether it reverses.
        self.kinds: Counter[tuple[str, str, str, bool]] = Counter()
        self.facts: dict[str, dict[str, int]] = defaultdict(dict)  # total cents by event type and fact
        self.reversed: set[str] = set()
        self.days: dict[tuple[str, str], tuple[str, str]] = {}  # of the bank's entries: when they count, when written
        has_starts = "rule_start.csv" in archive.names  # the journal alone has no facts, whose checks read it again
        rows = archive.rows("rule_start", "rule written_until") if has_starts else iter(())
        starts = {row[0]: row[1] for row in rows}
        # Entries written until then keep the days they had: all those of an archive that is older than the rule.
        self.spared_until = AFTER_ALL if archive.format < 2 else starts.get("bank_day", "")
        self.is_start_written = archive.format < 2 or not self.spared_until
        self.moved: Counter[tuple[str, ...]] = Counter()  # cents of a batch's events by type, fact, codes

    def read(self, claims: Claims) -> None:
        """Walk over seals, entries and movements together: all three are in the seals' order."""
        entries = self.archive.rows("entry", f"{HEADER} narration")
        moves = self.archive.rows("movement", "entry_id rank book debit_account_id credit_account_id amount_cents")
        groups = ((entry_id, list(rows)) for entry_id, rows in groupby(moves, itemgetter(0)))
        entry, group = next(entries, None), next(groups, None)
        for leaf, entry_id, hexadecimal in self.archive.rows("seal", "leaf entry_id leaf_hash"):
            mine: list[tuple[str, ...]] = []
            if group and group[0] == entry_id:
                mine, group = group[1], next(groups, None)
            if int(leaf) != self.tree.size:
                self.wrong("scellement", "seal", f"feuille {leaf} : celles à partir de {self.tree.size} manquent")
            if entry is None or entry[0] != entry_id:
                self.wrong("scellement", "entry", f"feuille {leaf} : l’écriture {entry_id} a été retirée")
            else:
                if leaf_of(self.take(entry, mine)).hex() != hexadecimal:
                    self.wrong("scellement", "entry", f"feuille {leaf} : l’écriture {entry_id} a changé depuis")
                entry = next(entries, None)
            self.compare_proofs(claims.proofs.pop(self.tree.size, ()), entry_id, bytes.fromhex(hexadecimal))
            self.tree.append(bytes.fromhex(hexadecimal))
            self.compare(claims.roots.pop(self.tree.size, ()))
        waiting = []
        for one in chain([entry] if entry else [], entries):
            mine = []
            if group and group[0] == one[0]:
                mine, group = group[1], next(groups, None)
            self.take(one, mine)
            waiting.append((one[4], one[0]))
        for entry_id, _ in chain([group] if group else [], groups):
            self.wrong("écriture", "movement", f"les mouvements de {entry_id} n’ont pas d’écriture")
        self.finish(claims, waiting)

    def finish(self, claims: Claims, waiting: list[tuple[str, str]]) -> None:
        """What is claimed of more than there is was cut off; what is sealed has a signed root; what waits does not wait long."""
        if self.tree.size > claims.sealed_size:
            detail = (
                f"{self.tree.size} écritures scellées, {claims.sealed_size} sous le dernier point de contrôle signé"
            )
            self.wrong("point de contrôle", "checkpoint", detail)
        for proof in chain.from_iterable(claims.proofs.values()):
            self.wrong("preuve", proof.where, f"le journal n’a pas de feuille {proof.leaf}")
        for size, late in sorted(claims.roots.items()):
            for where, _ in late:
                self.wrong(
                    "point de contrôle",
                    where,
                    f"il scelle {size} écritures, il en reste {self.tree.size} : fin retirée",
                )
        self.unsealed = len(waiting)
        limit = before(max(claims.sealed_at, waiting[-1][0]), UNSEALED_FOR_MAX) if claims.sealed_at and waiting else ""
        for posted_at, entry_id in waiting:
            if posted_at < limit:
                self.wrong("scellement", "entry", f"l’écriture {entry_id}, du {posted_at}, n’a pas reçu de scellé")

    def compare_proofs(self, proofs: Iterable[Proof], entry_id: str, hashed: bytes) -> None:
        """Compare a sealed entry with the proofs of it that are kept outside."""
        for proof in proofs:
            if proof.entry is not None and leaf_of(proof.entry) != hashed:
                detail = f"le journal a une autre écriture à la feuille {proof.leaf} : {entry_id}"
                self.wrong("preuve", proof.where, detail)
                continue
            said = in_words(proof.entry) if proof.entry else f"l’écriture {entry_id}"
            check_proof(self.report, proof, hashed, said)

    def compare(self, claims: Iterable[tuple[str, bytes]]) -> None:
        """Compare the root with what checkpoints of this size claim."""
        for where, root in claims:
            if root != self.tree.root():
                self.wrong(
                    "point de contrôle", where, "sa racine n’est pas celle du journal : deux journaux, ou un réécrit"
                )

    def take(self, entry: tuple[str, ...], moves: list[tuple[str, ...]]) -> bytes:
        """Count one entry with its movements in; return its canonical bytes (docs/proof.md)."""
        entry_id, event_type, event_id, reverses, count, total = itemgetter(0, 1, 2, 7, 8, 9)(entry)
        is_of_batch, lines, found = event_type in BATCH_EVENTS, [], 0
        for _, rank, book, debit, credit, amount in moves:
            cents, left, right = int(amount), self.accounts.get(debit, NOWHERE), self.accounts.get(credit, NOWHERE)
            if cents <= 0 or debit == credit or not left.book == right.book == book:
                self.wrong("écriture", "movement", f"un mouvement de {entry_id} n’est pas équilibré dans un seul livre")
            found += cents
            self.pairs[debit, credit] += cents
            self.kinds[event_type, left.code, right.code, bool(reverses)] += 1
            if is_of_batch:
                self.moved[event_type, event_id, left.code, right.code] += cents
            lines.append(f"{rank}\t{book}\t{left.key}\t{right.key}\t{amount}\n")
        if (len(moves), found) != (int(count), int(total)) or not moves:
            detail = f"{entry_id} annonce {count} mouvements et {total} centimes, {len(moves)} et {found} trouvés"
            self.wrong("écriture", "entry", detail)
        if event_id in self.facts[event_type] or reverses in self.reversed:
            self.wrong("écriture", "entry", f"le fait de {entry_id} est écrit, ou contre-passé, deux fois")
        if reverses:
            self.reversed.add(reverses)
        self.facts[event_type][event_id] = int(total)
        self.is_start_written = self.is_start_written or entry[4] == self.spared_until
        if event_type in BANK_EVENTS:
            self.days[event_type, event_id] = (entry[6], entry[4])
        said = "".join([ENTRY_FORMAT, "\n", *(f"{field}\n" for field in entry[:10]), *lines])
        # With a line feed in a field, other fields would have the same bytes.
        if said.count("\n") != 11 + len(lines):
            self.wrong("écriture", "entry", f"un champ de {entry_id} a plus d’une ligne")
        return f"{said}\n{entry[10]}".encode()

    def check(self, manifest: Manifest) -> None:
        """The manifest tells this journal; movements follow the chart; accounts are on their side; budgets are balanced."""
        size, unsealed = self.tree.size, self.unsealed
        found = {"size": size, "root": self.tree.root().hex() if size else None, "entries": size + unsealed}
        if manifest.claims != found:
            self.wrong("manifeste", "manifest.json", f"il dit {manifest.claims}, le journal {found}")
        for (event_type, debit, credit, is_reversal), count in self.kinds.items():
            allowed = self.chart["events"].get(event_type, {}).get("moves", [])
            if [debit, credit] not in allowed and (allowed or not is_reversal):
                self.wrong("plan comptable", "movement", f"{count} mouvements « {event_type} » de {debit} à {credit}")
        by_funder, balances = Counter[str](), self.balances()
        for account_id, account in self.accounts.items():
            derived = int.from_bytes(sha256(account.key.encode()).digest()[:8], "big") >> 1
            if derived != int(account_id) or account.key.split(" ")[0] != account.code:
                self.wrong("plan comptable", "account", f"{account.key} n’a pas l’identifiant de sa clé")
            line, balance = self.chart["accounts"].get(account.code, {}), balances[account_id]
            # Seals hold an account's key alone: what other columns say of it must come from there.
            dimensions = dict(part.split("=") for part in account.key.split(" ")[1:])
            told = (account.book, account.funder, account.agreement)
            if told != (line.get("book"), dimensions.get("funder", ""), dimensions.get("agreement", "")):
                self.wrong(
                    "plan comptable", "account", f"{account.key} se dit d’un autre livre, financeur ou convention"
                )
            if not line or (line["is_strict"] and balance and (balance > 0) != (line["normal_side"] == "debit")):
                self.wrong(
                    "plan comptable", "account", f"{account.key} a un solde du mauvais côté : {balance} centimes"
                )
            if account.book == "budget":
                by_funder[account.funder] += balance
        for funder, gap in by_funder.items():
            if gap:
                self.wrong("équilibre", "movement", f"le budget du financeur {funder} a un écart de {gap} centimes")

    def balances(self) -> Counter[str]:
        """Return each account's debits less credits, in cents."""
        found: Counter[str] = Counter()
        for (debit, credit), cents in self.pairs.items():
            found[debit] += cents
            found[credit] -= cents
        return found

    def sums(self, of: Callable[[Account], tuple[str, ...]]) -> Counter[tuple[str, ...]]:
        """Return balances summed by what `of` says of an account."""
        found: Counter[tuple[str, ...]] = Counter()
        for account_id, balance in self.balances().items():
            found[of(self.accounts.get(account_id, NOWHERE))] += balance
        return found


def before(instant: str, span: timedelta) -> str:
    """The instant so much earlier, in the same form."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ"
    return (datetime.strptime(instant, form) - span).strftime(form)  # noqa: DTZ007 - both are UTC
