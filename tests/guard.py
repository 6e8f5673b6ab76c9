"""A guard of the code, as a mutation that takes it away, and the tests that must miss it (see tests.guards)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """In `file`, `old` becomes `new`; `old` must be there exactly once."""

    file: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        """Make the edit in a tree. Raises ValueError when the text is not there exactly once."""
        path = tree / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has this text {text.count(self.old)} times, not once: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Guard:
    """A guard, how it is taken away, and the tests that must fail without it, on `backend`."""

    name: str
    removed: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    backend: str = "postgres"


def both(models: str, in_model: tuple[str, str], in_migration: tuple[str, str]) -> tuple[Edit, ...]:
    """A constraint is in the models and in the migration; the tests' database is made by the latter."""
    app = models.split("/")[0]
    return Edit(models, *in_model), Edit(f"{app}/migrations/0001_initial.py", *in_migration)
