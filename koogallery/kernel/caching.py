"""Django's Redis cache with one client for each server and thread, instead of one for every question."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends import redis


class Client(redis.RedisCacheClient):
    """Keeps the clients that it makes; their connections come from a pool as before."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._made: dict[int, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """The client for reading, or for writing."""
        server = self._get_connection_pool_index(write)  # type: ignore[attr-defined]
        if server not in self._made:
            self._made[server] = super().get_client(key, write=write)
        return self._made[server]


class RedisCache(redis.RedisCache):
    """The cache that settings name."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client
