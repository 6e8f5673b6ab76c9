"""Serve a marketplace at a port, 8700 unless another is given: `python -m tests.mturk [PORT]`."""

import sys

from tests.mturk.server import MTurk

with MTurk(int(sys.argv[1]) if len(sys.argv) > 1 else 8700) as server:
    print(f"Mechanical Turk for requesters and workers: {server.url}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)
