"""Categories of the storefront."""

from __future__ import annotations

from catalog.models import Category
from catalog.operations.categories_data import SHELVES
from koogallery.kernel import pagecache
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced


@operation("saveCategory", resource_type="Category", roles={Role.OPERATOR, Role.SYSTEM})
def save_category(
    call: Call,
    *,
    code: str,
    name: str,
    name_zh: str = "",
    parent: str = "",
    summary: str = "",
    summary_zh: str = "",
    icon: str = "",
    position: int = 0,
) -> Category:
    """Make or change a category, by code."""
    values = {
        "name": name,
        "name_zh": name_zh,
        "parent": Category.objects.get(code=parent) if parent else None,
        "summary": summary,
        "summary_zh": summary_zh,
        "icon": icon,
        "position": position,
    }
    category, made = Category.objects.update_or_create(code=code, defaults=values)
    describe(resource=category, made=made)
    pagecache.bump()
    return category


@operation("ensureCategories", resource_type="Category", roles={Role.OPERATOR, Role.SYSTEM})
def ensure_categories(call: Call) -> None:
    """Make those categories of the guide (7.2) that are missing; existing ones stay as they are."""
    known = set(Category.objects.values_list("code", flat=True))
    missing = [shelf for shelf in enumerate(SHELVES) if shelf[1][0] not in known]
    for position, (code, parent, name, name_zh, summary, summary_zh, icon) in missing:
        save_category(
            call,
            code=code,
            parent=parent,
            name=name,
            name_zh=name_zh,
            summary=summary,
            summary_zh=summary_zh,
            icon=icon,
            position=position,
        )
    if not missing:
        untraced()
    describe(resource_id="categories", resource_name="categories", made=len(missing))
