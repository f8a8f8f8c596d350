"""The figures of a page with the words that say them: key figures, lists of terms, totals of tables, sentences."""

import re
from collections.abc import Iterator

from lxml import html

NUMBER = "\\d[\\d\u202f\u00a0]*(?:,\\d+)?(?:[\u202f\u00a0](?:€|%))?"
WORD = "[A-Za-zÀ-ÿœŒ’'-]+"
AMOUNT_THEN_WORDS = re.compile(f"({NUMBER})[ \u00a0]({WORD}(?: {WORD})*)")
WORDS_THEN_AMOUNT = re.compile(f"(?:^|[.!?] )({WORD}(?: {WORD})*)[ \u00a0]: ({NUMBER})")


def said_figures(page: str) -> Iterator[tuple[str, str]]:
    """Give each label of a page with its figure, as they are read: « dus aux structures » and « 3 800,00 € »."""
    main = html.fromstring(page).xpath("//main")[0]
    for figure in main.xpath('.//p[contains(@class, "key-figure") or contains(@class, "figure-value")]'):
        yield read(figure.find("span")), read(figure.find("strong"))
    for pair in main.xpath('.//dl[contains(@class, "definitions")]/div'):
        if starts := re.match(NUMBER, read(pair.find("dd"))):
            yield read(pair.find("dt")), starts[0]
    for table in main.xpath(".//table"):
        heads = [re.sub("[▲▼↕]", "", read(head)).strip() for head in table.xpath(".//thead//th")]
        foot = table.xpath(".//tfoot//th|.//tfoot//td")
        # A page of a list sums that page alone.
        if foot and "page" not in read(foot[0]):
            yield from (
                (head, read(cell)) for head, cell in zip(heads, foot, strict=True) if re.fullmatch(NUMBER, read(cell))
            )
    for text in main.xpath(".//p[not(ancestor::td)]|.//li"):
        if "figure" in (text.get("class") or ""):
            continue
        yield from ((words, number) for number, words in AMOUNT_THEN_WORDS.findall(read(text)))
        yield from WORDS_THEN_AMOUNT.findall(read(text))


def read(element: html.HtmlElement | None) -> str:
    """Return an element's text as it is read."""
    return "" if element is None else re.sub("[ \n\t]+", " ", element.text_content()).strip()
