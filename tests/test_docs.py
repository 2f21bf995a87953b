"""What the documents name is there: files, and where links lead."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
CODE = [path for part in ("functions", "stacks", "tallygate") for path in (ROOT / part).rglob("*.py")]

_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w-]+(?:\.(?:py|md|toml|json|gz|txt))?)?|[\w-]+\.(?:py|toml)")
_IN_CODE = re.compile(r"\b(?:[\w-]+/)+[\w-]+\.(?:py|md|toml)\b|`[\w-]+\.(?:py|md|toml)`")


def paths_in(text: str, beside: Path) -> Iterator[tuple[str, bool]]:
    """Each path that a document names, and whether it is there. A file named alone stands beside the one named before
    it: `tallygate/core/identity.py`, `keys.py`."""
    last = ROOT
    for span in _SPAN.findall(text):
        if not _PATH.fullmatch(span):
            continue
        found = next((base / span for base in (ROOT, last) if (base / span).exists()), None)
        yield span, found is not None
        if found is not None:
            last = found if found.is_dir() else found.parent
    for link in _LINK.findall(text):
        if ":" not in link:
            yield link, (beside / link).exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_paths_in_a_document_are_there(document: Path) -> None:
    assert [path for path, is_there in paths_in(document.read_text(), document.parent) if not is_there] == []


def test_the_paths_in_the_words_of_the_code_are_there() -> None:
    named = {(file, path.strip("`")) for file in CODE for path in _IN_CODE.findall(file.read_text())}
    missing = {
        (str(file.relative_to(ROOT)), path)
        for file, path in named
        if not any((base / path).exists() for base in (ROOT, file.parent, file.parent.parent))
    }
    assert missing == set()
