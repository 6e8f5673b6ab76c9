"""What somebody wrote down, each line on the disk before they go on."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """Lines of JSON, appended."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, **said: Any) -> None:
        """Write a line; it is on the disk when this returns."""
        os.write(self.file, json.dumps(said).encode() + b"\n")
        os.fsync(self.file)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines, but for a last one that was not finished."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield json.loads(line)
