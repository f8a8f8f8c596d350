"""Small counts are not shown, nor anything from which one could be found again (domain.md §2).

A table of counts is published with the totals of its lines and of its columns. A hidden cell can be found by subtraction
exactly when it is the only hidden way between its line and its column, totals included: another cell is then hidden too,
the smallest that will do.
"""

from collections.abc import Iterator, Mapping

SMALL_CELL_MAX = 10
"""Counts from 1 to this one are hidden: « moins de 11 ». A zero is shown, since it tells of nobody."""

TOTAL = "total"
"""The name of the line that sums all lines, and of the column that sums all columns."""

Cell = tuple[str, str]
Node = tuple[str, str]


def with_totals(counts: Mapping[Cell, int]) -> dict[Cell, int]:
    """Return every cell of the table, zeros included, with the totals of lines, of columns and of all."""
    lines = sorted({line for line, _ in counts})
    columns = sorted({column for _, column in counts})
    cells = {(line, column): counts.get((line, column), 0) for line in lines for column in columns}
    for (line, column), count in list(cells.items()):
        for margin in ((line, TOTAL), (TOTAL, column), (TOTAL, TOTAL)):
            cells[margin] = cells.get(margin, 0) + count
    return cells


def hidden_cells(cells: Mapping[Cell, int], small_max: int = SMALL_CELL_MAX) -> set[Cell]:
    """Return the cells not to show, of a table made by `with_totals`: small ones, and those that would give them away."""
    hidden = {cell for cell, count in cells.items() if 0 < count <= small_max}
    sums = _sums(cells)
    while True:
        more = _too_few_together(cells, sums, hidden, small_max) or _gives_one_away(cells, hidden)
        if more is None:
            return hidden
        hidden.add(more)


def _sums(cells: Mapping[Cell, int]) -> list[tuple[Cell, list[Cell]]]:
    """Return each total with the cells that it sums; the last of a line or column of totals is the total of all."""
    lines, columns = ({cell[side] for cell in cells} - {TOTAL} for side in (0, 1))
    return [
        *(((line, TOTAL), [(line, column) for column in sorted(columns)]) for line in sorted(lines | {TOTAL})),
        *(((TOTAL, column), [(line, column) for line in sorted(lines)]) for column in sorted(columns | {TOTAL})),
    ]


def _too_few_together(
    cells: Mapping[Cell, int], sums: list[tuple[Cell, list[Cell]]], hidden: set[Cell], small_max: int
) -> Cell | None:
    """Return a cell to hide where a total that is shown says that the hidden ones below it are few, taken together."""
    for total, members in sums:
        together = [cells[member] for member in members if member in hidden]
        if total not in hidden and together and sum(together) <= small_max:
            shown = [member for member in members if member not in hidden and cells[member]]
            return min(shown, key=lambda member: (cells[member], member), default=total)
    return None


def _gives_one_away(cells: Mapping[Cell, int], hidden: set[Cell]) -> Cell | None:
    """Return a cell to hide so that the first hidden cell that can be found by subtraction cannot be any more."""
    for line, column in _bridges(hidden):
        near = _reached(hidden - {(line, column)}, ("line", line))
        across = [
            cell
            for cell in cells
            if cell not in hidden and (("line", cell[0]) in near) != (("column", cell[1]) in near)
        ]
        # A zero is the last that is hidden, and a total before it.
        return min(across, key=lambda cell: (cells[cell] == 0, TOTAL in cell, cells[cell], cell))
    return None


def _neighbours(hidden: set[Cell]) -> dict[Node, list[Node]]:
    found: dict[Node, list[Node]] = {}
    for line, column in sorted(hidden):
        found.setdefault(("line", line), []).append(("column", column))
        found.setdefault(("column", column), []).append(("line", line))
    return found


def _reached(hidden: set[Cell], start: Node) -> set[Node]:
    neighbours, reached, ahead = _neighbours(hidden), {start}, [start]
    while ahead:
        for node in neighbours.get(ahead.pop(), ()):
            if node not in reached:
                reached.add(node)
                ahead.append(node)
    return reached


def _bridges(hidden: set[Cell]) -> Iterator[Cell]:
    """Give the hidden cells that no ring of hidden cells holds (Tarjan). Depth is at most twice the number of columns."""
    neighbours = _neighbours(hidden)
    order: dict[Node, int] = {}
    lowest: dict[Node, int] = {}

    def visit(node: Node, parent: Node | None) -> Iterator[Cell]:
        order[node] = lowest[node] = len(order)
        for other in neighbours[node]:
            if other == parent:
                continue
            if other in order:
                lowest[node] = min(lowest[node], order[other])
                continue
            yield from visit(other, node)
            lowest[node] = min(lowest[node], lowest[other])
            if lowest[other] > order[node]:
                line, column = (node, other) if node[0] == "line" else (other, node)
                yield line[1], column[1]

    for node in neighbours:
        if node not in order:
            yield from visit(node, None)
