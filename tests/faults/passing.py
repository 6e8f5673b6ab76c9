"""Pass connections on: `python -m tests.faults.passing PORT THERE THEIR_PORT HERE`, until it is killed."""

import asyncio
import sys
from contextlib import suppress


async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Give on what comes, until one end breaks off."""
    with suppress(OSError):
        while part := await source.read(65536):
            sink.write(part)
            await sink.drain()
    with suppress(OSError):
        sink.close()


async def main(port: str, there: str, their_port: str, here: str) -> None:
    """Listen at `here`."""

    async def take(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            back, on = await asyncio.open_connection(there, int(their_port))
        except OSError:
            sink.transport.abort()
            return
        await asyncio.gather(pour(source, on), pour(back, sink))

    async with await asyncio.start_server(take, here, int(port)) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
