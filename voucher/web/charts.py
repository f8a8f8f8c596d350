"""Charts drawn on the server: a funnel, bars, a line with its forecast, a few curves. Each has one sentence and its table beside it.

    chart = bars("Chèques par territoire", "La Meuse a tout remis.", [Bar("Meuse", 1200), Bar("Vosges", 800)], unit="Chèques")
    {{ ui.chart(chart) }}

Colours come from classes of the theme, never from here. Lengths are in the drawing's own units, 600 wide.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from voucher.kernel.calendar import french_date
from voucher.kernel.money import thousands
from voucher.web.filters import percent, slug

WIDTH = 600
ROW_HEIGHT = 76
BAR_HEIGHT = 26
LINE_HEIGHT = 300
LEGEND_HEIGHT = 36
LEGEND_LENGTH = 60
CURVE_KINDS = ("line", "line forecast", "line far")
MARGIN_TOP = 44
MARGIN_BOTTOM = 40
MARGIN_SIDE = 8
TICK = 8
LABEL_BASELINE = 26


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, the one sentence that says what to see, and the figures as a table with its totals, if it has some."""

    title: str
    sentence: str
    svg: Markup
    columns: list[dict[str, object]]
    rows: Sequence[tuple[str, ...]]
    totals: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One length, with its direct label."""

    label: str
    value: int


@dataclass(frozen=True, slots=True)
class Point:
    """A value on a day; a forecast is drawn dashed and said so in the table."""

    on: date
    value: int
    is_forecast: bool = False


def funnel(title: str, sentence: str, stages: Sequence[Bar], say: Callable[[int], str] = thousands) -> Chart:
    """Draw what remains from stage to stage; each is also given as a share of the first, denominator said."""
    first = stages[0].value if stages else 0
    rows = [(stage.label, say(stage.value), percent(stage.value, first)) for stage in stages]
    drawing = [
        _row(at, stage, first, f"{say(stage.value)} {stage.label.lower()}", "funnel-bar")
        for at, stage in enumerate(stages)
    ]
    return Chart(
        title,
        sentence,
        _svg(title, sentence, max(len(stages), 1) * ROW_HEIGHT, drawing),
        _columns("Étape", "Nombre", f"Part de : {stages[0].label.lower()}" if stages else "Part"),
        rows,
    )


def bars(title: str, sentence: str, items: Sequence[Bar], unit: str, say: Callable[[int], str] = thousands) -> Chart:
    """Draw lengths from zero, in the order given; `unit` heads the column of figures, `say` writes a value."""
    greatest = max((item.value for item in items), default=0)
    drawing = [_row(at, item, greatest, f"{item.label} · {say(item.value)}", "bar") for at, item in enumerate(items)]
    return Chart(
        title,
        sentence,
        _svg(title, sentence, max(len(items), 1) * ROW_HEIGHT, drawing),
        _columns("Nom", unit),
        [(item.label, say(item.value)) for item in items],
    )


def line(title: str, sentence: str, points: Sequence[Point], unit: str, say: Callable[[int], str] = thousands) -> Chart:
    """Draw values over days from zero; the forecast follows dashed from the last known one."""
    points = sorted(points, key=lambda point: point.on)
    places = _places(points)
    known = [place for place, point in zip(places, points, strict=True) if not point.is_forecast]
    ahead = [place for place, point in zip(places, points, strict=True) if point.is_forecast]
    base = LINE_HEIGHT - MARGIN_BOTTOM
    drawing = [Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(base, WIDTH)]
    drawing += [_path(known, "line")] if len(known) > 1 else []
    drawing += [_path([*known[-1:], *ahead], "line forecast")] if ahead and len(known) + len(ahead) > 1 else []
    drawing += [_mark(place, point) for place, point in zip(places, points, strict=True)]
    for at in sorted({0, len(known) - 1, len(points) - 1}) if points else ():
        if at >= 0:
            drawing.append(_point_labels(places[at], points[at], say))
    rows = [(french_date(p.on), f"{say(p.value)}{' (prévu)' if p.is_forecast else ''}") for p in points]
    return Chart(title, sentence, _svg(title, sentence, LINE_HEIGHT, drawing), _columns("Jour", unit), rows)


def curves(
    title: str,
    sentence: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[int]]],
    say: Callable[[int], str] = thousands,
    columns: tuple[str, str] = ("Mois", "Valeur"),
) -> Chart:
    """Draw up to three series over the same steps, below zero too; the first is the one to look at: its lowest is said.

    `labels` name the steps. `columns` head the table: that of the steps, then what the figures are, said for each series.
    """
    values = [value for _, points in series for value in points]
    top, bottom = max([*values, 0]), min([*values, 0])
    height, width = LINE_HEIGHT - MARGIN_TOP - 2 * MARGIN_BOTTOM, WIDTH - 2 * MARGIN_SIDE

    def place(rank: int, value: int) -> tuple[int, int]:
        x = MARGIN_SIDE + rank * width // max(len(labels) - 1, 1)
        return x, MARGIN_TOP + (top - value) * height // max(top - bottom, 1)

    zero = place(0, 0)[1]
    drawing = [Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(zero, WIDTH)]
    drawing += [
        Markup('<line class="axis" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>').format(place(at, 0)[0], zero, zero + TICK)
        for at in range(len(labels))
    ]
    for rank, (name, points) in enumerate(series):
        kind = CURVE_KINDS[rank]
        drawing.append(_path([place(at, value) for at, value in enumerate(points)], kind))
        base = LINE_HEIGHT + rank * LEGEND_HEIGHT + LABEL_BASELINE
        drawing.append(_path([(0, base - 8), (LEGEND_LENGTH, base - 8)], kind))
        drawing.append(Markup('<text x="{}" y="{}">{}</text>').format(LEGEND_LENGTH + 12, base, name))
    if labels and series:
        points = series[0][1]
        x, y = place(points.index(min(points)), min(points))
        drawing.append(Markup('<circle class="dot" cx="{}" cy="{}" r="4"/>').format(x, y))
        # Below its point; below the line of zero too, where it would stand across it.
        is_clear = y > zero or y + LABEL_BASELINE < zero - TICK
        drawing.append(_text(x, (y if is_clear else zero) + LABEL_BASELINE + 4, say(min(points)), "strong"))
        said = sorted({0, len(labels) // 2, len(labels) - 1})
        drawing += [_text(place(at, 0)[0], LINE_HEIGHT - 8, labels[at]) for at in said]
    rows = [(label, *(say(points[at]) for _, points in series)) for at, label in enumerate(labels)]
    heads = [f"{columns[1]}, {name[:1].lower()}{name[1:]}" for name, _ in series]
    svg = _svg(title, sentence, LINE_HEIGHT + len(series) * LEGEND_HEIGHT, drawing)
    return Chart(title, sentence, svg, _columns(columns[0], *heads), rows)


def _text(x: int, y: int, words: str, kind: str = "") -> Markup:
    anchor = "start" if x < WIDTH // 4 else "end" if x > WIDTH * 3 // 4 else "middle"
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, words)


def _columns(first: str, *others: str) -> list[dict[str, object]]:
    return [{"label": first}, *({"label": other, "number": True} for other in others)]


def _svg(title: str, sentence: str, height: int, parts: Sequence[Markup]) -> Markup:
    name = slug(title)
    return Markup(
        '<svg class="drawing" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-title {name}-desc">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{sentence}</desc>{parts}</svg>'
    ).format(width=WIDTH, height=height, name=name, title=title, sentence=sentence, parts=Markup("").join(parts))


def _row(at: int, item: Bar, greatest: int, label: str, kind: str) -> Markup:
    top = at * ROW_HEIGHT
    length = max(item.value * WIDTH // greatest, 2) if greatest and item.value > 0 else 0
    return Markup(
        '<text x="0" y="{baseline}">{label}</text>'
        '<rect class="track" x="0" y="{top}" width="{width}" height="{height}"/>'
        '<rect class="{kind}" x="0" y="{top}" width="{length}" height="{height}"/>'
    ).format(
        baseline=top + LABEL_BASELINE,
        label=label,
        top=top + LABEL_BASELINE + 10,
        width=WIDTH,
        height=BAR_HEIGHT,
        kind=kind,
        length=length,
    )


def _places(points: Sequence[Point]) -> list[tuple[int, int]]:
    if not points:
        return []
    days = max((points[-1].on - points[0].on).days, 1)
    greatest = max(max(point.value for point in points), 1)
    height = LINE_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM
    width = WIDTH - 2 * MARGIN_SIDE
    return [
        (
            MARGIN_SIDE + (point.on - points[0].on).days * width // days,
            LINE_HEIGHT - MARGIN_BOTTOM - max(point.value, 0) * height // greatest,
        )
        for point in points
    ]


def _path(places: Sequence[tuple[int, int]], kind: str) -> Markup:
    return Markup('<polyline class="{}" points="{}"/>').format(kind, " ".join(f"{x},{y}" for x, y in places))


def _mark(place: tuple[int, int], point: Point) -> Markup:
    return Markup('<circle class="{}" cx="{}" cy="{}" r="4"/>').format(
        "dot forecast" if point.is_forecast else "dot", *place
    )


def _point_labels(place: tuple[int, int], point: Point, say: Callable[[int], str]) -> Markup:
    x, y = place
    anchor = "start" if x < WIDTH // 4 else "end" if x > WIDTH * 3 // 4 else "middle"
    day = point.on.strftime("%d/%m")
    return Markup(
        '<text class="strong" x="{x}" y="{y}" text-anchor="{anchor}">{value}</text>'
        '<text x="{x}" y="{base}" text-anchor="{anchor}">{day}</text>'
    ).format(x=x, y=max(y - 14, 26), anchor=anchor, value=say(point.value), base=LINE_HEIGHT - 12, day=day)
