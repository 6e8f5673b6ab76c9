"""The browser that tests drive: the machine's own Chromium, headless."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PATIENCE = 30_000
"""Milliseconds that an expectation waits: the machine is shared with the rest of the suite."""


def executable() -> str | None:
    """The path of a Chromium: CROWDSITE_CHROMIUM, else the first found on PATH, else None."""
    return os.environ.get("CROWDSITE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """A running headless browser, or None where no Chromium is installed."""
    path = executable()
    if path is None:
        yield None
        return
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield running
        finally:
            running.close()
