"""A client of Redis Cluster that tells which node has a key, for who speaks to nodes directly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster


class ClusterClient(RedisCluster):
    """The Redis client's Cluster client, and a plain client for each node."""

    def __init__(self, hosts: tuple[tuple[str, int], ...], node: Callable[[str, int], Redis], **options: Any) -> None:
        super().__init__(startup_nodes=[ClusterNode(host, port) for host, port in hosts], **options)
        self._node, self._nodes = node, dict[str, Redis]()
        self._stale = True

    async def node_of(self, key: str | bytes) -> Redis:
        """Return a client of the node that has the key's slot.

        Raises:
            redis.exceptions.RedisError: no node tells, or none has it.

        """
        if self._stale:
            await self._look()
        found = self.nodes_manager.get_node_from_slot(self.keyslot(key))
        if found.name not in self._nodes:
            self._nodes[found.name] = self._node(found.host, int(found.port))
        return self._nodes[found.name]

    def moved(self) -> None:
        """Have the next ``node_of`` ask the nodes who has what: one is lost, or has handed slots over."""
        self._stale = True

    async def aclose(self) -> None:
        """Close every connection."""
        nodes, self._nodes = self._nodes, {}
        for client in nodes.values():
            await client.aclose()
        await super().aclose()

    async def _look(self) -> None:
        await self.initialize()
        await self.nodes_manager.initialize()
        self._stale = False
