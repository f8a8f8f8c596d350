"""What tells a scanner from a person, and what the camera has in view: pure rules of the page, run in node."""

import random
from typing import Any

from tests.counter.javascript import run

URL = "HTTPS://PASS.EXAMPLE/V/" + "CEVAABYAAAYDSDGW" * 8
_PLAY = """
const bursts = new Pass.Bursts((keys) => Pass.typed.isWhole(Pass.typed.meantByKeys(keys)));
const told = [];
const tell = (keys) => keys && told.push(keys.map((key) => key.character).join(""));
const pressed = [];
for (const { character, at } of given) {
  if (character === "") tell(bursts.silence(at));
  else if (character === "\\n") {
    const { ended, isScanners } = bursts.finish(at);
    tell(ended);
    if (!isScanners) pressed.push(at);
  } else tell(bursts.write({ character, code: "", isShifted: false, at }).ended);
}
return { told, pressed };
"""


def play(*parts: tuple[str, float, float]) -> dict[str, Any]:
    """Play texts, each from an instant on with a gap between its keys; a silence of a second comes last."""
    keys = [
        {"character": character, "at": start + rank * gap}
        for text, start, gap in parts
        for rank, character in enumerate(text)
    ]
    return run(_PLAY, "typed.js", "bursts.js", given=[*keys, {"character": "", "at": keys[-1]["at"] + 1000}])  # type: ignore[no-any-return]


def test_a_burst_is_a_scan_with_enter_or_with_nothing_and_presses_nothing() -> None:
    assert play((URL + "\n", 0, 5)) == {"told": [URL], "pressed": []}
    assert play((URL, 0, 5)) == {"told": [URL], "pressed": []}
    assert play((URL + "\n\n", 0, 20), ("\n", 3300, 0)) == {"told": [URL], "pressed": []}, (
        "a late Enter and a second one"
    )


def test_a_person_who_types_is_no_scanner_and_their_enter_is_theirs() -> None:
    assert play(("0G7K3M9QXR2F\n", 0, 90)) == {"told": [], "pressed": [1080]}
    assert play(("\n", 0, 0)) == {"told": [], "pressed": [0]}
    assert play((URL + "\n", 0, 5), ("\n", 2000, 0))["pressed"] == [2000]
    assert play((URL + "\n", 0, 5), ("7\n", 900, 90))["pressed"] == [990], "soon after a scan, a key and Enter"


def test_two_scans_one_after_the_other_are_two_whole_or_not() -> None:
    assert play((URL, 0, 5), (URL, 900, 5))["told"] == [URL, URL]
    assert play((URL, 0, 5), (URL + "\n", 5 * len(URL) + 100, 5))["told"] == [URL, URL], "without Enter between them"
    assert play(("12345678", 0, 5), (URL, 900, 5))["told"] == ["12345678", URL]


def test_a_radio_link_that_stutters_cuts_no_code() -> None:
    assert play((URL[:70], 0, 5), (URL[70:] + "\n", 70 * 5 + 600, 5))["told"] == [URL]


def test_a_scanner_that_stumbles_over_its_first_keys_is_one_all_the_same() -> None:
    assert play((URL[:4], 0, 120), (URL[4:] + "\n", 600, 5)) == {"told": [URL], "pressed": []}
    assert play(("C 00", 0, 80), ("0001JN5RNF\n", 400, 5)) == {"told": ["C 000001JN5RNF"], "pressed": []}
    assert play(("0g7k", 0, 110), (URL + "\n", 600, 5))["told"] == [URL], (
        "what a person typed just before is not the scanner's"
    )


def test_no_scan_is_lost_whatever_the_speeds() -> None:
    dice = random.Random(10)
    at, parts, scans = 0.0, [], []
    for _ in range(200):
        gap = dice.choice([1, 5, 12, 30, 45])
        ending = dice.choice(["", "\n", "\n\n"])
        parts.append((URL + ending, at, gap))
        scans.append(URL)
        at += gap * len(URL + ending) + dice.choice([110, 300, 900])
        if dice.random() < 0.3:
            parts.append(("0g7k", at + 700, 110))
            at += 700 + 4 * 110 + 700
    assert play(*parts)["told"] == scans


def square(x: float, y: float, side: float) -> list[dict[str, float]]:
    return [{"x": x + dx, "y": y + dy} for dx, dy in ((0, 0), (side, 0), (side, side), (0, side))]


def aimed(*corners: list[dict[str, float]]) -> dict[str, Any]:
    codes = [{"text": str(rank), "corners": one} for rank, one in enumerate(corners)]
    return run(
        "const { aimed, isUnsure } = Pass.aim(given, 640, 480); return [aimed?.text ?? null, isUnsure];",
        "view.js",
        given=codes,
    )  # type: ignore[no-any-return]


def test_one_code_is_taken_wherever_it_is_and_of_several_the_one_in_the_aim() -> None:
    assert aimed() == [None, False]
    assert aimed(square(0, 0, 60)) == ["0", False]
    left, middle, right = square(10, 200, 100), square(270, 190, 100), square(500, 200, 100)
    assert aimed(left, middle, right) == ["1", False]
    assert aimed(square(0, 0, 600), square(330, 250, 20)) == ["0", False], "the one that holds the middle"
    assert aimed(left, square(350, 200, 60)) == ["1", False], "none holds it: the nearest"
    assert aimed(left, right) == [None, True]


def looks(*seen: tuple[float, list[str], str | None]) -> list[bool]:
    program = "const view = new Pass.InView(); return given.map(([at, texts, aimed]) => view.look(texts, aimed, at));"
    return run(program, "view.js", given=seen)  # type: ignore[no-any-return]


def test_a_code_that_stays_in_view_is_told_once_and_again_when_it_comes_back() -> None:
    stays = [(at * 120.0, ["A"], "A") for at in range(90)]
    assert looks(*stays) == [True] + [False] * 89, "ten seconds"
    trembles = [(at * 120.0, ["A"] if at % 4 else [], "A" if at % 4 else None) for at in range(1, 40)]
    assert looks(*trembles).count(True) == 1
    gone = [(at * 120.0, [], None) for at in range(1, 20)]
    assert looks((0, ["A"], "A"), *gone, (2500, ["A"], "A"))[-1] is True
    assert looks((0, ["A"], "A"), (4000, [], None), (8000, ["A"], "A"))[-1] is False, "a slow device missed it once"


def test_another_code_beside_it_is_told_and_the_first_is_not_told_twice() -> None:
    seen = looks((0, ["A"], "A"), (120, ["A", "B"], "B"), (240, ["A", "B"], "A"), (360, ["B"], "B"))
    assert seen == [True, True, False, False]
