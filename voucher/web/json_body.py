"""Read what a program sent as JSON, strictly: one object, in UTF-8, whose texts a table can hold. Anything else is a 400."""

import json
from typing import Any, NoReturn

from flask import abort, request

DEPTH_MAX = 8


def json_body() -> dict[str, Any]:
    """Return the object that a request brings. Answers 415 for another type, 400 for what is no such object.

    Refused: text that is not UTF-8, a name said twice, NaN and Infinity, more than DEPTH_MAX levels, half of a surrogate pair, NUL.
    """
    if not request.is_json:
        abort(415)
    try:
        text = request.get_data(cache=False).decode("utf-8")
        body = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except (ValueError, RecursionError):
        abort(400)
    if not isinstance(body, dict) or not is_storable(body):
        abort(400)
    return body


def is_storable(value: Any, depth: int = DEPTH_MAX) -> bool:
    """Say whether every text in a value can be written to a table, and how deep it goes is within bounds."""
    match value:
        case str():
            return is_plain(value)
        case list():
            return depth > 0 and all(is_storable(one, depth - 1) for one in value)
        case dict():
            return depth > 0 and all(is_plain(name) and is_storable(one, depth - 1) for name, one in value.items())
        case _:
            return True


def is_plain(text: str) -> bool:
    """Say whether a text holds neither NUL nor half of a surrogate pair: no database takes those."""
    return not any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in text)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
