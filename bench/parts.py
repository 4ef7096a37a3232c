"""The parts of the benchmark: a function that measures and gives rows, under a name for ONLY=."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.ground import Bench
from bench.table import Row

Measure = Callable[[Bench], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Part:
    """What a part measures, and the name of the database it stands on."""

    measure: Measure
    ground: str


_parts: dict[str, Part] = {}


def part(name: str, *, ground: str = "") -> Callable[[Measure], Measure]:
    """Register a function as the benchmark's part `name`; parts run in the order of registration.

    Each stands on a database of its own, so that no part's rows are in another's way; parts that name the same
    `ground` share one, for rows that take long to load.
    """

    def register(function: Measure) -> Measure:
        if name in _parts:
            raise ValueError(f"There is a part {name!r} already.")
        _parts[name] = Part(measure=function, ground=ground or name)
        return function

    return register


def measure(bench: Bench, *, only: list[str]) -> Iterator[Row]:
    """Run the chosen parts, or all, each on its ground, and give their rows as they come."""
    unknown = set(only) - set(_parts)
    if unknown:
        raise SystemExit(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(_parts)}.")
    for name, chosen in _parts.items():
        if not only or name in only:
            bench.stand_on(chosen.ground)
            yield from chosen.measure(bench)
