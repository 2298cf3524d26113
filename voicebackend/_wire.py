"""Commands to Redis at little cost: over one connection, or in a Cluster over one to each node."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend._cluster import ClusterClient
from voicebackend._line import Command, Line

_SCRIPTS = frozenset({"EVAL", "EVALSHA", b"EVAL", b"EVALSHA"})
"""Commands whose first key comes after a script and the number of keys; elsewhere it follows the name."""


class Wire:
    """Commands in, replies out; any number may be under way. Connections are the client's, and close with it."""

    def __init__(self, redis: Redis) -> None:
        self._nodes = redis if isinstance(redis, ClusterClient) else Line(redis)
        self._lines: dict[Redis, Line] = {}
        self._apart: dict[tuple[Redis, str], Line] = {}

    @classmethod
    def over(cls, redis: Redis | Wire) -> Wire:
        """Return a wire of a client's, or the one that is given."""
        return redis if isinstance(redis, Wire) else cls(redis)

    async def execute(self, *commands: Command) -> list[Any]:
        """Send commands together and return their replies: bytes, integers, lists or None.

        Raises:
            redis.exceptions.RedisError: Redis is not there, does not answer in time, or refused one of them.

        """
        replies = await self.replies(*commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def replies(self, *commands: Command) -> list[Any]:
        """Send commands together and return their replies, an error in the place of each that failed.

        Raises:
            redis.exceptions.RedisError: nothing can be said of any of them; only without a Cluster.

        """
        nodes = self._nodes
        return await (nodes.replies(commands) if isinstance(nodes, Line) else self._replies_of(nodes, commands))

    async def apart(self, keys: list[str]) -> list[tuple[Line, list[str]]]:
        """Return what can be asked for together, and the line for it: for commands that block on several keys.

        One server takes all keys in one command. A Cluster refuses keys of different slots, so each has a line of its
        own there, until a later call leaves it out.

        Raises:
            redis.exceptions.RedisError: no node tells who has a key.

        """
        if isinstance(self._nodes, Line):
            return [(self._nodes, keys)]
        before, self._apart = self._apart, {}
        for key in keys:
            node = await self._nodes.node_of(key)
            self._apart[node, key] = before.pop((node, key), None) or Line(node)
        for line in before.values():
            await line.aclose()
        return [(line, [key]) for (_, key), line in self._apart.items()]

    def moved(self) -> None:
        """Look again where keys are, before the next command: a node was lost, or refused one."""
        if isinstance(self._nodes, ClusterClient):
            self._nodes.moved()

    async def _line_to(self, nodes: ClusterClient, key: str | bytes) -> Line:
        node = await nodes.node_of(key)
        if node not in self._lines:
            self._lines[node] = Line(node)
        return self._lines[node]

    async def _replies_of(self, nodes: ClusterClient, commands: tuple[Command, ...]) -> list[Any]:
        """Ask each node for its part; a node's failure is the reply to each command of its part."""
        parts: dict[Line, list[int]] = {}
        for place, command in enumerate(commands):
            key = command[3 if command[0] in _SCRIPTS else 1]
            parts.setdefault(await self._line_to(nodes, key), []).append(place)

        replies: list[Any] = [None] * len(commands)

        async def ask(line: Line, places: list[int]) -> None:
            try:
                found = await line.replies(tuple(commands[place] for place in places))
            except (RedisError, OSError) as error:
                found = [error] * len(places)
            for place, reply in zip(places, found, strict=True):
                replies[place] = reply

        await asyncio.gather(*(ask(line, places) for line, places in parts.items()))
        if any(isinstance(reply, Exception) for reply in replies):
            nodes.moved()
        return replies
