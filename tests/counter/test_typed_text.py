"""What a scanner typed is read the same way by the server and by the page: one table of cases, two languages."""

from pathlib import Path

import pytest

from tests.counter.javascript import run
from voucher.issuing.code import Unreadable, UnreadableCode
from voucher.issuing.keyboard import meant
from voucher.issuing.typing_code import read_typing_code, typing_code

BARE = "CEVAABYAAAYDSDGWAAB6RINSYPPIVJR6PRWG3H35EC54ZYBIU6MU5TUMEDBR5M3KF7UNPDUZHVU36DA6MUDG5I2GQYL4GNHLKDXN2OL24SHIWUAMND25O6GNSR5S63AD"
URL = "HTTPS://PASS.EXAMPLE/V/"
# What each key writes, as an engraver would say it: the tables of the code itself are not used here.
AZERTY_OF = {
    **dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "QBCDEFGHIJKL?NOPARSTUVZXYW", strict=True)),
    **dict(zip("abcdefghijklmnopqrstuvwxyz", "qbcdefghijkl,noparstuvzxyw", strict=True)),
    **dict(zip("1234567890:/.", "&é\"'(-è_çàM!:", strict=True)),
}
QWERTY_OF = {
    **dict(zip("QBCDEFGHIJKLMNOPARSTUVZXYW", "ABCDEFGHIJKL:NOPQRSTUVWXYZ", strict=True)),
    **dict(zip("1234567890:/.", "!@#$%^&*().><", strict=True)),
}
# Windows locks the whole of an AZERTY keyboard: digits without the key of capitals, signs with it.
ROW_LOCKED = {
    **{letter: letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **dict(zip("1234567890:/.", "&é\"'(-è_çà/:;", strict=True)),
}


def written(text: str, keyboard: dict[str, str]) -> str:
    return "".join(keyboard[character] for character in text)


PARTS = {
    "bare": BARE,
    "bare_small": BARE.lower(),
    "url": URL + BARE,
    "url_small": (URL + BARE).lower(),
    "us_on_fr": written(BARE, AZERTY_OF),
    "us_on_fr_small": written(BARE.lower(), AZERTY_OF),
    "us_on_fr_locked": written(BARE, AZERTY_OF).lower(),
    "fr_on_us": written(URL + BARE, QWERTY_OF),
    "fr_shift_locked": written(URL + BARE, ROW_LOCKED),
}


def cases() -> list[tuple[str, str]]:
    lines = (Path(__file__).parent / "scanned.tsv").read_text(encoding="utf-8").splitlines()[1:]
    found = []
    for line in lines:
        columns = line.split("\t")[:2]
        for name, text in PARTS.items():
            columns = [column.replace(f"{{{name}}}", text) for column in columns]
        for escape, sign in (("\\u0002", "\x02"), ("\\ufeff", "\ufeff"), ("\\r", "\r"), ("\\n", "\n")):
            columns = [column.replace(escape, sign) for column in columns]
        found.append((columns[0], columns[1]))
    return found


@pytest.mark.parametrize(("typed", "right"), cases())
def test_what_a_scanner_typed_is_read_as_it_was_meant(typed: str, right: str) -> None:
    assert meant(typed).upper() == right.upper()


def test_the_page_reads_it_word_for_word_as_the_server() -> None:
    texts = [typed for typed, _ in cases()]
    assert run("return given.map(Pass.typed.meant)", "typed.js", given=texts) == [meant(text) for text in texts]


def test_the_shared_cases_of_the_project_are_read() -> None:
    fragments = {
        "HTTPSM!!PQSS:EXQ?PLE!V!": "HTTPS://PASS.EXAMPLE/V/",
        "httpsM!!pqss:exq,ple!v!": "https://pass.example/v/",
        "QBCDEFGHIJKL?NOPARSTUVZXYWé\"'(-è" * 4: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * 4,
        "]Q1HTTPS://PASS.EXAMPLE/V/": "HTTPS://PASS.EXAMPLE/V/",
    }
    assert {typed: meant(typed) for typed in fragments} == fragments
    assert run("return Object.keys(given).map(Pass.typed.meant)", "typed.js", given=fragments) == list(
        fragments.values()
    )


def test_keys_that_say_which_they_are_need_no_guess() -> None:
    """A dead key and a layout that no table knows: the places of the keys are the scanner's."""
    keys = [
        {"character": "Dead" if letter in "AE" else "ж", "code": code_of(letter), "isShifted": letter in SHIFTED}
        for letter in "]Q1" + URL + BARE
    ]
    assert run("return Pass.typed.meantByKeys(given)", "typed.js", given=keys) == URL + BARE
    small = [{"character": "?", "code": f"Numpad{digit}", "isShifted": False} for digit in "12"]
    assert run("return Pass.typed.meantByKeys(given)", "typed.js", given=small) == "??"


SHIFTED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ:")


def code_of(character: str) -> str:
    named = {":": "Semicolon", "/": "Slash", ".": "Period", "]": "BracketRight"}
    return named.get(character) or (f"Digit{character}" if character.isdigit() else f"Key{character}")


def test_the_device_says_a_typing_mistake_in_the_servers_words() -> None:
    right = typing_code(12345, 0xABCDEF)
    texts = [
        right,
        right.lower().replace(" ", "-"),
        right.replace("0", "o"),
        f"C {right}",
        right[:-1],
        f"{right}0",
        right[:-1] + ("0" if right[-1] != "0" else "1"),
        "",
        "0G7K 3M9Q XR2U",
        "été",
        *(right[:place] + ("Z" if right[place] != "Z" else "Y") + right[place + 1 :] for place in (0, 6, 13)),
    ]
    told = run(
        "return given.map((text) => [Pass.typed.mistake(text), Pass.typed.mistakeSentence(text)])",
        "typed.js",
        given=texts,
    )

    def of_the_server(text: str) -> list[str | None]:
        try:
            read_typing_code(text)
        except UnreadableCode as unreadable:
            return [unreadable.reason.value, unreadable.reason.sentence]
        return [None, None]

    assert told == [of_the_server(text) for text in texts]
    assert [reason for reason, _ in told][-3:] == [Unreadable.WRONG_CHECK.value] * 3


def test_what_was_scanned_is_left_to_the_server() -> None:
    texts = [URL + BARE, BARE, "https://ailleurs.example/menu", URL + "ABC"]
    assert run("return given.map(Pass.typed.mistakeSentence)", "typed.js", given=texts) == [None] * 4
    assert run("return given.map(Pass.typed.isWhole)", "typed.js", given=texts) == [True, True, False, False]
