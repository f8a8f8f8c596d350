"""A command sent twice is done once: every command that takes an id made by the client goes through kernel.idempotency."""

import ast
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache

import pytest

from tests.builders import NOW, SOMEONE, an_agreement
from tests.test_house import ROOT, sources
from voucher.access.accounts import NewAccount, open_account
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.parties import NewFunder, register_funder

KERNEL = {f"voucher.kernel.idempotency.{name}" for name in ("insert_once", "is_replay", "is_same")}
COUNTER = {"voucher.redemption.replayed_requests.stored_answer"}  # a refusal there is a value, recorded and given again
COMMANDS_MIN = 39
KNOWN = {"Person"}  # its id is that of somebody who is there already


@cache
def functions() -> Mapping[str, tuple[ast.FunctionDef, Mapping[str, str]]]:
    """Return every function of the house by its full name, with what the names of its module stand for."""
    found: dict[str, tuple[ast.FunctionDef, Mapping[str, str]]] = {}
    for path in sources(".py", below=("voucher",)):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        known = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        known |= {node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found[f"{module}.{node.name}"] = (node, known)
    return found


@cache
def records() -> frozenset[str]:
    """Return the dataclasses that carry the id of what they ask for."""
    return frozenset(
        node.name
        for path in sources(".py", below=("voucher",))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name not in KNOWN
        for line in node.body
        if isinstance(line, ast.AnnAssign) and ast.unparse(line) in ("id: UUID", "match_id: UUID")
    )


def makes(function: ast.FunctionDef) -> bool:
    """Say whether a use case is given the id of what it writes: in a record, or as the `id` of a row or of a match."""
    arguments = function.args.args
    if not arguments or arguments[0].arg != "database" or "now" not in {one.arg for one in function.args.kwonlyargs}:
        return False
    arguments = arguments + function.args.kwonlyargs
    asked = {
        ast.unparse(one.annotation).removeprefix("Sequence[").removesuffix("]") for one in arguments if one.annotation
    }
    if asked & records():
        return True
    given = {one.arg for one in arguments if one.arg.endswith("_id")}
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr="values"), keywords=keywords):
                if any(
                    one.arg == "id" and isinstance(one.value, ast.Name) and one.value.id in given for one in keywords
                ):
                    return True
            case ast.Call(func=ast.Name("Match" | "Attempt"), args=[first, *_]) if (
                ast.unparse(first).split(" ")[0] in given
            ):
                return True
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if (
                        isinstance(key, ast.Constant)
                        and key.value == "id"
                        and isinstance(value, ast.Name)
                        and value.id in given
                    ):
                        return True
    return False


def commands() -> Iterator[str]:
    """Give the commands that take an id made by the client."""
    for name, (function, _) in functions().items():
        if not function.name.startswith("_") and "demonstration" not in name and makes(function):
            yield name


def reached_from(name: str) -> set[str]:
    """Return all that a function may call, of the house."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in seen or one not in functions():
            continue
        seen.add(one)
        function, known = functions()[one]
        waiting += [known[node.id] for node in ast.walk(function) if isinstance(node, ast.Name) and node.id in known]
    return seen


def test_every_command_with_an_id_of_the_client_is_answered_the_same_way() -> None:
    walked = set(commands())
    assert len(walked) >= COMMANDS_MIN, sorted(walked)
    assert [name for name in sorted(walked) if not reached_from(name) & (KERNEL | COUNTER)] == []


def open_one(database: Database, account_id: object, name: str) -> object:
    return open_account(database, NewAccount(account_id, "lou@lieu.example", name), by=None, now=NOW)


def register_one(database: Database, funder_id: object, name: str) -> object:
    return register_funder(database, NewFunder(funder_id, name, "region"), by=SOMEONE, now=NOW)


def order_one(database: Database, batch_id: object, count: str) -> object:
    return order_vouchers(database, batch_id, AGREED[database.url], int(count), by=SOMEONE, now=NOW).first_serial


AGREED: dict[str, object] = {}


@pytest.mark.race
@pytest.mark.parametrize(
    "send, content, other",
    [(open_one, "Lou Roy", "Lou Ray"), (register_one, "Région Nord", "Région Sud"), (order_one, "3", "4")],
)
def test_the_same_command_at_the_same_moment_is_done_once_and_another_content_is_refused(
    database: Database, send: Callable[[Database, object, str], object], content: str, other: str
) -> None:
    AGREED[database.url] = an_agreement(database).agreement_id
    sent_id, answers, refused = new_id(), [], []
    start = threading.Barrier(6)

    def sending(words: str) -> None:
        start.wait()
        try:
            answers.append((words, send(database, sent_id, words)))
        except Refused as no:
            refused.append((words, no.code))

    threads = [
        threading.Thread(target=sending, args=(words,)) for words in (content, content, content, other, other, content)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whichever came first was done; all that said the same heard its answer, the others that the id was used.
    done = {words for words, _ in answers}
    assert len(done) == 1
    assert len({answer for _, answer in answers}) == 1
    assert {code for _, code in refused} == {"same_id_other_content"}
    assert {words for words, _ in refused} == {content, other} - done
    assert len(answers) + len(refused) == len(threads)
    assert send(database, sent_id, done.pop()) == answers[0][1]
