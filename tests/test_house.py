"""What docs/house.md promises and no other tool looks at. (Floors: lint-imports. Style: ruff. Types: mypy.)"""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
OURS = ("voucher", "merchant_portal", "issuer_portal", "migrations", "tests", "tools", "benchmarks")
PACKAGES = ("voucher", "merchant_portal", "issuer_portal", "tools", "benchmarks")
CAPABILITIES = (
    "access", "ledger", "programme", "network", "issuing", "distribution", "redemption", "settlement", "reporting",
    "mail", "funding", "accounting", "proof", "takeover",
)  # fmt: skip
LINES_MAX = 450
LOCKS = ("requirements.txt", "requirements-dev.txt", "package-lock.json")
SETTINGS = ("pyproject.toml", ".npmrc", "package.json", "requirements.in", "requirements-dev.in", "Makefile", ".ci/run")


def sources(*endings: str, below: tuple[str, ...] = OURS) -> Iterator[Path]:
    """Walk over our own files; what npm brought is not ours."""
    for folder in below:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in endings and "vendor" not in path.parts:
                yield path


def pins(lock: str) -> set[tuple[str, str]]:
    """Return each (name, version) of a requirements lock; a name may come twice, for older and newer Pythons."""
    return set(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def wishes(file: str) -> list[Requirement]:
    """Return what a requirements*.in file asks for."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def test_no_file_is_too_long_to_be_read_at_one_sitting() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in [ROOT / "wsgi.py", *sources(".py", ".html", ".js", ".css", ".typ")]
    }
    assert {path: length for path, length in lengths.items() if length > LINES_MAX} == {}


def test_every_package_opens_by_saying_what_it_owns() -> None:
    packages = [path for path in sources(".py", below=PACKAGES) if path.name == "__init__.py"]
    assert packages
    assert [str(path) for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_nothing_is_left_for_later_in_the_code() -> None:
    unfinished = re.compile(r"\b(T[O]DO|F[I]XME)\b")
    found = [
        str(path) for path in sources(".py", ".html", ".js", ".css", ".typ") if unfinished.search(path.read_text())
    ]
    assert found == []


def test_no_capability_reads_the_clock_or_the_environment() -> None:
    forbidden = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "os.environ", "os.getenv"}
    forbidden |= {"gc.freeze", "gc.disable"}  # they are of the whole process, where other threads answer pages
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for path in sources(".py", below=tuple(f"voucher/{room}" for room in CAPABILITIES))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in forbidden
    ]
    assert found == []


def test_the_floors_that_are_checked_are_those_the_house_describes() -> None:
    described = re.search(
        r"A floor imports only floors below it:\n\n((?: {4}.*\n)+)", (ROOT / "docs/house.md").read_text()
    )
    assert described
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [re.sub(r"[()]", "", layer) for layer in layers] == [line.strip() for line in described[1].splitlines()]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_to_download_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r'"resolved"|--(extra-)?index-url|--find-links|\.(whl|tgz|tar\.gz)\b|file://', text)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_settings_file_names_no_address_to_download_from(settings: str) -> None:
    text = (ROOT / settings).read_text()
    assert not re.search(r"https?://(?!127\.0\.0\.1)|index-url|find-links|^registry", text, re.MULTILINE)


@pytest.mark.parametrize(
    "wanted, lock", [("requirements.in", "requirements.txt"), ("requirements-dev.in", "requirements-dev.txt")]
)
def test_the_lock_holds_what_is_asked_for(wanted: str, lock: str) -> None:
    out_of_step = [
        str(wish)
        for wish in wishes(wanted)
        if not any(wish.name.lower() == name and wish.specifier.contains(version) for name, version in pins(lock))
    ]
    assert out_of_step == [], "run: make lock"


@pytest.mark.parametrize("lock", LOCKS[:2])
def test_every_locked_package_has_its_hash(lock: str) -> None:
    entries = re.findall(r"^[a-z0-9._-]+(?:\[[^]]*\])?==.*(?:\n .*)*", (ROOT / lock).read_text(), re.MULTILINE)
    assert len(entries) == len(pins(lock)) > 0
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_tests_run_on_the_very_versions_that_serve() -> None:
    assert pins("requirements.txt") <= pins("requirements-dev.txt")


def test_the_npm_lock_holds_what_is_asked_for() -> None:
    asked = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for kind in ("dependencies", "devDependencies"):
        assert locked[""][kind] == asked[kind]
        assert {name: locked[f"node_modules/{name}"]["version"] for name in asked[kind]} == asked[kind]


def test_the_readme_opens_with_the_two_commands_and_the_build_server_runs_the_second() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert "make demo" in first_screen
    assert "make test" in first_screen
    assert re.search(r"^make test\b", (ROOT / ".ci/run").read_text(), re.MULTILINE)
