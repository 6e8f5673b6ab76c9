"""A bare Channels consumer, for `pool.py`: each socket has a group of its own, and says what is sent to that."""

import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crowdsite.settings")

import django

django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402


class Echo(AsyncWebsocketConsumer):
    """Authenticates whoever says a number, which names its group."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        number = json.loads(text_data or "{}")["token"]
        await self.channel_layer.group_add(f"echo.{number}", self.channel_name)
        await self.send(text_data='{"type":"welcome"}')

    async def told(self, message: dict[str, Any]) -> None:
        await self.send(text_data='{"type":"promoted"}')


application = ProtocolTypeRouter({"websocket": Echo.as_asgi()})
