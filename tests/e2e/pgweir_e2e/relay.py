"""A way to a server that takes its time, as one to another region does."""

import asyncio
import threading

from .system import free_port


class SlowRelay:
    """Listens on a port of its own and passes bytes on, each way `delay` seconds late and in order.

    Lifecycle: a thread from the constructor to close().
    """

    def __init__(self, server, delay):
        self.host, self.port = server.host, free_port()
        self.server_port, self.delay = server.port, delay
        self.loop = asyncio.new_event_loop()
        listening = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self.thread.start()
        listening.wait(timeout=10)

    def _run(self, listening):
        asyncio.set_event_loop(self.loop)
        listener = self.loop.run_until_complete(asyncio.start_server(self._serve, self.host, self.port))
        listening.set()
        self.loop.run_forever()
        listener.close()

    async def _serve(self, reader, writer):
        try:
            there = await asyncio.open_connection(self.host, self.server_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, there[1]), self._pass_on(there[0], writer))

    async def _pass_on(self, reader, writer):
        while data := await self._some(reader):
            self.loop.call_later(self.delay, self._write, writer, data)
        self.loop.call_later(self.delay, writer.close)

    async def _some(self, reader):
        try:
            return await reader.read(65536)
        except OSError:
            return b""

    def _write(self, writer, data):
        if not writer.is_closing():
            writer.write(data)

    async def _end(self):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.loop.stop()

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop)
        self.thread.join(timeout=10)
