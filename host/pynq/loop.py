"""An event loop of our own: PYNQ's interrupts are coroutines, and a notebook's loop is taken."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """A thread that runs an event loop until it is closed.

    ``pynq.interrupt`` attaches an interrupt's file to the loop that runs while the core's object is
    made, so that is made inside ``call``.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, make: Callable[[], T]) -> T:
        """What ``make()`` returns, called while the loop runs."""

        async def inside() -> T:
            return make()

        future: Future[T] = asyncio.run_coroutine_threadsafe(inside(), self._loop)
        return future.result()

    def finish(self, work: Coroutine[Any, Any, object], seconds: float) -> bool:
        """Whether ``work`` ended within ``seconds``; it is cancelled otherwise."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            future.result(seconds)
        except FutureTimeout:
            future.cancel()
            return False
        return True

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
