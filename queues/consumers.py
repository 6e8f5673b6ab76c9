"""Sockets: what they all have in common, and how pushes reach them."""

from collections.abc import Sequence

from channels.layers import get_channel_layer

from queues.pushes import Push


async def tell(pushes: Sequence[Push]) -> None:
    """Send pushes to the groups of the channel layer. To be called on the loop that the layer belongs to."""
    layer = get_channel_layer()
    if layer is not None:
        for push in pushes:
            await layer.group_send(push.group, push.message)
