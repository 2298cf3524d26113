"""The store of objects: a folder, or a bucket by URL. What is written once is never written over."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from voicebackend.errors import ConnectionFailed, InvalidConfig

SCHEMES = frozenset({"file", "memory", "s3"})
"""``s3://bucket/prefix`` takes its keys and endpoint from the environment (``AWS_…``)."""
_OP = "records"
_RETRY = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}


class Objects:
    """Objects by path, through obstore; every method raises ConnectionFailed where the store does not answer."""

    def __init__(self, store: Any) -> None:
        self._store, self._obstore = store, _package()

    def __repr__(self) -> str:
        return "<Objects>"

    @classmethod
    def open(cls, url: str) -> Objects:
        """Return the store at a URL: ``file:///folder`` (made if it is not there), ``s3://bucket``, ``memory:///``.

        Raises:
            InvalidConfig: it is no such URL, or the package is not installed.

        """
        obstore, scheme = _package(), urlsplit(url).scheme
        if scheme not in SCHEMES:
            message = f"the store's URL begins with one of {', '.join(sorted(SCHEMES))}"
            raise InvalidConfig(_OP, message, details={"field": "store"})
        try:
            if scheme == "file":
                Path(urlsplit(url).path).mkdir(parents=True, exist_ok=True, mode=0o700)
            if scheme == "memory":
                return cls(obstore.store.MemoryStore())
            if scheme == "s3":
                return cls(obstore.store.from_url(url, client_options=_client(), retry_config=_RETRY))
            return cls(obstore.store.from_url(url))
        except (OSError, ValueError, obstore.exceptions.BaseError) as error:
            raise InvalidConfig(_OP, f"the store cannot be opened: {type(error).__name__}") from error

    async def create(self, path: str, data: bytes) -> bool:
        """Write a new object; False if there is one already, which stays as it is."""
        try:
            await self._obstore.put_async(self._store, path, data, mode="create")
        except self._obstore.exceptions.AlreadyExistsError:
            return False
        except (OSError, self._obstore.exceptions.BaseError) as error:
            raise _away(error) from error
        return True

    async def read(self, path: str, *, start: int = 0, end: int | None = None) -> bytes | None:
        """Return an object's bytes from ``start`` up to ``end``; None if it is not there."""
        try:
            if start or end is not None:
                size = (await self._obstore.head_async(self._store, path))["size"] if end is None else end
                return bytes(await self._obstore.get_range_async(self._store, path, start=start, end=size))
            found = await self._obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())
        except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
            return None
        except (OSError, self._obstore.exceptions.BaseError) as error:
            raise _away(error) from error

    async def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is no error."""
        try:
            await self._obstore.delete_async(self._store, path)
        except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
            return
        except (OSError, self._obstore.exceptions.BaseError) as error:
            raise _away(error) from error

    async def has(self, path: str) -> bool:
        """Tell whether an object is there."""
        try:
            await self._obstore.head_async(self._store, path)
        except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
            return False
        except (OSError, self._obstore.exceptions.BaseError) as error:
            raise _away(error) from error
        return True

    async def level(self, prefix: str) -> tuple[set[str], dict[str, int]]:
        """Return what lies directly under a prefix: the names of folders, and of objects with their size in bytes."""
        try:
            found = await self._obstore.list_with_delimiter_async(self._store, prefix=prefix or None)
        except FileNotFoundError:  # a folder that went with its last object
            return set(), {}
        except (OSError, self._obstore.exceptions.BaseError) as error:
            raise _away(error) from error
        folders = {path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"]}
        return folders, {meta["path"].rpartition("/")[2]: meta["size"] for meta in found["objects"]}

    async def list(self, prefix: str = "") -> AsyncIterator[tuple[str, int]]:
        """Yield path and size in bytes of every object under a prefix that ends at a ``/``."""
        try:
            async for batch in self._obstore.list(self._store, prefix=prefix or None):
                for meta in batch:
                    yield meta["path"], meta["size"]
        except (OSError, self._obstore.exceptions.BaseError) as error:
            raise _away(error) from error


def _client() -> dict[str, Any]:
    """Return time limits; to give any leaves out what obstore would read of the environment."""
    return {"timeout": "30s", "connect_timeout": "5s", "allow_http": os.environ.get("AWS_ALLOW_HTTP") == "true"}


def _package() -> Any:
    try:
        import_module("obstore.store")
        return import_module("obstore")
    except ImportError as error:
        raise InvalidConfig(_OP, "a store needs obstore: pip install 'voicebackend[records]'") from error


def _away(error: Exception) -> ConnectionFailed:
    """Return an error that shows no address and no key."""
    return ConnectionFailed(_OP, f"the store does not answer: {type(error).__name__}")
