"""What the code names stands in the repository: documents, their sections, decisions (docs/adr), files of docs/."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXTS = {".py", ".html", ".typ", ".js", ".css", ".md", ".toml", ".in", ".mako", ".json", ".yml", ".cfg", "", ".sh"}
NAMED = re.compile(r"(?<![\w/.-])((?:[\w.-]+/)*[\w-]+\.md)\b((?:,? (?:and |to )?§ ?\d+(?:\.\d+)*)*)")
OF_OTHERS = {"LISEZMOI.md": "what a take-over archive says of itself"}
"""Documents that stand elsewhere, each with its place."""
DECISION = re.compile(r"\bADRs? (\d+)(?: and (\d+))?")
A_FILE = re.compile(r"(?<![\w/.])docs/[\w./-]*\w")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def texts() -> Iterator[tuple[str, str]]:
    """Give the path and the text of every file of ours that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in TEXTS and path.is_file() and path != Path(__file__).resolve():
            yield name, path.read_text(encoding="utf-8")


def test_every_document_that_is_named_stands_here_with_the_section_that_is_named() -> None:
    documents = {
        path.name: path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
    }
    missing = []
    for name, text in texts():
        for document, sections in NAMED.findall(text):
            found = documents.get(Path(document).name)
            if document in OF_OTHERS:
                continue
            if found is None:
                missing.append(f"{name}: {document}")
                continue
            content = found.read_text(encoding="utf-8")
            missing += [
                f"{name}: {document} §{number}"
                for number in re.findall(r"\d+(?:\.\d+)*", sections)
                if not re.search(rf"^(?:#+ )?{re.escape(number)}\. ", content, re.MULTILINE)
            ]
    assert missing == []


def test_every_decision_that_is_named_was_written() -> None:
    written = {int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md")}
    named = {
        (name, int(number)) for name, text in texts() for pair in DECISION.findall(text) for number in pair if number
    }
    assert {(name, number) for name, number in named if number not in written} == set()


def test_every_file_and_room_that_the_house_names_stands_there() -> None:
    house = (ROOT / "docs/house.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+[a-z](?:/[a-z_0-9]+[a-z0-9])+)(?:\.[a-z_]+)?`", house))
    places = (ROOT, ROOT / "voucher", ROOT / "voucher/settlement")
    assert len(named) > 20
    assert {
        one for one in named if not any((place / f"{one}{end}").exists() for place in places for end in ("", ".py"))
    } == set()


def test_every_file_of_docs_that_is_named_and_every_link_of_a_document_leads_somewhere() -> None:
    named = {(name, found, ROOT / found) for name, text in texts() for found in A_FILE.findall(text)}
    links = {
        (name, found, (ROOT / name).parent / found)
        for name, text in texts()
        if name.endswith(".md")
        for found in LINK.findall(text)
    }
    assert sorted((name, found) for name, found, path in named | links if not path.exists()) == []
