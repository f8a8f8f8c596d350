"""Amounts in French words, as an état liquidatif states its total (traditional spelling, hyphens under one hundred)."""

_UNITS = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
    "dix-sept",
    "dix-huit",
    "dix-neuf",
]
_TENS = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante", 8: "quatre-vingt"}
_SCALES = ((1_000_000_000, "milliard"), (1_000_000, "million"))
_TOO_BIG = 1_000_000_000_000


def number_in_words(number: int) -> str:
    """Return a whole number from 0 to 999,999,999,999 in French: 80 « quatre-vingts », 80,000 « quatre-vingt mille »."""
    if not 0 <= number < _TOO_BIG:
        raise ValueError("a number from 0 to 999,999,999,999")
    if number == 0:
        return _UNITS[0]
    words: list[str] = []
    for scale, name in _SCALES:
        count, number = divmod(number, scale)
        if count:
            words += [_below_thousand(count), name if count == 1 else f"{name}s"]
    thousands, rest = divmod(number, 1000)
    if thousands:
        # « mille » never agrees, takes no « un », and takes the s away from « cent » and « vingt ».
        words += ["mille"] if thousands == 1 else [_below_thousand(thousands, may_agree=False), "mille"]
    if rest:
        words.append(_below_thousand(rest))
    return " ".join(words)


def euros_in_words(cents: int) -> str:
    """Return an amount of cents, not negative, in words: « mille deux cents euros et un centime »."""
    euros, rest = divmod(cents, 100)
    # « un million d’euros », but « un million deux cents euros »
    of = " d’" if euros >= 1_000_000 and euros % 1_000_000 == 0 else " "
    in_euros = f"{number_in_words(euros)}{of}{'euro' if euros < 2 else 'euros'}"
    return in_euros if rest == 0 else f"{in_euros} et {number_in_words(rest)} {'centime' if rest == 1 else 'centimes'}"


def _below_thousand(number: int, *, may_agree: bool = True) -> str:
    hundreds, rest = divmod(number, 100)
    words = []
    if hundreds == 1:
        words.append("cent")
    elif hundreds > 1:
        words += [_UNITS[hundreds], "cents" if rest == 0 and may_agree else "cent"]
    if rest:
        words.append(_below_hundred(rest, may_agree=may_agree))
    return " ".join(words)


def _below_hundred(number: int, *, may_agree: bool) -> str:
    if number < len(_UNITS):
        return _UNITS[number]
    tens, unit = divmod(number, 10)
    if tens in (7, 9):  # soixante-dix, quatre-vingt-dix: counted on the ten below
        tens, unit = tens - 1, unit + 10
    name = _TENS[tens]
    if unit == 0:
        return f"{name}s" if tens == 8 and may_agree else name
    if unit in (1, 11) and tens != 8:
        return f"{name} et {_UNITS[unit]}"
    return f"{name}-{_UNITS[unit]}"
