"""France as a map of tiles: one tile a region, all of one size, placed about where the region is; overseas below.

    chart = tile_map("Encaissements par région", "L’Île-de-France encaisse le plus.", {"11": 232, "53": "< 11"}, columns, rows)
    {{ ui.chart(chart) }}

A tile says its region, its figure, and how it stands beside the greatest in three ways: its shade, how many of its four
small squares are full, and in words for who does not see it. Where a figure may not be shown, a word stands for it.
"""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from voucher.kernel.money import thousands
from voucher.web.charts import WIDTH, Chart
from voucher.web.filters import slug

TILE_WIDTH = 116
TILE_HEIGHT = 88
STEP_X = 121
STEP_Y = 98
OVERSEAS_GAP = 22
LEVELS = 4
PIP = 14

# Region: (column, row, short name). Rows of the south stand half a column aside, as the country does.
TILES: Mapping[str, tuple[float, int, str]] = {
    "32": (2, 0, "Hauts-Fr."),
    "28": (1, 1, "Normandie"),
    "11": (2, 1, "Île-de-Fr."),
    "44": (3, 1, "Grand Est"),
    "53": (0, 2, "Bretagne"),
    "52": (1, 2, "Pays Loire"),
    "24": (2, 2, "Centre-V."),
    "27": (3, 2, "Bourg.-FC"),
    "75": (1.5, 3, "N.-Aquit."),
    "84": (2.5, 3, "Auv.-Rhône"),
    "76": (1.5, 4, "Occitanie"),
    "93": (2.5, 4, "Provence"),
    "94": (3.75, 4, "Corse"),
    "01": (0, 5, "Guadel."),
    "02": (1, 5, "Martinique"),
    "03": (2, 5, "Guyane"),
    "04": (3, 5, "Réunion"),
    "06": (4, 5, "Mayotte"),
}
OVERSEAS_ROW = 5
ROWS = 6


def tile_map(
    title: str,
    sentence: str,
    values: Mapping[str, int | str],
    names: Mapping[str, str],
    columns: list[dict[str, object]],
    rows: Sequence[tuple[str, ...]],
    say: Callable[[int], str] = thousands,
) -> Chart:
    """Draw the eighteen regions; `values` by region code (absent: zero; a word: not shown), `names` their full names.

    `columns` and `rows` are the table beside, as `Chart` holds them.
    """
    greatest = max((value for value in values.values() if isinstance(value, int)), default=0)
    tiles = [_tile(code, values.get(code, 0), greatest, names[code], say) for code in TILES]
    name = slug(title)
    svg = Markup(
        '<svg class="drawing tile-map" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{title}</title>'
        '<desc id="{name}-desc">{sentence}</desc>{tiles}</svg>'
    ).format(
        width=WIDTH,
        height=ROWS * STEP_Y + OVERSEAS_GAP,
        name=name,
        title=title,
        sentence=sentence,
        tiles=Markup("").join(tiles),
    )
    return Chart(title, sentence, svg, columns, rows)


def level(value: int, greatest: int) -> int:
    """Return how many quarters of the greatest a value fills, begun quarters counted whole: 0 for zero, else 1 to 4."""
    return -(-value * LEVELS // greatest) if value > 0 else 0


def _tile(code: str, value: int | str, greatest: int, name: str, say: Callable[[int], str]) -> Markup:
    column, row, short = TILES[code]
    left = round(column * STEP_X)
    top = row * STEP_Y + (OVERSEAS_GAP if row == OVERSEAS_ROW else 0)
    quarters = level(value, greatest) if isinstance(value, int) else 0
    kind = f"level-{quarters}" if isinstance(value, int) else "hidden"
    figure = say(value) if isinstance(value, int) else value
    pips = [
        Markup('<rect class="pip{}" x="{}" y="{}" width="{}" height="{}"/>').format(
            " full" if at < quarters else "", 8 + at * (PIP + 6), TILE_HEIGHT - PIP - 8, PIP, PIP
        )
        for at in range(LEVELS)
    ]
    return Markup(
        '<g class="tile tile-{kind}" transform="translate({left} {top})"><title>{name} : {figure}</title>'
        '<rect class="tile-back" width="{width}" height="{height}" rx="6"/>'
        '<text class="tile-name" x="8" y="26">{short}</text>'
        '<text class="tile-figure" x="8" y="57">{figure}</text>{pips}</g>'
    ).format(
        kind=kind,
        left=left,
        top=top,
        name=name,
        figure=figure,
        width=TILE_WIDTH,
        height=TILE_HEIGHT,
        short=short,
        pips=Markup("").join(pips if isinstance(value, int) else []),
    )
