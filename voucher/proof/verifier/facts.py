"""The fifth part of the archive's verifier: what the journal tells, against what the tables say."""

from collections import Counter, defaultdict
from itertools import chain

from voucher.proof.verifier.archive import Archive, Report
from voucher.proof.verifier.journal import BOOKED_EVENTS, NOWHERE, Ledger

OWED = ("4670", "4671", "4675", "4678", "5115", "6540")  # what structures are owed, owe back, or are being paid
CLOSE_ITEMS = (
    "open_periods", "statement_gaps", "no_recent_statement", "lines_to_identify", "uses_not_called", "in_transit",
)  # fmt: skip
DUPLICATES = ("AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL")  # a bank's codes for what it has had before
USED_EVENTS = ("vouchers_redeemed", "vouchers_redeemed_from_stock")


class Facts:
    """What the journal tells, as the tables say it; each side of an equation comes from other tables than the other's."""

    def __init__(self, archive: Archive, report: Report, ledger: Ledger) -> None:
        self.archive, self.ledger, self.wrong = archive, ledger, report.wrong
        self.balances = ledger.sums(lambda account: (account.code, account.agreement))

    def check(self) -> None:
        """Check vouchers, then redemptions, then settlement, then what funders and structures are owed, then closed years."""
        due = self.redemptions(self.vouchers())
        self.periods(due)
        self.equations(self.batches())
        self.closes()

    def keyed(self, table: str, columns: str) -> dict[str, tuple[str, ...]]:
        """Return a table's rows by their first column, which tells each once."""
        found: dict[str, tuple[str, ...]] = {}
        for row in self.archive.rows(table, columns):
            if found.setdefault(row[0], row) is not row:
                self.wrong("doublon", table, f"{row[0]} est là deux fois")
        return found

    def vouchers(self) -> bytearray:
        """Stages sum to what was issued, by agreement; return which serials are used."""
        columns = "first_serial voucher_count face_value_cents made_booklet_count booklet_size agreement_id id"
        rows = self.archive.rows("issue_batch", columns)
        batches = sorted((int(a), int(b), int(c), int(d) * int(e), f, g) for a, b, c, d, e, f, g in rows)
        used = bytearray(batches[-1][0] + batches[-1][1] if batches else 1)
        states: Counter[tuple[str, str]] = Counter()  # cents by (agreement, state)
        vouchers = self.archive.rows("voucher", "serial state")
        voucher, last = next(vouchers, None), -1
        for first, count, face, made, agreement, batch_id in batches:
            found: Counter[str] = Counter()
            while voucher and (serial := int(voucher[0])) < first + count:
                if serial < first or serial <= last:
                    self.wrong("chèques", "voucher", f"le chèque {serial} n’est d’aucune commande, ou est là deux fois")
                else:
                    found[voucher[1]] += 1
                    used[serial], last = voucher[1] == "redeemed", serial
                voucher = next(vouchers, None)
            if found.total() != made:
                self.wrong("chèques", "voucher", f"la commande {batch_id} : {found.total()} chèques sur {made}")
            states[agreement, "ordered"] += count * face
            for state, number in found.items():
                states[agreement, state] += number * face
        for serial_, _ in chain([voucher] if voucher else [], vouchers):
            self.wrong("chèques", "voucher", f"le chèque {serial_} n’est d’aucune commande")
        for agreement in {one for one, _ in states}:
            ended = sum(states[agreement, one] for one in ("handed_over", "redeemed", "stopped", "lapsed", "void"))
            held, spent = states[agreement, "handed_over"], states[agreement, "redeemed"]
            for code, cents in (("8040", states[agreement, "ordered"] - ended), ("8045", held), ("8050", spent)):
                if (balance := self.balances[code, agreement]) != cents:
                    detail = f"convention {agreement} : {cents} centimes de chèques, {balance} au compte {code}"
                    self.wrong("étapes", "voucher", detail)
        return used

    def redemptions(self, used: bytearray) -> Counter[tuple[str, str]]:
        """A voucher is used once; each redemption has its entry, and back; return cents due by (period, structure)."""
        live, lines, due = bytearray(len(used)), Counter[str](), Counter[tuple[str, str]]()
        for redemption_id, serial, is_live in self.archive.rows("redeemed_voucher", "redemption_id serial is_live"):
            if is_live == "1":
                lines[redemption_id] += 1
                if not 0 <= int(serial) < len(live) or live[int(serial)]:
                    self.wrong(
                        "usage unique", "redeemed_voucher", f"le chèque {serial} a servi deux fois, ou n’existe pas"
                    )
                    continue
                live[int(serial)] = 1
        for number in (one for one in range(len(used)) if used[one] != live[one]):
            self.wrong("usage unique", "voucher", f"l’état du chèque {number} contredit ses encaissements")
        facts = self.ledger.facts
        entries = {fact: cents for event in USED_EVENTS for fact, cents in facts[event].items()}
        clawed_back = {one for one, _ in self.archive.rows("overpayment", "redemption_id id")}
        released = {one for one, yes in self.archive.rows("dispute", "redemption_id is_released") if yes == "1"}
        columns = "id state voucher_count amount_cents period_id structure_id"
        for one, state, count, amount, period, structure in self.archive.rows("redemption", columns):
            if entries.pop(one, None) != 2 * int(amount) or (state == "undone") != (one in facts["redemption_undone"]):
                self.wrong("encaissement", "redemption", f"l’encaissement {one} et le registre se contredisent")
            if lines[one] != (int(count) if state in ("confirmed", "disputed") else 0):
                self.wrong("encaissement", "redemption", f"l’encaissement {one} n’a pas ses {count} chèques")
            # What its period's line paid: confirmed at that moment; what a dispute freed later has a line of its own.
            if (state == "confirmed" or one in clawed_back) and one not in released:
                due[period, structure] += int(amount)
        for gone in entries:
            self.wrong("encaissement", "entry", f"l’encaissement {gone} a été retiré : il reste son écriture")
        return due

    def periods(self, due: Counter[tuple[str, str]]) -> None:
        """A period is in one batch, once closed, which pays it in full, once, to each structure."""
        batches = Counter(period for period, _ in self.archive.rows("settlement_batch", "period_id id") if period)
        closed = {one for one, closed_at in self.archive.rows("period", "id closed_at") if closed_at}
        for period, count in batches.items():
            if count > 1 or period not in closed:
                self.wrong(
                    "période", "settlement_batch", f"la période {period} est dans {count} lots, ou encore ouverte"
                )
        settled, sources = Counter[tuple[str, str]](), Counter[tuple[str, ...]]()
        for nature, source, structure, amount in self.archive.rows(
            "advice_line", "nature source_id structure_id amount_cents"
        ):
            sources[nature, source, structure] += 1
            if nature == "period":
                settled[source, structure] += int(amount)
        for one in [one for one, count in sources.items() if count > 1]:
            self.wrong("double paiement", "advice_line", f"{' '.join(one)} est payé {sources[one]} fois")
        for period, structure in due.keys() | settled.keys():
            one = (period, structure)
            if (period in batches or settled[one]) and due[one] != settled[one]:
                detail = (
                    f"structure {structure}, période {period} : {due[one]} centimes encaissés, {settled[one]} réglés"
                )
                self.wrong("règlement", "advice_line", detail)

    def batches(self) -> Counter[str]:
        """A batch is its advices, its files and its entries; return cents paid by agreement."""
        columns = "id number agreement_id total_cents exported_at frozen_by approved_by"
        batches = self.keyed("settlement_batch", columns)
        advices = self.keyed("payment_advice", "id batch_id reference amount_cents state is_payable")
        lines, aside, paid = Counter[str](), Counter[str](), Counter[str]()
        for advice, amount in self.archive.rows("advice_line", "advice_id amount_cents"):
            lines[advice] += int(amount)
        payable: dict[str, Counter[str]] = defaultdict(Counter)
        for one, batch, reference, amount, state, is_payable in advices.values():
            if batch not in batches or int(amount) < 0:
                self.wrong("règlement", "payment_advice", f"{reference} n’est d’aucun lot, ou d’un montant négatif")
                continue
            if lines[one] != int(amount):
                self.wrong(
                    "règlement", "payment_advice", f"{reference} vaut {amount} centimes, ses lignes {lines[one]}"
                )
            if is_payable == "1":
                payable[batch][reference] += int(amount)
            aside[batch] += self.ledger.moved["advice_set_aside", one, "4675", "4670"]
            if state == "paid":
                paid[batches[batch][2]] += int(amount)
        files, transfers = self.transfers()
        for one, number, _, total, exported, frozen_by, approved_by in batches.values():
            sides = [
                int(total),
                payable[one].total(),
                self.ledger.moved["batch_frozen", one, "4670", "4675"] - aside[one],
            ]
            sides += [self.ledger.moved["batch_exported", one, "4675", "5115"]] if exported else []
            if len(set(sides)) > 1:
                self.wrong(
                    "lot", "settlement_batch", f"{number} : total, règlements et registre diffèrent, {sides} centimes"
                )
            if one in files and transfers[one] != payable[one]:
                self.wrong("lot", "payment_file_transfer", f"le fichier du lot {number} ne paie pas ses règlements")
            if approved_by and approved_by == frozen_by:
                self.wrong("lot", "settlement_batch", f"{number} : qui l’a arrêté l’a aussi validé")
        self.bank(advices)
        self.duplicates(advices)
        return paid

    def duplicates(self, advices: dict[str, tuple[str, ...]]) -> None:
        """What a bank called a duplicate is owed again only if two people answered that the first sending never came."""
        reports: dict[str, set[str]] = defaultdict(set)
        for advice, kind in self.archive.rows("transfer_report", "advice_id kind"):
            reports[advice].add(kind)
        people: dict[tuple[str, str], list[str]] = defaultdict(list)
        columns = "advice_id outcome answered_by withdrawn_at"
        for advice, outcome, person, withdrawn_at in self.archive.rows("duplicate_answer", columns):
            if "duplicate" not in reports[advice]:
                self.wrong(
                    "doublon", "duplicate_answer", f"le règlement {advice} n’est annoncé en double par aucun fichier"
                )
            if not withdrawn_at:
                people[advice, outcome].append(person)
        for (advice, _), answered in people.items():
            if len(set(answered)) < len(answered):
                self.wrong(
                    "doublon", "duplicate_answer", f"la même personne répond deux fois pour le règlement {advice}"
                )
        # What was debited, then came back, is owed again whatever the bank's reason.
        rows = self.archive.rows("payment_advice", "id state_reason paid_on")
        reasons = {one: "" if paid_on else reason for one, reason, paid_on in rows}
        for one, _, reference, amount, state, _ in advices.values():
            by_people = "duplicate" in reports[one] and reasons[one] == "NOOR"
            is_owed_again = state in ("rejected", "taken_up") and (by_people or reasons[one] in DUPLICATES)
            if is_owed_again and len(set(people[one, "never_came"])) < 2:
                detail = f"{reference}, {amount} centimes, est à payer de nouveau sans que deux personnes l’aient dit"
                self.wrong("doublon", "payment_advice", detail)

    def transfers(self) -> tuple[set[str], dict[str, Counter[str]]]:
        """Return the batches that left in bank files, and what these files pay: cents by batch and reference."""
        rows = self.archive.rows("payment_file", "id batch_id kind")
        files = {one: batch for one, batch, kind in rows if kind.startswith("pain.001")}
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for file, reference, amount in self.archive.rows(
            "payment_file_transfer", "payment_file_id end_to_end_id amount_cents"
        ):
            if file not in files or int(amount) <= 0:
                self.wrong(
                    "lot", "payment_file_transfer", f"{reference} n’est d’aucun fichier, ou d’un montant négatif"
                )
                continue
            found[files[file]][reference] += int(amount)
        return set(files.values()), found

    def bank(self, advices: dict[str, tuple[str, ...]]) -> None:
        """Each line of the bank is in the books once, and 5120 is the bank's account; then what lines pay."""
        columns = "id key amount_cents is_credit paying_account_id booked_on"
        lines = {one: row[1:] for one, row in self.keyed("bank_line", columns).items()}
        keys = Counter(key for key, *_ in lines.values())
        banks: Counter[str] = Counter()
        for one, (key, amount, is_credit, account_id, _) in lines.items():
            banks[account_id] += int(amount) if is_credit == "1" else -int(amount)
            booked = {self.ledger.facts[event][one] for event in BOOKED_EVENTS if one in self.ledger.facts[event]}
            if booked != {int(amount)} or keys[key] > 1 or int(amount) <= 0:
                self.wrong(
                    "banque", "bank_line", f"la ligne {key} n’a pas d’écriture de son montant, ou est là deux fois"
                )
        balances = self.ledger.sums(lambda one: (one.code, one.key.partition("bank_account=")[2]))
        for (code, account_id), balance in balances.items():
            if code == "5120" and balance != banks[account_id]:
                detail = f"compte payeur {account_id} : {banks[account_id]} centimes de lignes, {balance} au registre"
                self.wrong("banque", "bank_line", detail)
        self.days({one: row[-1] for one, row in lines.items()})
        self.matches(lines, advices)

    def days(self, booked_on: dict[str, str]) -> None:
        """What a line causes counts on the bank's day, or, late, on the first day after a closed year."""
        rows = self.archive.rows("fiscal_year", "following_on closed_at")
        after_close = {following_on for following_on, closed_at in rows if closed_at}
        until = self.ledger.spared_until
        if not self.ledger.is_start_written:
            self.wrong(
                "jour de banque", "rule_start", f"épargne ce qui fut écrit jusqu’à {until}, où rien ne fut écrit"
            )
        matched = chain(self.archive.rows("bank_match", "id line_id"), self.archive.rows("recovery", "id bank_line_id"))
        line_of = {row[0]: row[1] for row in matched}
        for (event, fact), (day, posted_at) in self.ledger.days.items():
            banks = booked_on.get(fact if event in BOOKED_EVENTS else line_of.get(fact, ""), "")
            if posted_at > until and day != banks and not (day > banks and day in after_close):
                detail = f"{event} {fact} compte le {day}, la banque dit le {banks or '(pas de ligne)'}"
                self.wrong("jour de banque", "entry", detail)

    def matches(self, lines: dict[str, tuple[str, ...]], advices: dict[str, tuple[str, ...]]) -> None:
        """Paid means one debit of the bank, of the same amount, used for nothing else."""
        sides: dict[str, Counter[str]] = defaultdict(Counter)
        matched: Counter[str] = Counter()
        columns = "line_id kind advice_id amount_cents undone_at"
        for line, kind, advice, amount, _ in (row for row in self.archive.rows("bank_match", columns) if not row[4]):
            matched[line] += int(amount)
            if int(amount) <= 0 or line not in lines:
                self.wrong("banque", "bank_match", f"la ligne {line} manque, ou sert pour un montant négatif")
            if advice:
                sides[kind][advice] += 1
                is_right = line in lines and advice in advices and advices[advice][3] == amount
                if not is_right or (kind == "return") != (lines[line][2] == "1"):
                    detail = f"la ligne {line} n’est pas du montant ou du sens de son règlement"
                    self.wrong("banque", "bank_match", detail)
        for line in [one for one, cents in matched.items() if cents > int(lines.get(one, ("", "0"))[1])]:
            self.wrong("double paiement", "bank_match", f"la ligne {line} sert pour plus que son montant")
        for one, _, reference, _, state, _ in advices.values():
            debits, credits_ = sides["payment"][one], sides["return"][one]
            if debits > 1 or credits_ > 1:
                self.wrong("double paiement", "bank_match", f"{reference} a {debits} débits et {credits_} retours")
            if state == "paid" and (debits, credits_) != (1, 0):
                self.wrong("banque", "payment_advice", f"{reference} est « payé » sans une ligne de relevé")
            if state in ("held", "due", "in_file", "rejected") and debits:
                self.wrong("banque", "payment_advice", f"{reference} est « {state} », la banque l’a débité")

    def closes(self) -> None:
        """Before a year is closed two people sign its list, each with a reason for the same things that are left."""
        if self.archive.format < 2:
            return  # there was no such list
        until = {row[0]: row[1] for row in self.archive.rows("rule_start", "rule written_until")}.get(
            "close_checks", ""
        )
        columns = "year proposal_id said_by item found_count found_cents reason"
        signed = {row[:4]: row[4:] for row in self.archive.rows("close_check", columns)}
        rows = list(self.archive.rows("fiscal_year", "year proposal_id proposed_by closed_at closed_by"))
        if until and until not in {row[3] for row in rows}:
            self.wrong("clôture", "rule_start", f"épargne ce qui fut clos jusqu’à {until}, où rien ne fut clos")
        for year, proposal, proposed_by, closed_at, closed_by in rows:
            for item in CLOSE_ITEMS if closed_at > until else ():
                theirs = signed.get((year, proposal, proposed_by, item))
                mine = signed.get((year, proposal, closed_by, item))
                if theirs is None or mine is None:
                    self.wrong("clôture", "close_check", f"{year} est clos sans {item}, signé par les deux personnes")
                elif mine[0] != "0" and (mine[:2] != theirs[:2] or not mine[2] or not theirs[2]):
                    self.wrong(
                        "clôture", "close_check", f"{year}, {item} : les deux personnes n’acceptent pas la même chose"
                    )

    def equations(self, paid: Counter[str]) -> None:
        """What is used is owed, in transit, paid or given back; and called from, advanced or still owed by each funder."""
        repaid, called = Counter[str](), Counter[tuple[str, str]]()
        for (debit, credit), cents in self.ledger.pairs.items():
            left, right = self.ledger.accounts.get(debit, NOWHERE), self.ledger.accounts.get(credit, NOWHERE)
            for one, other, signed in ((left, right, cents), (right, left, -cents)):
                if one.code == "4711" and other.code == "4671":
                    repaid[other.agreement] += signed
                if one.code in ("4431", "4432") and other.code == "4430":
                    called[other.funder, other.agreement] += signed
        for agreement in {agreement for code, agreement in self.balances if code == "8050"}:
            used, owed = self.balances["8050", agreement], -sum(self.balances[code, agreement] for code in OWED)
            if used != owed + paid[agreement] - repaid[agreement]:
                detail = f"{used} centimes utilisés, {owed} dus ou en transit, {paid[agreement]} payés, {repaid[agreement]} rendus"
                self.wrong("étapes", "account", f"convention {agreement} : {detail}")
        shares = self.ledger.sums(lambda account: (account.code, account.funder, account.agreement))
        for _, funder, agreement in [share for share in shares if share[0] == "8050"]:
            used = shares["8050", funder, agreement]
            side = shares["4430", funder, agreement] + called[funder, agreement]
            if used != side:
                detail = f"financeur {funder}, convention {agreement} : {used} centimes utilisés, {side} à sa charge"
                self.wrong("équilibre", "account", detail)
