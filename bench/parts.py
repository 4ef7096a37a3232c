"""The parts of the benchmark: a function that measures and gives rows, under a name for ONLY=."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bench.ground import Bench
from bench.table import Row

Part = Callable[[Bench], Iterable[Row]]

_parts: dict[str, Part] = {}


def part(name: str) -> Callable[[Part], Part]:
    """Register a function as the benchmark's part `name`; parts run in the order of registration."""

    def register(function: Part) -> Part:
        if name in _parts:
            raise ValueError(f"There is a part {name!r} already.")
        _parts[name] = function
        return function

    return register


def names() -> list[str]:
    """Every part's name."""
    return list(_parts)


def measure(bench: Bench, *, only: list[str]) -> Iterator[Row]:
    """Run the chosen parts, or all, and give their rows as they come."""
    unknown = set(only) - set(_parts)
    if unknown:
        raise SystemExit(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(_parts)}.")
    for name, function in _parts.items():
        if not only or name in only:
            yield from function(bench)
