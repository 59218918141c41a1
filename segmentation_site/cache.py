"""A Redis cache that misses, instead of failing, while Redis is away."""

import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import redis
import structlog
from django.core.cache.backends.redis import RedisCache

P = ParamSpec("P")
T = TypeVar("T")

# After a failure nobody asks again for so long: a broker that swallows packets would cost each page 0.5 s.
PAUSE_SECONDS = 5.0


class ForgivingRedisCache(RedisCache):
    """What is cached may be lost at any time; a person must not be stopped because it cannot be counted."""

    _paused_until = 0.0

    def _try(self, otherwise: T, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        cls = type(self)
        if time.monotonic() < cls._paused_until:
            return otherwise
        try:
            return operation(*args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            cls._paused_until = time.monotonic() + PAUSE_SECONDS
            structlog.get_logger(__name__).warning("cache_unreachable", error=str(error))
            return otherwise

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(True, super().add, *args, **kwargs)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._try(default, super().get, key, default=default, version=version)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._try(None, super().set, *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(False, super().touch, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(False, super().delete, *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return self._try({}, super().get_many, *args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return self._try(list(data), super().set_many, data, *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        self._try(None, super().delete_many, *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return self._try(False, super().has_key, *args, **kwargs)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return self._try(delta, super().incr, key, delta=delta, version=version)

    def clear(self) -> None:
        self._try(None, super().clear)
