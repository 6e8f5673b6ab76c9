"""How the site ends: by a signal, or because it cannot go on."""

import signal

# What asks for the end.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotServe(Exception):
    """The site cannot start, or a part of it has broken; the text is a sentence for the operator."""
