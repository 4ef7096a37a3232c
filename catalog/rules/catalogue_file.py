"""The catalogue format: a YAML text becomes checked records, or a list of faults that name line and field.

The format is described in `docs/catalogue-format.md`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeVar

import yaml

from billing.rules.plans import Band, LengthPrice, PricePlan
from billing.rules.plans import BillingMode as RuleMode
from billing.rules.plans import PriceModel as RuleModel
from billing.rules.terms import TermUnit as RuleTermUnit
from catalog.rules.rich import sanitised
from catalog.states import (
    ALWAYS_SUPERVISED,
    HANDED_OVER_BY_TEXT,
    NEVER_SUPERVISED,
    UNSUPERVISED_MODES,
    BillingMode,
    ContactData,
    DeliveryMethod,
    InterfaceVersion,
    Overflow,
    PriceModel,
    TermUnit,
)
from koogallery.kernel.money import EXPONENTS

T = TypeVar("T")
CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,58}[a-z0-9]|[a-z0-9]")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
SALESY = re.compile(
    r"(?:USD|CNY|EUR|RMB|[$€¥])\s?\d|\bv\d+(\.\d+)*\b|\b\d+\.\d+\.\d+\b|\+?\d[\d -]{7,}\d", re.IGNORECASE
)
LARGEST_GRID = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in which line and field."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.message}"


class CatalogueFaults(ValueError):
    """The file cannot be loaded; nothing of it was."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: (fault.line, fault.field))
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class Text:
    """A text in English and, if given, Chinese."""

    en: str = ""
    zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRecord:
    code: str
    parent: str
    name: Text
    summary: Text
    icon: str
    position: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerRecord:
    code: str
    account: str
    name: Text
    introduction: Text
    email: str
    phone: str
    hours: Text
    zone: str
    website: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRecord:
    currency: str
    unit: Decimal
    bands: tuple[tuple[Decimal, Decimal], ...]
    lengths: tuple[dict[str, Any], ...]
    overflow: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    mode: BillingMode
    model: PriceModel
    term: str
    lengths: tuple[int, ...]
    usage_one: str
    usage_many: str
    usage_zh: str
    quota: Decimal | None
    months: int | None
    overflow: str
    prices: tuple[PriceRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRecord:
    code: str
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeRecord:
    code: str
    name: Text
    options: tuple[OptionRecord, ...]
    low: Decimal | None = None
    high: Decimal | None = None
    step: Decimal | None = None
    unit_one: str = ""
    unit_many: str = ""
    unit_zh: str = ""

    @property
    def is_quantity(self) -> bool:
        return self.low is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuRecord:
    code: str
    choices: dict[str, str]
    plans: tuple[PlanRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationRecord:
    code: str
    name: Text
    description: Text
    limit_per_account: int | None
    attributes: tuple[AttributeRecord, ...]
    skus: tuple[SkuRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRecord:
    source: str
    target: str
    upgrade: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRecord:
    code: str
    seller: str
    categories: tuple[str, ...]
    delivery: DeliveryMethod
    supervised: bool
    texts: dict[str, Text]
    values: dict[str, Any]
    agreement: Text
    request_template: str
    released: date | None
    specifications: tuple[SpecificationRecord, ...]
    changes: tuple[PathRecord, ...]
    line: int

    def digest(self) -> str:
        """SHA-256 of everything but the place in the file: equal digests need no change."""
        content = asdict(self)
        content.pop("line")
        for change in content["changes"]:
            change.pop("line")
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRecord:
    account: str
    product: str
    share: Decimal
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFile:
    """Everything a catalogue file holds."""

    categories: tuple[CategoryRecord, ...]
    sellers: tuple[SellerRecord, ...]
    products: tuple[ProductRecord, ...]
    discounts: tuple[DiscountRecord, ...]


@dataclass
class _Reading:
    """The faults found so far, and texts that stand for installation values, such as `{example_seller}`."""

    replacements: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)


class _Bad(Exception):
    """A fault was noted; its value cannot be used."""


class _Entry:
    """A place in the file: a YAML node with its path. Reading a wrong value notes a fault."""

    def __init__(self, node: yaml.Node, path: str, reading: _Reading) -> None:
        self.node, self.path, self.reading = node, path, reading
        self._read: set[str] = set()

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    def fault(self, message: str) -> _Bad:
        """Note a fault here; raise what is returned to give up the value."""
        self.reading.faults.append(Fault(self.line, self.path or "file", message))
        return _Bad()

    # Members

    def members(self) -> dict[str, _Entry]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fault("must be a mapping")
        found: dict[str, _Entry] = {}
        for key, value in self.node.value:
            name = str(key.value)
            entry = _Entry(value, f"{self.path}.{name}" if self.path else name, self.reading)
            if name in found:
                entry.fault("stands twice")
            found[name] = entry
        return found

    def items(self) -> list[_Entry]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fault("must be a list")
        return [_Entry(value, f"{self.path}[{index}]", self.reading) for index, value in enumerate(self.node.value)]

    # Values

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:null"

    def scalar(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.fault("must be a single value")
        text = str(self.node.value).strip()
        for name, value in self.reading.replacements.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def text(self, *, most: int = 20_000) -> str:
        text = self.scalar()
        if len(text) > most:
            raise self.fault(f"is longer than {most} characters")
        return text

    def told(self, *, most: int = 20_000) -> Text:
        """A text, or a mapping of `en` and `zh`."""
        if isinstance(self.node, yaml.ScalarNode):
            return Text(en=self.text(most=most))
        members = self.members()
        for name in members.keys() - {"en", "zh"}:
            members[name].fault("is no language of the catalogue; use en and zh")
        if "en" not in members:
            raise self.fault("needs an English text (en)")
        zh = members["zh"].text(most=most) if "zh" in members else ""
        return Text(en=members["en"].text(most=most), zh=zh)

    def code(self) -> str:
        text = self.scalar()
        if not CODE.fullmatch(text):
            raise self.fault("must be small letters, digits and hyphens, at most 60")
        return text

    def flag(self) -> bool:
        text = self.scalar().lower()
        if text in ("true", "yes", "on"):
            return True
        if text in ("false", "no", "off"):
            return False
        raise self.fault("must be true or false")

    def integer(self, *, low: int = 0, high: int = 1_000_000) -> int:
        text = self.scalar()
        if not re.fullmatch(r"-?\d{1,9}", text) or not low <= int(text) <= high:
            raise self.fault(f"must be a whole number from {low} to {high}")
        return int(text)

    def decimal(self, *, low: str = "0", digits: int = 8) -> Decimal:
        text = self.scalar()
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.fault("must be a number") from None
        exponent = number.as_tuple().exponent
        if not number.is_finite() or number < Decimal(low) or number >= 10**12:
            raise self.fault(f"must be a number from {low} on")
        if isinstance(exponent, int) and -exponent > digits:
            raise self.fault(f"has more than {digits} decimal places")
        return number

    def choice(self, kind: type[Enum]) -> Any:
        text = self.scalar()
        values = [str(member.value) for member in kind]
        if text not in values:
            raise self.fault(f"must be one of {', '.join(value for value in values if value)}")
        return kind(text)

    def day(self) -> date:
        try:
            return date.fromisoformat(self.scalar())
        except ValueError:
            raise self.fault("must be a date such as 2026-01-31") from None

    def strings(self, *, pattern: re.Pattern[str] = CODE, says: str = "must be a code") -> tuple[str, ...]:
        found = []
        for item in self.items():
            text = item.scalar()
            if not pattern.fullmatch(text):
                item.fault(says)
            found.append(text)
        return tuple(found)


class _Fields:
    """The members of a mapping, each asked for once; those never asked for are faults."""

    def __init__(self, entry: _Entry) -> None:
        self.entry = entry
        self.members = entry.members()
        self.asked: set[str] = set()

    def get(self, name: str, read: Callable[[_Entry], T], default: Any = None, *, required: bool = False) -> T:
        """The member read by `read`; `default` when it is missing or faulty (a fault is noted)."""
        self.asked.add(name)
        member = self.members.get(name)
        if member is None or (member.is_null and not required):
            if required:
                self.entry.fault(f"{name} is missing")
            return default  # type: ignore[no-any-return]
        try:
            return read(member)
        except _Bad:
            return default  # type: ignore[no-any-return]

    def entry_of(self, name: str) -> _Entry:
        """The member's place, for faults about it; the mapping's own when it is missing."""
        return self.members.get(name, self.entry)

    def done(self) -> None:
        """Note members that the format does not have."""
        for name, member in self.members.items():
            if name not in self.asked:
                member.fault("is not a field of the format")


def read_catalogue(text: str, *, replacements: Mapping[str, str] | None = None) -> CatalogueFile:
    """Check a catalogue file. Raises `CatalogueFaults` with everything that is wrong.

    References to sellers and categories that the file does not hold are left to the loading operation.
    """
    reading = _Reading(replacements or {})
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise CatalogueFaults([Fault(mark.line + 1 if mark else 1, "file", str(error.problem))]) from error
    except yaml.YAMLError as error:
        raise CatalogueFaults([Fault(1, "file", str(error))]) from error
    if node is None:
        raise CatalogueFaults([Fault(1, "file", "is empty")])
    try:
        fields = _Fields(_Entry(node, "", reading))
        found = CatalogueFile(
            categories=_list(fields, "categories", _category),
            sellers=_list(fields, "sellers", _seller),
            products=_list(fields, "products", _product),
            discounts=_list(fields, "discounts", _discount),
        )
        fields.get("format", lambda entry: entry.integer(low=1, high=1))
        fields.done()
    except _Bad:
        raise CatalogueFaults(reading.faults) from None
    _check_unique(found, reading)
    if reading.faults:
        raise CatalogueFaults(reading.faults)
    return found


def _list(fields: _Fields, name: str, read: Callable[[_Entry], T]) -> tuple[T, ...]:
    return fields.get(name, lambda entry: tuple(_each(entry, read)), ())


def _each(entry: _Entry, read: Callable[[_Entry], T]) -> Iterator[T]:
    for item in entry.items():
        try:
            yield read(item)
        except _Bad:
            continue


def _check_unique(found: CatalogueFile, reading: _Reading) -> None:
    for name in ("categories", "sellers", "products"):
        seen: set[str] = set()
        for index, record in enumerate(getattr(found, name)):
            if record.code in seen:
                reading.faults.append(Fault(record.line, f"{name}[{index}].code", f"{record.code} stands twice"))
            seen.add(record.code)


def _category(entry: _Entry) -> CategoryRecord:
    fields = _Fields(entry)
    record = CategoryRecord(
        code=fields.get("code", _Entry.code, "", required=True),
        parent=fields.get("parent", _Entry.code, ""),
        name=fields.get("name", lambda each: each.told(most=80), Text(), required=True),
        summary=fields.get("summary", lambda each: each.told(most=160), Text()),
        icon=fields.get("icon", _Entry.code, ""),
        position=fields.get("position", _Entry.integer, 0),
        line=entry.line,
    )
    fields.done()
    return record


def _seller(entry: _Entry) -> SellerRecord:
    fields = _Fields(entry)
    record = SellerRecord(
        code=fields.get("code", _Entry.code, "", required=True),
        account=fields.get("account", lambda each: each.text(most=64), "", required=True),
        name=fields.get("name", lambda each: each.told(most=120), Text(), required=True),
        introduction=fields.get("introduction", _Entry.told, Text()),
        email=fields.get("email", _email, "", required=True),
        phone=fields.get("phone", lambda each: each.text(most=40), ""),
        hours=fields.get("hours", lambda each: each.told(most=120), Text()),
        zone=fields.get("zone", lambda each: each.text(most=40), "GMT+08:00"),
        website=fields.get("website", _website, ""),
        line=entry.line,
    )
    fields.done()
    return record


def _email(entry: _Entry) -> str:
    text = entry.text(most=254)
    if not EMAIL.fullmatch(text):
        raise entry.fault("must be an e-mail address")
    return text


def _website(entry: _Entry) -> str:
    text = entry.text(most=200)
    if not re.match(r"https?://\S+$", text):
        raise entry.fault("must begin with https://")
    return text


def _discount(entry: _Entry) -> DiscountRecord:
    fields = _Fields(entry)
    share = fields.get("share", lambda each: each.decimal(digits=4), Decimal(1), required=True)
    if not 0 < share < 1:
        fields.entry_of("share").fault("must lie between 0 and 1: the share that is paid")
    record = DiscountRecord(
        account=fields.get("account", lambda each: each.text(most=64), "", required=True),
        product=fields.get("product", _Entry.code, "", required=True),
        share=share,
        line=entry.line,
    )
    fields.done()
    return record


# Products

TEXTS = {
    "name": 120,
    "summary": 300,
    "overview": 4000,
    "introduction": 20_000,
    "usage_guide": 20_000,
    "acceptance_criteria": 4000,
    "handover_text": 4000,
}
RICH = ("introduction", "usage_guide")


def _product(entry: _Entry) -> ProductRecord:
    fields = _Fields(entry)
    delivery = fields.get("delivery", lambda each: each.choice(DeliveryMethod), None, required=True)
    if delivery is None:
        raise _Bad
    supervised = fields.get("supervised", _Entry.flag, delivery in ALWAYS_SUPERVISED)
    if supervised and delivery in NEVER_SUPERVISED:
        fields.entry_of("supervised").fault(f"{delivery.value} is never supervised")
    if not supervised and delivery in ALWAYS_SUPERVISED:
        fields.entry_of("supervised").fault(f"{delivery.value} is always supervised")
    texts = {
        name: fields.get(name, lambda each, most=most: each.told(most=most), Text(), required=name == "name")  # type: ignore[misc]
        for name, most in TEXTS.items()
    }
    for name in RICH:
        texts[name] = Text(en=sanitised(texts[name].en), zh=sanitised(texts[name].zh))
    if any(SALESY.search(text) for text in (texts["name"].en, texts["name"].zh)):
        fields.entry_of("name").fault("a name holds no price, version or phone number")
    values = _values(fields, delivery)
    specifications = fields.get("specifications", lambda each: tuple(_each(each, _specification)), (), required=True)
    if "specifications" in fields.members and not specifications:
        fields.entry_of("specifications").fault("needs at least one specification")
    _check_modes(fields, specifications, delivery=delivery, supervised=supervised)
    record = ProductRecord(
        code=fields.get("code", _Entry.code, "", required=True),
        seller=fields.get("seller", _Entry.code, "", required=True),
        categories=fields.get("categories", _Entry.strings, (), required=True),
        delivery=delivery,
        supervised=supervised,
        texts=texts,
        values=values,
        agreement=fields.get("agreement", _Entry.told, Text()),
        request_template=fields.get("request_template", lambda each: each.text(most=20_000), ""),
        released=fields.get("released", _Entry.day),
        specifications=specifications,
        changes=fields.get("changes", lambda each: tuple(_each(each, _path)), ()),
        line=entry.line,
    )
    _check_paths(fields, record)
    fields.done()
    return record


def _values(fields: _Fields, delivery: DeliveryMethod) -> dict[str, Any]:
    """Columns of the product that have one value for both languages."""
    values: dict[str, Any] = {
        "sales_regions": list(
            fields.get(
                "regions",
                lambda each: each.strings(pattern=re.compile("[A-Z]{2}"), says="must be a country of two capitals"),
                (),
            )
        ),
        "limit_per_account": fields.get("limit_per_account", lambda each: each.integer(low=1)),
        "one_at_a_time": fields.get("one_at_a_time", _Entry.flag, False),
        "max_items": fields.get("max_items", lambda each: each.integer(low=1), 1),
        "stock": fields.get("stock", _Entry.integer),
        "trial_days": fields.get("trial_days", lambda each: each.integer(low=3, high=180)),
        "contact_data": fields.get("contact_data", lambda each: each.choice(ContactData), ContactData.NONE).value,
        "supports_change": fields.get("supports_change", _Entry.flag, False),
        "supports_auto_renewal": fields.get("supports_auto_renewal", _Entry.flag, False),
        "delivery_days": fields.get("delivery_days", lambda each: each.integer(low=1, high=365)),
        "request_attachment_required": fields.get(
            "request_attachment_required", _Entry.flag, "request_template" in fields.members
        ),
        "platform_fee_percent": fields.get(
            "platform_fee_percent", lambda each: each.decimal(digits=2), Decimal("10.00")
        ),
    }
    if values["platform_fee_percent"] > 100:
        fields.entry_of("platform_fee_percent").fault("is at most 100")
    if values["stock"] is not None and delivery is not DeliveryMethod.HARDWARE:
        fields.entry_of("stock").fault("only hardware has stock")
    values |= fields.get("support", _support, {})
    values |= fields.get("interface", _interface, {})
    if values.get("interface_version") and delivery is not DeliveryMethod.SAAS:
        fields.entry_of("interface").fault("only SaaS has an interface")
    values |= fields.get("image", _image, {})
    if values.get("image_reference") and delivery is not DeliveryMethod.IMAGE:
        fields.entry_of("image").fault("only images have an image reference")
    if delivery in HANDED_OVER_BY_TEXT and "handover_text" not in fields.members:
        fields.entry.fault("handover_text is missing: it is what the buyer gets")
    return values


def _support(entry: _Entry) -> dict[str, Any]:
    fields = _Fields(entry)
    hours = fields.get("hours", lambda each: each.told(most=120), Text())
    scope = fields.get("scope", lambda each: each.told(most=4000), Text())
    values = {
        "support_hours": hours.en,
        "support_hours_zh": hours.zh,
        "support_scope": scope.en,
        "support_scope_zh": scope.zh,
        "support_zone": fields.get("zone", lambda each: each.text(most=40), "GMT+08:00"),
        "support_hotline": fields.get("hotline", lambda each: each.text(most=60), ""),
        "support_email": fields.get("email", _email, ""),
    }
    fields.done()
    return values


def _interface(entry: _Entry) -> dict[str, Any]:
    fields = _Fields(entry)
    values = {
        "interface_version": fields.get(
            "version", lambda each: each.choice(InterfaceVersion), InterfaceVersion.NONE, required=True
        ).value,
        "interface_url": fields.get("url", _website, "", required=True),
        "interface_key": fields.get("key", lambda each: each.text(most=200), "", required=True),
    }
    fields.done()
    return values


def _image(entry: _Entry) -> dict[str, Any]:
    fields = _Fields(entry)
    rules = []
    for rule in fields.get("security_group_rules", lambda each: list(_each(each, _Fields)), []):
        rules.append(
            {
                "protocol": rule.get("protocol", lambda each: each.text(most=8), "tcp"),
                "ports": rule.get("ports", lambda each: each.text(most=40), "", required=True),
                "source": rule.get("source", lambda each: each.text(most=60), "0.0.0.0/0"),
            }
        )
        rule.done()
    values = {
        "image_reference": fields.get("reference", lambda each: each.text(most=200), "", required=True),
        "security_group_rules": rules,
        "stack_template": fields.get("stack_template", _Entry.text, ""),
    }
    fields.done()
    return values


def _path(entry: _Entry) -> PathRecord:
    fields = _Fields(entry)
    record = PathRecord(
        source=fields.get("from", _Entry.code, "", required=True),
        target=fields.get("to", _Entry.code, "", required=True),
        upgrade=fields.get("upgrade", _Entry.flag, False),
        line=entry.line,
    )
    fields.done()
    return record


def _check_paths(fields: _Fields, record: ProductRecord) -> None:
    known = {each.code for each in record.specifications}
    known |= {sku.code for each in record.specifications for sku in each.skus}
    for path in record.changes:
        for end in (path.source, path.target):
            if end and end not in known:
                fields.entry_of("changes").fault(f"{end} is neither a specification nor a SKU of this product")
        if path.source == path.target:
            fields.entry_of("changes").fault(f"{path.source} changes to itself")


def _check_modes(
    fields: _Fields, specifications: Sequence[SpecificationRecord], *, delivery: DeliveryMethod, supervised: bool
) -> None:
    modes = {plan.mode for each in specifications for sku in each.skus for plan in sku.plans}
    if supervised and modes & UNSUPERVISED_MODES:
        fields.entry_of("specifications").fault("pay-per-use and packages are never supervised")


# Specifications


def _specification(entry: _Entry) -> SpecificationRecord:
    fields = _Fields(entry)
    code = fields.get("code", _Entry.code, "", required=True)
    attributes = fields.get("attributes", lambda each: tuple(_each(each, _attribute)), ())
    if sum(attribute.is_quantity for attribute in attributes) > 1:
        fields.entry_of("attributes").fault("a specification has at most one quantity")
    codes = [attribute.code for attribute in attributes]
    if len(set(codes)) < len(codes):
        fields.entry_of("attributes").fault("an attribute stands twice")
    plans = fields.get("plans", lambda each: tuple(_each(each, _plan)), ())
    record = SpecificationRecord(
        code=code,
        name=fields.get("name", lambda each: each.told(most=120), Text(), required=True),
        description=fields.get("description", lambda each: each.told(most=300), Text()),
        limit_per_account=fields.get("limit_per_account", lambda each: each.integer(low=1)),
        attributes=attributes,
        skus=_grid(fields, code=code, attributes=attributes, plans=plans),
    )
    counted = {plan.model for sku in record.skus for plan in sku.plans} - {PriceModel.FLAT, PriceModel.PER_SKU}
    used = {plan.mode for sku in record.skus for plan in sku.plans} == {BillingMode.ON_DEMAND}
    if counted and not used and not any(attribute.is_quantity for attribute in attributes):
        entry.fault(f"{counted.pop().value} prices count a quantity, and there is none")
    fields.done()
    return record


def _attribute(entry: _Entry) -> AttributeRecord:
    fields = _Fields(entry)
    code = fields.get("code", _Entry.code, "", required=True)
    name = fields.get("name", lambda each: each.told(most=80), Text(), required=True)
    options = fields.get("options", lambda each: tuple(_each(each, _option)), ())
    quantity: dict[str, Any] = fields.get("quantity", _quantity, {})
    if bool(options) == bool(quantity):
        entry.fault("has either options or a quantity")
    fields.done()
    return AttributeRecord(code=code, name=name, options=options, **quantity)


def _option(entry: _Entry) -> OptionRecord:
    fields = _Fields(entry)
    record = OptionRecord(
        code=fields.get("code", _Entry.code, "", required=True),
        name=fields.get("name", lambda each: each.told(most=80), Text(), required=True),
    )
    fields.done()
    return record


def _quantity(entry: _Entry) -> dict[str, Any]:
    fields = _Fields(entry)
    low = fields.get("from", lambda each: each.decimal(low="0.01", digits=2), Decimal(1), required=True)
    high = fields.get("to", lambda each: each.decimal(low="0.01", digits=2), Decimal(1), required=True)
    step = fields.get("step", lambda each: each.decimal(low="0.01", digits=2), Decimal(1))
    if high < low:
        fields.entry_of("to").fault("is less than from")
    one, many, zh = fields.get("unit", _unit, ("", "", ""))
    fields.done()
    return {"low": low, "high": high, "step": step, "unit_one": one, "unit_many": many, "unit_zh": zh}


def _unit(entry: _Entry) -> tuple[str, str, str]:
    """What is counted: `{one: user, many: users, zh: 用户}`."""
    fields = _Fields(entry)
    one = fields.get("one", lambda each: each.text(most=40), "", required=True)
    many = fields.get("many", lambda each: each.text(most=40), one)
    zh = fields.get("zh", lambda each: each.text(most=40), "")
    fields.done()
    return one, many, zh


def _grid(
    fields: _Fields, *, code: str, attributes: Sequence[AttributeRecord], plans: tuple[PlanRecord, ...]
) -> tuple[SkuRecord, ...]:
    """Every cell of the options that is sold, with the plans of the specification or its own."""
    axes = [(each.code, [option.code for option in each.options]) for each in attributes if not each.is_quantity]
    names = [name for name, _options in axes]
    cells = list(itertools.product(*(options for _name, options in axes)))
    if len(cells) > LARGEST_GRID:
        fields.entry_of("attributes").fault(f"make {len(cells)} SKUs, more than {LARGEST_GRID}")
        return ()
    own: dict[tuple[str, ...], tuple[str, tuple[PlanRecord, ...] | None, bool]] = {}
    for cell, sku_code, sku_plans, sold in fields.get("skus", lambda each: list(_each(each, _sku(names))), []):
        if cell not in cells:
            fields.entry_of("skus").fault(f"{', '.join(cell)} is no cell of the options")
        own[cell] = (sku_code, sku_plans, sold)
    found = []
    for cell in cells:
        sku_code, sku_plans, sold = own.get(cell, ("", None, True))
        if not sold:
            continue
        cell_plans = plans if sku_plans is None else sku_plans
        if not cell_plans:
            fields.entry.fault(f"{'-'.join((code, *cell))} has no price plan")
        seen = [(plan.mode, plan.term) for plan in cell_plans]
        if len(set(seen)) < len(seen):
            fields.entry.fault("two plans have the same mode and term")
        found.append(
            SkuRecord(
                code=sku_code or "-".join((code, *cell)),
                choices=dict(zip(names, cell, strict=True)),
                plans=cell_plans,
            )
        )
    return tuple(found)


def _sku(names: Sequence[str]) -> Callable[[_Entry], tuple[tuple[str, ...], str, tuple[PlanRecord, ...] | None, bool]]:
    def read(entry: _Entry) -> tuple[tuple[str, ...], str, tuple[PlanRecord, ...] | None, bool]:
        fields = _Fields(entry)
        chosen = fields.get("options", lambda each: {k: v.code() for k, v in each.members().items()}, {}, required=True)
        if set(chosen) != set(names):
            raise fields.entry_of("options").fault(f"must choose {', '.join(names) or 'nothing'}")
        found = (
            tuple(chosen[name] for name in names),
            fields.get("code", _Entry.code, ""),
            fields.get("plans", lambda each: tuple(_each(each, _plan)), None),
            fields.get("sold", _Entry.flag, True),
        )
        fields.done()
        return found

    return read


# Plans


def _plan(entry: _Entry) -> PlanRecord:
    fields = _Fields(entry)
    mode = fields.get("mode", lambda each: each.choice(BillingMode), None, required=True)
    if mode is None:
        raise _Bad
    model = fields.get("model", lambda each: each.choice(PriceModel), PriceModel.FLAT)
    term = fields.get("term", lambda each: each.choice(TermUnit).value, "", required=mode is BillingMode.PERIOD)
    if term and mode is not BillingMode.PERIOD:
        fields.entry_of("term").fault("only yearly/monthly plans have a term")
    lengths = fields.get(
        "lengths", lambda each: tuple(sorted(item.integer(low=1, high=120) for item in each.items())), ()
    )
    one, many, zh = fields.get("usage", _unit, ("", "", ""))
    if mode in UNSUPERVISED_MODES and not one:
        entry.fault("usage is missing: what is counted")
    quota, months, overflow = fields.get("package", _package, (None, None, ""))
    if (mode is BillingMode.ON_DEMAND_PKG) != (quota is not None):
        entry.fault("packages, and only they, have a package")
    prices = fields.get("prices", lambda each: _prices(each, mode=mode, model=model, term=term, lengths=lengths), ())
    if "prices" not in fields.members:
        entry.fault("prices is missing")
    if overflow == Overflow.PRICE and any(price.overflow is None for price in prices):
        fields.entry_of("prices").fault("overflow is missing: the price beyond the quota")
    fields.done()
    return PlanRecord(
        mode=mode,
        model=model,
        term=term,
        lengths=lengths,
        usage_one=one,
        usage_many=many,
        usage_zh=zh,
        quota=quota,
        months=months,
        overflow=overflow,
        prices=prices,
    )


def _package(entry: _Entry) -> tuple[Decimal | None, int | None, str]:
    fields = _Fields(entry)
    found = (
        fields.get("quota", lambda each: each.decimal(low="0.0001", digits=4), Decimal(1), required=True),
        fields.get("months", lambda each: each.integer(low=1, high=120), 12),
        fields.get("overflow", lambda each: each.choice(Overflow), Overflow.STOP).value,
    )
    fields.done()
    return found


def _prices(
    entry: _Entry, *, mode: BillingMode, model: PriceModel, term: str, lengths: tuple[int, ...]
) -> tuple[PriceRecord, ...]:
    found = []
    for currency, price in entry.members().items():
        if currency not in EXPONENTS:
            price.fault("is no currency of the platform")
            continue
        try:
            record = _price(price, currency)
            _plan_value(record, mode=mode, model=model, term=term, lengths=lengths)
            found.append(record)
        except ValueError as error:
            price.fault(str(error))
        except _Bad:
            continue
    return tuple(found)


def _price(entry: _Entry, currency: str) -> PriceRecord:
    if isinstance(entry.node, yaml.ScalarNode):
        return PriceRecord(currency=currency, unit=entry.decimal(), bands=(), lengths=(), overflow=None)
    fields = _Fields(entry)
    record = PriceRecord(
        currency=currency,
        unit=fields.get("unit", _Entry.decimal, Decimal(0)),
        bands=fields.get("bands", _bands, ()),
        lengths=fields.get("lengths", lambda each: tuple(_each(each, _length)), ()),
        overflow=fields.get("overflow", _Entry.decimal),
    )
    if not record.bands and "unit" not in fields.members:
        entry.fault("unit or bands is missing")
    fields.done()
    return record


def _bands(entry: _Entry) -> tuple[tuple[Decimal, Decimal], ...]:
    found = []
    for item in entry.items():
        if isinstance(item.node, yaml.MappingNode):
            fields = _Fields(item)
            first = fields.get("from", lambda each: each.decimal(digits=2), Decimal(0), required=True)
            found.append((first, fields.get("price", _Entry.decimal, Decimal(0), required=True)))
            fields.done()
            continue
        pair = item.items()
        if len(pair) != 2:
            raise item.fault("must be [from quantity, unit price]")
        found.append((pair[0].decimal(digits=2), pair[1].decimal()))
    return tuple(found)


def _length(entry: _Entry) -> dict[str, Any]:
    fields = _Fields(entry)
    found: dict[str, Any] = {"count": fields.get("count", lambda each: each.integer(low=1, high=120), 1, required=True)}
    charged = fields.get("charged_terms", _Entry.decimal)
    unit = fields.get("unit", _Entry.decimal)
    bands = fields.get("bands", _bands, ())
    if [charged is not None, unit is not None, bool(bands)].count(True) != 1:
        entry.fault("has one of charged_terms, unit, bands")
    if charged is not None:
        found["charged_terms"] = str(charged)
    if unit is not None:
        found["unit_price"] = str(unit)
    if bands:
        found["bands"] = [[str(first), str(price)] for first, price in bands]
    fields.done()
    return found


def _plan_value(
    record: PriceRecord, *, mode: BillingMode, model: PriceModel, term: str, lengths: tuple[int, ...]
) -> PricePlan:
    return PricePlan(
        mode=RuleMode(mode.value),
        model=RuleModel(model.value),
        currency=record.currency,
        unit_price=record.unit,
        bands=tuple(Band(first, price) for first, price in record.bands),
        term_unit=RuleTermUnit(term) if term else None,
        lengths=lengths,
        length_prices=tuple(
            LengthPrice(
                count=each["count"],
                charged_terms=Decimal(each["charged_terms"]) if "charged_terms" in each else None,
                unit_price=Decimal(each["unit_price"]) if "unit_price" in each else None,
                bands=tuple(Band(Decimal(first), Decimal(price)) for first, price in each.get("bands", [])),
            )
            for each in record.lengths
        ),
    )
