"""Facets: one packed number per product and category, and counting them.

Bits of a key from the lowest: 4 delivery method, 4 billing modes, supervised, free trial, first row of the product,
first row of the product within its parent category; above them the category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from catalog.states import BillingMode, DeliveryMethod

METHODS = tuple(DeliveryMethod)
MODES = tuple(BillingMode)
MODE_SHIFT = 4
SUPERVISED = 1 << 8
TRIAL = 1 << 9
FIRST = 1 << 10
FIRST_IN_PARENT = 1 << 11
CATEGORY_SHIFT = 12


def packed_of(*, method: str, modes: Iterable[str], supervised: bool, trial: bool) -> int:
    """The lower bits of a product."""
    bits = METHODS.index(DeliveryMethod(method))
    for mode in modes:
        bits |= 1 << (MODE_SHIFT + MODES.index(BillingMode(mode)))
    return bits | (SUPERVISED if supervised else 0) | (TRIAL if trial else 0)


def keys_of(*, packed: int, categories: Sequence[tuple[int, int | None]]) -> list[int]:
    """One key per category (id, parent id) of a product; a product without categories has one with category 0."""
    keys, parents = [], set()
    for index, (category, parent) in enumerate(categories or [(0, None)]):
        key = (category << CATEGORY_SHIFT) | packed | (FIRST if index == 0 else 0)
        above = parent or category
        if above not in parents:
            parents.add(above)
            key |= FIRST_IN_PARENT
        keys.append(key)
    return keys


@dataclass(frozen=True, slots=True)
class Selection:
    """The filters in force. `category` 0 is all; a parent category selects its children too.

    `sellers` by id; prices in ten-thousandths of the site's currency.
    """

    category: int = 0
    methods: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset()
    supervised: bool | None = None
    trial: bool = False
    seller: int = 0
    price_from: int | None = None
    price_to: int | None = None

    @property
    def is_empty(self) -> bool:
        return self == Selection()

    @property
    def method_bits(self) -> list[int]:
        """The selected methods as they stand in a key."""
        return [METHODS.index(DeliveryMethod(method)) for method in sorted(self.methods)]

    @property
    def mode_bits(self) -> list[int]:
        """The selected modes by their place."""
        return [MODES.index(BillingMode(mode)) for mode in sorted(self.modes)]

    @property
    def mode_mask(self) -> int:
        """The selected modes as a mask of a key; 0 for all."""
        mask = 0
        for mode in self.modes:
            mask |= 1 << (MODE_SHIFT + MODES.index(BillingMode(mode)))
        return mask


@dataclass(frozen=True, slots=True)
class Counts:
    """How many products each choice would show, everything else staying selected; `total` is what is shown now."""

    total: int
    categories: Mapping[int, int]
    methods: Mapping[str, int]
    modes: Mapping[str, int]
    supervised: Mapping[bool, int]
    trial: int
    sellers: Mapping[int, int] = field(default_factory=dict)

    def with_sellers(self, sellers: Mapping[int, int]) -> Counts:
        """The same with the counts of sellers."""
        return replace(self, sellers=sellers)


class Tree:
    """Which category lies below which: id → parent id (None at the top)."""

    def __init__(self, parents: Mapping[int, int | None]) -> None:
        self.parents = dict(parents)

    def parent(self, category: int) -> int | None:
        return self.parents.get(category)

    def is_top(self, category: int) -> bool:
        return self.parents.get(category) is None

    def within(self, category: int) -> list[int]:
        """The category and what lies below it."""
        return [category, *(child for child, parent in self.parents.items() if parent == category)]

    def counts_row(self, key: int, category: int) -> bool:
        """Whether a row stands for its product when `category` is selected (0: all); a product counts once."""
        if not category:
            return bool(key & FIRST)
        own = key >> CATEGORY_SHIFT
        if own == category and not self.is_top(category):
            return True
        if not self.is_top(category):
            return False
        return (own == category or self.parents.get(own) == category) and bool(key & FIRST_IN_PARENT)


def count(groups: Iterable[tuple[int, int]], *, selection: Selection, tree: Tree) -> Counts:
    """Count the facets of key groups (key, number of rows) that already fit seller and price.

    Each facet ignores its own selection, so that one sees what another choice would show.
    """
    total = trial = 0
    categories: Counter[int] = Counter()
    methods: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    supervised: Counter[bool] = Counter()
    wanted_methods, mask = set(selection.method_bits), selection.mode_mask
    for key, rows in groups:
        bits = key & 0xF
        fits_method = not wanted_methods or bits in wanted_methods
        fits_mode = not mask or bool(key & mask)
        fits_supervised = selection.supervised is None or bool(key & SUPERVISED) == selection.supervised
        fits_trial = not selection.trial or bool(key & TRIAL)
        misses = (not fits_method) + (not fits_mode) + (not fits_supervised) + (not fits_trial)
        if misses > 1:
            continue
        if not misses:
            own = key >> CATEGORY_SHIFT
            parent = tree.parent(own)
            if own:
                if parent is not None:
                    categories[own] += rows
                if key & FIRST_IN_PARENT:
                    categories[parent or own] += rows
        if not tree.counts_row(key, selection.category):
            continue
        if not misses:
            total += rows
        if not misses or not fits_method:
            methods[METHODS[bits].value] += rows
        if not misses or not fits_mode:
            for index, mode in enumerate(MODES):
                if key & (1 << (MODE_SHIFT + index)):
                    modes[mode.value] += rows
        if not misses or not fits_supervised:
            supervised[bool(key & SUPERVISED)] += rows
        if (not misses or not fits_trial) and key & TRIAL:
            trial += rows
    return Counts(total=total, categories=categories, methods=methods, modes=modes, supervised=supervised, trial=trial)
