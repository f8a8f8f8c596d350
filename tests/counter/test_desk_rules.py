"""What lies on a counter, and what becomes of it: pure rules of the page, run in node."""

from typing import Any

from tests.counter.javascript import run

COVER = {
    "code": "C",
    "label": "Carnet 0412",
    "booklet": "0412",
    "value": 1000,
    "first_serial": 41,
    "ranks": [1, 2, 4],
    "serials": [],
}


def voucher(serial: int, booklet: str = "0412") -> dict[str, Any]:
    return {
        "code": str(serial),
        "label": f"Chèque {serial}",
        "booklet": booklet,
        "value": 1000,
        "cents": 1000,
        "serials": [serial],
    }


def after(*steps: tuple[Any, ...]) -> dict[str, Any]:
    """Give each step, a function of the desk with its arguments, to an empty desk."""
    program = "let desk = Pass.desk.empty('lea'); for (const [step, ...given_to] of given) desk = Pass.desk[step](desk, ...given_to); return desk;"
    return run(program, "desk.js", given=steps)  # type: ignore[no-any-return]


ATTEMPT = {"id": "1", "act": "redeem", "place": "p", "labels": ["Chèque 41"]}
REDEEMED = {
    "outcome": "redeemed",
    "id": "1",
    "sentence": "1 chèque.",
    "remains": "",
    "undo_until": "x",
    "undo_hour": "y",
}


def test_a_voucher_is_laid_once_alone_or_with_its_cover() -> None:
    assert [line["label"] for line in after(("lay", voucher(41)), ("lay", voucher(41)))["tray"]] == ["Chèque 41"]
    desk = after(("lay", COVER), ("lay", voucher(41)), ("lay", voucher(42)))
    assert [line["serials"] for line in desk["tray"]] == [[41], [42]]


def test_a_cover_lays_as_many_as_are_said_never_none_nor_one_that_lies_there() -> None:
    more = [("count", "Carnet 0412", 1)] * 5
    assert after(("lay", COVER), *more)["tray"][0]["serials"] == [41, 42, 44]
    assert after(("lay", voucher(42)), ("lay", COVER), *more)["tray"][1]["serials"] == [41, 44]
    assert after(("lay", COVER), *more)["tray"][0]["cents"] == 3000
    assert after(("lay", COVER), ("count", "Carnet 0412", -1))["tray"][0]["serials"] == [41]
    laid = "return Pass.desk.laid({ ...given, serials: [41, 44] })"
    assert run(laid, "desk.js", given=COVER) == {"cover": "C", "ranks": [1, 4]}


def test_one_act_at_a_time_and_its_answer_is_its_own() -> None:
    begun = [("lay", voucher(41)), ("lay", voucher(42)), ("begin", ATTEMPT), ("begin", {**ATTEMPT, "id": "2"})]
    assert after(*begun)["attempt"]["id"] == "1"
    assert after(*begun, ("settle", "2", REDEEMED))["attempt"]["id"] == "1"
    done = after(*begun, ("settle", "1", REDEEMED))
    assert (done["attempt"], [line["label"] for line in done["tray"]], done["last"]["id"]) == (None, ["Chèque 42"], "1")
    refused = after(*begun, ("settle", "1", {"outcome": "refused", "code": "redeemed_here"}))
    assert (refused["attempt"], len(refused["tray"]), refused["last"]) == (None, 2, None)


def test_what_another_person_left_is_not_theirs_who_come_next() -> None:
    scans = [("take", {"id": str(rank), "person": who, "text": "x"}) for rank, who in enumerate(("lea", "sam"))]
    desk = after(("lay", voucher(41)), *scans, ("belongTo", "sam"))
    assert (desk["person"], desk["tray"], [scan["person"] for scan in desk["queue"]]) == ("sam", [], ["sam"])
    assert len(after(("lay", voucher(41)), ("belongTo", "lea"))["tray"]) == 1


def test_what_has_no_answer_goes_again_later_each_time() -> None:
    delays = run("return given.map((tries) => Pass.desk.delay(tries, 1))", "desk.js", given=list(range(1, 12)))
    assert delays[:4] == [1000, 2000, 4000, 8000]
    assert delays == sorted(delays)
    assert delays[-1] == 60_000
    assert run("return [0, 0.5].map((dice) => Pass.desk.delay(3, dice))", "desk.js") == [2000, 3000]
