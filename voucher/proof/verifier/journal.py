"""The first part of the archive's verifier: the archive as files, the tree, signatures, and the journal read once."""

import base64
import csv
import io
import json
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SHOWN_MAX = 50  # of each kind: what is wrong a thousand times is said fifty times, then counted
ENTRY_FORMAT = "pass-numerique/entry/1"
AUDIT_FORMAT, AUDIT_DOMAIN = "pass-numerique/audit/1", b"pass-numerique/audit/1\0"
HEADER = "id event_type event_id journal posted_at posted_by effective_on reverses_id movement_count total_cents"
BATCH_EVENTS = ("batch_frozen", "batch_exported", "advice_set_aside")
HANDOVER_DOMAIN = b"pass-numerique/takeover/1\0"
Claims = dict[int, list[tuple[str, bytes]]]  # by size: where a checkpoint was read, and its root


class Account(NamedTuple):
    """An account of the chart, for one funder, agreement or structure."""

    key: str
    code: str
    book: str
    funder: str
    agreement: str


NOWHERE = Account("?", "?", "?", "", "")


class Unreadable(Exception):
    """The archive, or a file given beside it, cannot be read; the message is French."""


class Report:
    """The violations found, by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def wrong(self, kind: str, table: str, detail: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_MAX:
            say(f"✗ {kind} — {table}.csv : {detail}" if table.isidentifier() else f"✗ {kind} — {table} : {detail}")

    def conclude(self) -> int:
        for kind, count in self.counts.items():
            if count > SHOWN_MAX:
                say(f"✗ {kind} — et {count - SHOWN_MAX} autres")
        say("Tout est juste." if not self.counts else f"{self.counts.total()} écarts.")
        return 1 if self.counts else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


class Archive:
    """The files of the archive, in a zip file or in the folder it was unpacked into."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "audit" if (path / "audit").is_dir() else path
        self.zip = None if path.is_dir() else zipfile.ZipFile(path)
        names = self.zip.namelist() if self.zip else [one.name for one in self.folder.iterdir() if one.is_file()]
        self.names = [name.removeprefix("audit/") for name in names]
        # Other methods cannot be bounded as they unpack.
        if self.zip and any(one.compress_type not in (0, zipfile.ZIP_DEFLATED) for one in self.zip.infolist()):
            raise Unreadable("elle est compressée d'une façon qui n'est pas la nôtre")

    def open(self, name: str) -> IO[bytes]:
        if self.names.count(name) != 1:
            raise Unreadable(f"le fichier {name} manque, ou est là deux fois")
        return self.zip.open(f"audit/{name}") if self.zip else (self.folder / name).open("rb")

    def bytes(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def rows(self, table: str, columns: str) -> Iterator[tuple[str, ...]]:
        """Give these columns, two or more, of each row of a table."""
        with self.open(f"{table}.csv") as file:
            lines = csv.reader(io.TextIOWrapper(file, "utf-8", newline=""))
            header = next(lines, [])
            missing = [one for one in columns.split() if one not in header]
            if missing:
                raise Unreadable(f"{table}.csv n'a pas les colonnes {', '.join(missing)}")
            yield from map(itemgetter(*map(header.index, columns.split())), lines)


def node(left: bytes, right: bytes) -> bytes:
    """The hash above two others (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A Merkle tree that grows by its right side: one hash for each bit of its size."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, hashed: bytes) -> None:
        size = self.size
        while size & 1:
            hashed = node(self.peaks.pop(), hashed)
            size >>= 1
        self.peaks.append(hashed)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return sha256().digest()
        hashed = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            hashed = node(peak, hashed)
        return hashed


def read_key(text: str) -> bytes:
    """Return the 32 bytes of a verifier key: `<name>+<id>+<base64 of 0x01 and the key>`."""
    encoded = text.strip().partition("+")[2].partition("+")[2]
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if len(key) != 33 or key[:1] != b"\x01":
        raise Unreadable("la clé donnée n'est pas de la forme « nom+identifiant+clé »")
    return key[1:]


def open_note(note: str, key_of: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Return the size and root that a signed checkpoint says (C2SP signed-note). Raises ValueError in French."""
    text, _, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if len(lines) < 3 or not lines[1].isdigit():
        raise ValueError("ce n'est pas un point de contrôle")
    key = key_of(int(lines[1]))
    name = lines[0]  # the journal's on that day: the programme may have moved since, its key tells it
    key_id = sha256(name.encode() + b"\n\x01" + key).digest()[:4]
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.rpartition(" ")
        try:
            signed = base64.b64decode(encoded, validate=True)
        except ValueError:
            continue
        if dash == "—" and signer == name and signed[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signed[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise ValueError("sa signature est fausse") from None
            return int(lines[1]), base64.b64decode(lines[2])
    raise ValueError("il n'est pas signé par la clé du programme")


def check_manifest(archive: Archive, report: Report, given: str | None) -> tuple[str, bytes]:
    """Check the programme's signature and every file's hash; return the archive's scope and the key."""
    raw = archive.bytes("manifest.json")
    manifest: dict[str, Any] = json.loads(raw)
    if manifest.get("format") != AUDIT_FORMAT:
        raise Unreadable("ce n'est pas une archive d'audit du Pass numérique, ou d'une version plus récente")
    if not given:
        say("⚠ ATTENTION : la clé est prise dans l'archive. Qui a fait l'archive a pu faire la clé : donnez --key.")
    key = read_key(given or archive.bytes("programme-key.txt").decode())
    try:
        signature = base64.b64decode(archive.bytes("manifest.sig"))
        Ed25519PublicKey.from_public_bytes(key).verify(signature, AUDIT_DOMAIN + raw)
    except (InvalidSignature, ValueError):
        report.wrong("signature", "manifest.sig", "le manifeste n'est pas signé par la clé du programme")
    listed = {one["name"]: one["sha256"] for one in manifest["files"]}
    for extra in sorted(set(archive.names) - set(listed) - {"manifest.json", "manifest.sig"}):
        report.wrong("manifeste", f"{extra}", "ce fichier n'est pas au manifeste")
    for file, expected in listed.items():
        hashed = sha256()
        with archive.open(file) as opened:
            while part := opened.read(1 << 20):
                hashed.update(part)
        if hashed.hexdigest() != expected:
            report.wrong("manifeste", file, "ses octets ne sont pas ceux du manifeste : il a été changé ou échangé")
    return manifest["scope"], key


def read_keys(archive: Archive, report: Report, key: bytes) -> Callable[[int], bytes]:
    """Return which key signs a checkpoint of a size: the programme's, or up to a take-over that of the operator before."""
    before: list[tuple[int, bytes]] = []
    columns = "size previous_public_key manifest_sha256 signature"
    for size, *texts in archive.rows("seal_handover", columns):
        previous, digest, signature = map(bytes.fromhex, texts)
        before.append((int(size), previous))
        # Nothing here proves who the operator before was: only its own publication does.
        say(
            f"⚠ Reprise : jusqu'à {size} écritures, un opérateur d'avant signait, de la clé {previous.hex()}. "
            "Comparez-la à celle qu'il publiait."
        )
        try:
            Ed25519PublicKey.from_public_bytes(previous).verify(signature, HANDOVER_DOMAIN + digest)
        except (InvalidSignature, ValueError):
            report.wrong(
                "signature", "seal_handover", f"la reprise à {size} écritures n'est pas signée de l'opérateur d'avant"
            )
    return lambda size: next((previous for until, previous in sorted(before) if size <= until), key)


def read_claims(archive: Archive, report: Report, key: bytes, outside: list[str]) -> Claims:
    """Return the roots that signed checkpoints claim, by size: the archive's and those kept outside."""
    claims: Claims = defaultdict(list)
    key_of = read_keys(archive, report, key)
    rows = archive.rows("checkpoint", "size root note")
    notes = [(f"checkpoint.csv, taille {size}", note, f"{size} {root}") for size, root, note in rows]
    notes += [(path, Path(path).read_text(encoding="utf-8"), "") for path in outside]
    for where, note, expected in notes:
        try:
            size, root = open_note(note, key_of)
        except ValueError as bad:
            report.wrong("point de contrôle", where, str(bad))
            continue
        if expected and expected != f"{size} {root.hex()}":
            report.wrong("point de contrôle", where, "la note signée dit une autre taille ou une autre racine")
        claims[size].append((where, root))
    return claims


class Ledger:
    """The journal, read once: its seals and roots, and what facts are compared with."""

    def __init__(self, archive: Archive, report: Report) -> None:
        self.archive, self.wrong, self.tree, self.unsealed = archive, report.wrong, Tree(), 0
        rows = archive.rows("account", "id key code book funder_id agreement_id")
        self.accounts = {row[0]: Account(*row[1:]) for row in rows}
        self.chart = json.loads(archive.bytes("chart.json"))
        self.pairs: Counter[tuple[str, str]] = Counter()  # cents by (debited account, credited account)
        self.kinds: Counter[tuple[str, str, str, bool]] = (
            Counter()
        )  # movements by event, codes, and whether it reverses
        self.facts: dict[str, dict[str, int]] = defaultdict(dict)  # total cents by event type and fact
        self.reversed: set[str] = set()
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
                self.wrong("scellement", "entry", f"feuille {leaf} : l'écriture {entry_id} a été retirée")
            else:
                if sha256(b"\x00" + self.take(entry, mine)).hexdigest() != hexadecimal:
                    self.wrong("scellement", "entry", f"feuille {leaf} : l'écriture {entry_id} a changé depuis")
                entry = next(entries, None)
            self.tree.append(bytes.fromhex(hexadecimal))
            self.compare(claims.pop(self.tree.size, ()))
        for size, late in sorted(claims.items()):
            for where, _ in late:
                self.wrong(
                    "point de contrôle",
                    where,
                    f"il scelle {size} écritures, il en reste {self.tree.size} : fin retirée",
                )
        for one in chain([entry] if entry else [], entries):
            mine = []
            if group and group[0] == one[0]:
                mine, group = group[1], next(groups, None)
            self.take(one, mine)
            self.unsealed += 1
        for entry_id, _ in chain([group] if group else [], groups):
            self.wrong("écriture", "movement", f"les mouvements de {entry_id} n'ont pas d'écriture")

    def compare(self, claims: Iterable[tuple[str, bytes]]) -> None:
        """Compare the root with what checkpoints of this size claim."""
        for where, root in claims:
            if root != self.tree.root():
                self.wrong(
                    "point de contrôle", where, "sa racine n'est pas celle du journal : deux journaux, ou un réécrit"
                )

    def take(self, entry: tuple[str, ...], moves: list[tuple[str, ...]]) -> bytes:
        """Count one entry with its movements in; return its canonical bytes."""
        entry_id, event_type, event_id, reverses, count, total = itemgetter(0, 1, 2, 7, 8, 9)(entry)
        is_of_batch, lines, found = event_type in BATCH_EVENTS, [], 0
        for _, rank, book, debit, credit, amount in moves:
            cents, left, right = int(amount), self.accounts.get(debit, NOWHERE), self.accounts.get(credit, NOWHERE)
            if cents <= 0 or debit == credit or not left.book == right.book == book:
                self.wrong("écriture", "movement", f"un mouvement de {entry_id} n'est pas équilibré dans un seul livre")
            found += cents
            self.pairs[debit, credit] += cents
            self.kinds[event_type, left.code, right.code, bool(reverses)] += 1
            if is_of_batch:
                self.moved[event_type, event_id, left.code, right.code] += cents
            lines.append(f"{rank}\t{book}\t{left.key}\t{right.key}\t{amount}\n")
        if (len(moves), found) != (int(count), int(total)):
            detail = f"{entry_id} annonce {count} mouvements et {total} centimes, {len(moves)} et {found} trouvés"
            self.wrong("écriture", "entry", detail)
        if event_id in self.facts[event_type] or reverses in self.reversed:
            self.wrong("écriture", "entry", f"le fait de {entry_id} est écrit, ou contre-passé, deux fois")
        if reverses:
            self.reversed.add(reverses)
        self.facts[event_type][event_id] = int(total)
        return "".join([ENTRY_FORMAT, "\n", *(f"{field}\n" for field in entry[:10]), *lines, "\n", entry[10]]).encode()

    def check(self) -> None:
        """Each movement follows the chart, each account is well made and on its side, each funder's budget is balanced."""
        for (event_type, debit, credit, is_reversal), count in self.kinds.items():
            allowed = self.chart["events"].get(event_type, {}).get("moves", [])
            if [debit, credit] not in allowed and (allowed or not is_reversal):
                self.wrong("plan comptable", "movement", f"{count} mouvements « {event_type} » de {debit} à {credit}")
        by_funder, balances = Counter[str](), self.balances()
        for account_id, account in self.accounts.items():
            derived = int.from_bytes(sha256(account.key.encode()).digest()[:8], "big") >> 1
            if derived != int(account_id) or account.key.split(" ")[0] != account.code:
                self.wrong("plan comptable", "account", f"{account.key} n'a pas l'identifiant de sa clé")
            line, balance = self.chart["accounts"].get(account.code, {}), balances[account_id]
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
