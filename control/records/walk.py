"""Going through a store of any size in the order of its paths, from where the last walk ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from heapq import nsmallest

from control.records.objects import Objects

FOLDERS = 5
"""``tenant/class/yyyy/mm/dd``: so deep a folder is listed level by level, below that as a whole."""
AT_ONCE = 5_000
"""Objects of one day in memory, or twice that: a store may list them in any order."""
Parts = tuple[str, ...]
"""A path in its order: folder by folder."""


async def walk(objects: Objects, after: str = "") -> AsyncGenerator[tuple[str, int], None]:
    """Yield path and size in bytes of every object behind ``after``.

    What begins with ``_`` is ours and no session's. Raises ConnectionFailed where the store does not answer.
    """
    async for item in _down(objects, _parts(after), ()):
        yield item


async def _down(objects: Objects, after: Parts, under: Parts) -> AsyncGenerator[tuple[str, int], None]:
    prefix = "".join(f"{part}/" for part in under)
    if len(under) >= FOLDERS:
        async for item in _whole(objects, after, prefix):
            yield item
        return
    folders, files = await objects.level(prefix)
    for name, size in sorted([*((name, -1) for name in folders), *files.items()]):
        here = (*under, name)
        if name.startswith("_") and not under:
            continue
        if size >= 0:
            if here > after:
                yield prefix + name, size
        elif here >= after[: len(here)]:
            async for item in _down(objects, after, here):
                yield item


async def _whole(objects: Objects, after: Parts, prefix: str) -> AsyncGenerator[tuple[str, int], None]:
    """Yield everything under a prefix in order; listed anew for each share, so that memory has a bound."""
    while True:
        share: list[tuple[Parts, int]] = []
        async for path, size in objects.list(prefix):
            if (parts := _parts(path)) > after:
                share.append((parts, size))
            if len(share) > 2 * AT_ONCE:
                share = nsmallest(AT_ONCE, share)
        share = nsmallest(AT_ONCE, share)
        for parts, size in share:
            yield "/".join(parts), size
        if len(share) < AT_ONCE:
            return
        after = share[-1][0]


def _parts(path: str) -> Parts:
    return tuple(path.split("/")) if path else ()
