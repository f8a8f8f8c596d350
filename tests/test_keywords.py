"""What has many parts is named where it is made: two neighbours of one type swap without a sound in a row of arguments."""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("voucher", "merchant_portal", "issuer_portal", "tools", "benchmarks")
POSITIONAL_MAX = 6


@cache
def trees() -> dict[str, ast.Module]:
    """Return every module of ours by its dotted name."""
    paths = [path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
        for path in paths
    }


def dataclass_of(tree: ast.ClassDef) -> ast.expr | None:
    """Return the decorator that makes a class a dataclass."""
    names = {ast.unparse(one.func if isinstance(one, ast.Call) else one): one for one in tree.decorator_list}
    return names.get("dataclass") or names.get("dataclasses.dataclass")


def classes() -> dict[str, list[tuple[str, ast.ClassDef]]]:
    """Return the dataclasses by name, with their module: two rooms may use one name."""
    found: dict[str, list[tuple[str, ast.ClassDef]]] = {}
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and dataclass_of(node):
                found.setdefault(node.name, []).append((module, node))
    return found


def field_names(tree: ast.ClassDef, known: dict[str, list[tuple[str, ast.ClassDef]]]) -> set[str]:
    """Return a dataclass's fields, those of the dataclasses it extends too; what stands after KW_ONLY has no place."""
    by_place = takewhile(
        lambda node: not isinstance(node, ast.AnnAssign) or "KW_ONLY" not in ast.unparse(node), tree.body
    )
    own = {
        ast.unparse(node.target)
        for node in by_place
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation)
    }
    bases = (known.get(ast.unparse(base).rpartition(".")[2], []) for base in tree.bases)
    return own.union(*(field_names(base, known) for found in bases for _, base in found))


def test_a_dataclass_of_seven_fields_or_more_is_made_by_keywords() -> None:
    known = classes()
    found = [
        f"{module}.{tree.name}"
        for homonyms in known.values()
        for module, tree in homonyms
        if len(field_names(tree, known)) > POSITIONAL_MAX
        and "kw_only=True" not in ast.unparse(dataclass_of(tree) or tree)
    ]
    assert len(known) > 300
    assert found == []


def defined(tree: ast.Module) -> set[str]:
    """Return the functions and classes that stand at a module's top."""
    return {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def calls_of_ours(module: str, tree: ast.Module) -> Iterator[ast.Call]:
    """Walk over the calls to functions and classes of ours: of this module, imported, or methods of its own class."""
    ours, modules = defined(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            for name in node.names:
                is_module = f"{node.module}.{name.name}" in trees()
                (modules if is_module else ours).add(name.asname or name.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            whose, _, name = ast.unparse(node.func).rpartition(".")
            if (name in ours and not whose) or whose in modules or whose in ("self", "cls"):
                yield node


def test_no_call_gives_seven_arguments_by_their_place() -> None:
    looked_at = [(module, call) for module, tree in trees().items() for call in calls_of_ours(module, tree)]
    found = [
        f"{module}:{call.lineno} {ast.unparse(call.func)}"
        for module, call in looked_at
        if sum(not isinstance(argument, ast.Starred) for argument in call.args) > POSITIONAL_MAX
    ]
    assert len(looked_at) > 5_000
    assert found == []
