"""A client of Redis Cluster that tells which node has a key, for who speaks to nodes directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException


class ClusterClient(RedisCluster):
    """The Redis client's Cluster client, and a plain client for each node.

    While one node is gone, what the others have can still be used.
    """

    def __init__(
        self,
        hosts: tuple[tuple[str, int], ...],
        node: Callable[[str, int], Redis],
        careful: Callable[[type[Any]], type[Any]],
        **options: Any,
    ) -> None:
        """``node`` makes a node's client, ``careful`` the kind of connection by which nodes are asked who has what."""
        super().__init__(
            startup_nodes=[ClusterNode(host, port) for host, port in hosts], require_full_coverage=False, **options
        )
        kind = careful(self.connection_kwargs["connection_class"])
        self.connection_kwargs["connection_class"] = kind  # of nodes that are yet to be met
        for known in self.startup_nodes:
            known.connection_class = kind
        self._node, self._nodes = node, dict[str, Redis]()
        self._stale = True

    async def node_of(self, key: str | bytes) -> Redis:
        """Return a client of the node that has the key's slot.

        Raises:
            redis.exceptions.RedisError: no node tells, or none has it.

        """
        with _cluster_errors():
            if self._stale:
                await self.nodes_manager.initialize()
                self._stale = False
            found = self.nodes_manager.get_node_from_slot(self.keyslot(key))
        return self._client(found)

    async def primaries(self) -> list[Redis]:
        """Return a client of each node that has slots. Raises as ``node_of``."""
        with _cluster_errors():
            await self.nodes_manager.initialize()
            return [self._client(node) for node in self.get_primaries()]

    def _client(self, node: ClusterNode) -> Redis:
        if node.name not in self._nodes:
            self._nodes[node.name] = self._node(node.host, int(node.port))
        return self._nodes[node.name]

    def moved(self) -> None:
        """Have the next ``node_of`` ask the nodes who has what: one is lost, or has handed slots over."""
        self._stale = True

    async def initialize(self, *args: Any, **options: Any) -> Self:
        """Learn who has what; which commands there are only once, for it is asked of one node, which may be gone."""
        with _cluster_errors():
            if self._initialize and self.commands_parser.commands:
                await self.nodes_manager.initialize(*args, **options)
                self._initialize = False
            await super().initialize(*args, **options)
        return self

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command where its key is."""
        await self.initialize()
        with _cluster_errors():
            return await super().execute_command(*args, **options)

    async def aclose(self) -> None:
        """Close every connection."""
        nodes, self._nodes = self._nodes, {}
        for client in nodes.values():
            await client.aclose()
        await super().aclose()
        await self.nodes_manager.aclose()  # what ``node_of`` has opened
        await self.nodes_manager.aclose("startup_nodes")


@contextmanager
def _cluster_errors() -> Iterator[None]:
    """Take a Cluster that is not whole for a server that is not there, as everybody else expects."""
    try:
        yield
    except RedisClusterException as error:
        raise RedisConnectionError("no node of the Cluster has this key now") from error
