"""What an agent's function gives back, whatever its kind, as one stream of texts."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing, suppress
from contextvars import copy_context
from typing import Any

from voicebackend.errors import AgentError, VoiceBackendError, as_error

_ITEM, _RESULT, _FAILED, _DONE = range(4)


async def reply_texts(function: Callable[[Any], Any], argument: Any) -> AsyncGenerator[str, None]:
    """Yield what the function says; a plain function or generator runs in a thread, so it may block.

    Raises:
        AgentError: it raised, or gave something that is not text.

    """
    try:
        async with aclosing(_items(function, argument)) as items:
            async for item in items:
                if not isinstance(item, str):
                    raise AgentError("agent", f"the agent gave {type(item).__name__}; text is needed")
                yield item
    except VoiceBackendError:
        raise
    except Exception as error:
        raise as_error(error) or AgentError("agent", f"the agent raised {type(error).__name__}") from error


async def _items(function: Callable[[Any], Any], argument: Any) -> AsyncGenerator[Any, None]:
    results = _unfolded(function(argument)) if _is_async(function) else _from_thread(function, argument)
    async with aclosing(results):
        async for item in results:
            yield item


async def _unfolded(result: Any) -> AsyncGenerator[Any, None]:
    """Yield from what an async function gave: text, nothing, an awaitable of these, or an async iterable."""
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, AsyncGenerator):
        async with aclosing(result):
            async for item in result:
                yield item
    elif isinstance(result, AsyncIterable):
        async for item in result:
            yield item
    elif result is not None:
        yield result


def _is_async(function: Callable[[Any], Any]) -> bool:
    call = getattr(function, "__call__", function)  # noqa: B004 - an object's own __call__ tells what it is
    return any(inspect.iscoroutinefunction(it) or inspect.isasyncgenfunction(it) for it in (function, call))


async def _from_thread(function: Callable[[Any], Any], argument: Any) -> AsyncGenerator[Any, None]:
    """Run the function, and the generator it may return, in a thread of its own that nobody has to wait for."""
    loop, results, stop = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Any]](), threading.Event()

    def tell(kind: int, value: Any = None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(results.put_nowait, (kind, value))

    thread = threading.Thread(
        target=copy_context().run, args=(_run, function, argument, tell, stop), name="agent", daemon=True
    )
    thread.start()
    try:
        while True:
            kind, value = await results.get()
            if kind == _FAILED:
                raise value
            if kind == _DONE:
                return
            if kind == _ITEM:
                yield value
            else:
                async with aclosing(_unfolded(value)) as items:
                    async for item in items:
                        yield item
    finally:
        stop.set()


def _run(function: Callable[[Any], Any], argument: Any, tell: Callable[..., None], stop: threading.Event) -> None:
    try:
        result = function(argument)
        if isinstance(result, str | bytes | Mapping) or not hasattr(result, "__iter__"):
            tell(_RESULT, result)
        else:
            for item in result:
                tell(_ITEM, item)
                if stop.is_set():
                    break
    except BaseException as error:  # noqa: BLE001 - handed to who asked
        tell(_FAILED, error)
    else:
        tell(_DONE)
