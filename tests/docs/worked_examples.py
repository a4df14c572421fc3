"""Read the worked examples of a page: blocks of code that say where they go, and commands with what they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NEW_FILE = re.compile(r"# new file: (?P<path>\S+)\n(?P<text>.*)", re.DOTALL)
_ADDED_LINES = re.compile(
    r"# (?P<path>\S+), (?P<side>after|before) the line: (?P<line>[^\n]+)\n(?P<text>.*)", re.DOTALL
)
_COUNT = re.compile(r"Count: (?P<files>\d+) new file; (?P<lines>\d+) line in a table(?P<imports>, with its import)?\.")


@dataclass(frozen=True)
class Count:
    """What an example touches: new files, and lines of a table, each with an import or without."""

    num_files: int
    num_lines: int
    imports: bool


@dataclass(frozen=True)
class Command:
    """A command of a ``console`` block, and the lines that the page shows of what it prints."""

    text: str
    prints: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A section of the page."""

    text: str

    @property
    def count(self) -> Count:
        (found,) = [match for line in self.text.splitlines() if (match := _COUNT.fullmatch(line))]
        return Count(int(found["files"]), int(found["lines"]), found["imports"] is not None)

    @property
    def commands(self) -> list[Command]:
        """All commands, in order."""
        consoles = [match["text"] for match in _BLOCK.finditer(self.text) if match["language"] == "console"]
        commands = [part.splitlines() for text in consoles for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
        return [Command(command, tuple(prints)) for command, *prints in commands]

    @property
    def new_modules(self) -> list[str]:
        """The dotted names of the modules that it adds to the package."""
        paths = [new["path"] for block in _BLOCK.finditer(self.text) if (new := _NEW_FILE.match(block["text"]))]
        return [path[len("src/") : -len(".py")].replace("/", ".") for path in paths if path.startswith("src/")]

    def apply(self, root: Path, *, paths: str) -> None:
        """Write the new files and add the lines that go to paths of this pattern below ``root``."""
        for block in _BLOCK.finditer(self.text):
            if (new := _NEW_FILE.match(block["text"])) and fnmatch(new["path"], paths):
                _write_new(root / new["path"], new["text"])
            elif (lines := _ADDED_LINES.match(block["text"])) and fnmatch(lines["path"], paths):
                _add_lines(root / lines["path"], lines)


def read_examples(page: Path) -> dict[str, Example]:
    """Read the sections of a page by heading; what stands before the first has the heading ``""``."""
    before, *sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {"": Example(before)} | {text.partition("\n")[0]: Example(text) for text in sections}


def _write_new(path: Path, text: str) -> None:
    assert not path.exists(), f"{path} is there already"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _add_lines(path: Path, block: re.Match[str]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.strip() == block["line"]]
    lines.insert(place + (block["side"] == "after"), block["text"])
    path.write_text("".join(lines), encoding="utf-8")
