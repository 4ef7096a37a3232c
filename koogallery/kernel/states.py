"""State machines as data: a table of allowed moves per enum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Generic, TypeVar

from koogallery.kernel.reasons import Refused

State = TypeVar("State", bound=Enum)


class Moves(Generic[State]):
    """Which state may follow which. `Moves({Paid: {Shipped}, Shipped: set()})`; anything else is refused."""

    def __init__(self, table: Mapping[State, Iterable[State]]) -> None:
        self._table = {source: frozenset(targets) for source, targets in table.items()}
        states = set(type(next(iter(self._table))))
        if missing := states - set(self._table):
            raise ValueError(f"No row for {sorted(str(state) for state in missing)}.")

    def allowed(self, source: State, target: State) -> bool:
        """Whether `target` may follow `source`."""
        return target in self._table[source]

    def after(self, source: State) -> frozenset[State]:
        """The states that may follow `source`."""
        return self._table[source]

    def before(self, target: State) -> list[State]:
        """The states from which `target` may be reached."""
        return [source for source, targets in self._table.items() if target in targets]

    def check(self, source: State, target: State) -> None:
        """Raise `Refused("state_move")` unless `target` may follow `source`."""
        if not self.allowed(source, target):
            raise Refused("state_move", source=_label(source), target=_label(target))


def _label(state: Enum) -> str:
    return str(getattr(state, "label", state.value))
