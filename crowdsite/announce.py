"""Saying where the site is as soon as it answers there."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

Say = Callable[[str], object]

# How often it is looked whether the site answers, in seconds.
LOOK_EVERY = 0.1


def announce(url: str, say: Say) -> None:
    """Tell `say` that the site is ready once it answers at `url`; a thread waits for that."""

    def wait() -> None:
        while not answers(url):
            time.sleep(LOOK_EVERY)
        say(f"Crowdsite is ready at {url} (end it with Ctrl-C).")

    threading.Thread(target=wait, name="announce", daemon=True).start()


def answers(url: str) -> bool:
    """Whether the site gives an answer at `url`; a refusal (ALLOWED_HOSTS, HTTPS only) is one too."""
    try:
        urllib.request.urlopen(f"{url}healthz", timeout=5).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
    except OSError:
        return False
    return True
