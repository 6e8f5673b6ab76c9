"""`manage.py courier`: sequence events, send webhooks and tell open sockets, until SIGINT or SIGTERM."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from queues import conf
from queues.consumers import tell
from queues.courier import Courier


class Command(BaseCommand):
    """For a host that runs its own processes; `manage.py serve` has a courier of its own."""

    help = "Sequence events, send webhooks and tell open sockets, until SIGINT or SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal."""
        if conf.layer_is_in_memory():
            self.stderr.write("The channel layer is in memory, so this process cannot tell sockets in another.")
        asyncio.run(self.work())

    async def work(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        # Loading the channel layer takes longer than telling may.
        await tell(())
        await Courier(tell).run(stop)
