"""An object for every address that names one: whose it is, and how the address calls it.

An address with a parameter that is not listed here fails `test_every_address_that_names_an_object_has_a_sample`.
To add one: `@sample("console/things/<str:number>/")` on a function of the world that returns the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from billing import queries
from billing.models import Charge, CreditStatement
from billing.operations import statements
from catalog.models import Seller
from koogallery import clock
from koogallery.identity.operations import agreements
from koogallery.kernel import files, ids
from koogallery.notifications.models import Message
from koogallery.notifications.operations import notify
from orders.models import InterfaceCall, Resource
from tests.factories import audit, billing, catalog, identity, orders, tickets
from tests.factories.offers import bills_of, draft_offer, in_milestones, order_by_offer, sent_offer
from tests.factories.returns import ask, reject
from tests.factories.subscriptions import image, subscribed
from tests.factories.supervision import Deal, supervised
from tests.security.world import World

Maker = Callable[[World], Mapping[str, Any]]


@dataclass(frozen=True)
class Sample:
    """How to make what an address names; `public` ones (a month, a page) belong to nobody."""

    make: Maker
    public: bool


SAMPLES: dict[str, Sample] = {}


def sample(*routes: str, public: bool = False) -> Callable[[Maker], Maker]:
    """List a maker for these routes."""

    def listed(make: Maker) -> Maker:
        SAMPLES.update({route: Sample(make, public) for route in routes})
        return make

    return listed


# identity


@sample("accounts/verify/<str:token>/", public=True)
def _verification(world: World) -> dict[str, str]:
    return {"token": "no-such-token"}


@sample("accounts/password/<slug:number>/<str:token>/", public=True)
def _reset(world: World) -> dict[str, str]:
    return {"number": world.buyer.user.number, "token": "no-such-token"}


@sample("console/iam/users/<slug:number>/")
def _user(world: World) -> dict[str, str]:
    return {"number": identity.UserFactory(account=world.buyer.account, is_root=False).number}


@sample("console/iam/groups/<slug:number>/", "console/iam/groups/<slug:number>/delete/")
def _group(world: World) -> dict[str, str]:
    return {"number": identity.GroupFactory(account=world.buyer.account).number}


@sample("console/iam/policies/<slug:number>/", "console/iam/policies/<slug:number>/delete/")
def _policy(world: World) -> dict[str, str]:
    return {"number": identity.PolicyFactory(account=world.buyer.account).number}


@sample("console/iam/keys/<slug:key_id>/")
def _access_key(world: World) -> dict[str, str]:
    return {"key_id": identity.AccessKeyFactory(user=world.buyer.user).key_id}


@sample("console/projects/<slug:code>/", "console/projects/<slug:code>/switch/")
def _project(world: World) -> dict[str, str]:
    return {"code": identity.ProjectFactory(account=world.buyer.account).code}


@sample("console/tags/<int:number>/delete/")
def _tag(world: World) -> dict[str, int]:
    return {"number": identity.TagFactory(account=world.buyer.account).pk}


@sample("console/agreements/<slug:number>/")
def _signature(world: World) -> dict[str, str]:
    text = identity.AgreementTextFactory()
    return {"number": agreements.sign(world.buyer.call(), texts=[text], order_number="CS1")[0].number}


@sample("console/agreements/consents/<int:number>/withdraw/")
def _consent(world: World) -> dict[str, int]:
    consent = agreements.grant_consent(
        world.buyer.call(), kind="email", product_code="P", seller_name="S", order_number="CS1"
    )
    return {"number": consent.pk}


# audit and notifications


@sample("console/traces/<uuid:trace_id>/")
def _trace(world: World) -> dict[str, Any]:
    return {"trace_id": audit.trace(account_id=world.buyer.account.pk).trace_id}


@sample("console/messages/<int:number>/", "console/messages/<int:number>/read/")
def _message(world: World) -> dict[str, int]:
    call = world.buyer.call()
    params = {"account": "buyer"}
    notify(account_id=call.account_id, kind="account_unfrozen", params=params, key=ids.token(), at=call.at)
    return {"number": Message.objects.get(user=world.buyer.user).pk}


# billing


@sample("console/billing/cards/<str:code>/remove/", "console/billing/cards/<str:code>/default/")
def _card(world: World) -> dict[str, str]:
    return {"code": billing.card(world.buyer.account).code}


@sample("console/bills/<str:number>/")
def _bill(world: World) -> dict[str, str]:
    orders.bought(world.buyer, catalog.content_product())
    return {"number": Charge.objects.get(account=world.buyer.account).number}


@sample("console/billing/statements/<int:year>-<int:month>/", public=True)
def _month(world: World) -> dict[str, int]:
    return {"year": 2026, "month": 3}


@sample("console/billing/credit/<str:number>/")
def _credit_statement(world: World) -> dict[str, str]:
    if queries.credit(world.buyer.account.pk) is None:
        billing.grant(world.buyer.account, 500)
    with clock.at(clock.now() - timedelta(days=62)):
        billing.paid(world.buyer.account, 40, method="credit")
    statements.generate(clock.now().replace(day=15))
    return {"number": CreditStatement.objects.get(account=world.buyer.account).number}


# tickets


@sample("console/tickets/<str:number>/", "console/tickets/<str:number>/reply/", "console/tickets/<str:number>/close/")
def _ticket(world: World) -> dict[str, str]:
    return {"number": tickets.opened(buyer=world.buyer, at=clock.now()).ticket.number}


@sample("console/tickets/<str:number>/files/<str:file>/")
def _ticket_file(world: World) -> dict[str, str]:
    kept = files.receive(
        [SimpleUploadedFile("letter.pdf", b"%PDF-1.7 %%EOF")], owner=world.buyer.account.pk, key="ticket"
    )
    ticket = tickets.opened(buyer=world.buyer, at=clock.now(), uploads=kept).ticket
    return {"number": ticket.number, "file": ticket.messages.get().files.get().file.number}


# catalog


@sample(
    "products/<slug:slug>/",
    "products/<slug:slug>/price/",
    "products/<slug:slug>/save/",
    "products/<slug:slug>/unsave/",
    public=True,
)
def _product_on_sale(world: World) -> dict[str, str]:
    return {"slug": world.product.slug}


@sample("sellers/<slug:slug>/", public=True)
def _seller_page(world: World) -> dict[str, str]:
    return {"slug": world.product.seller.slug}


@sample("seller/products/<slug:code>/")
def _own_product(world: World) -> dict[str, str]:
    return {"code": world.product.code}


@sample("console/offers/<str:number>/")
def _received_offer(world: World) -> dict[str, str]:
    return {"number": sent_offer(world.buyer.account, world.product).number}


@sample("offers/<str:token>/")
def _offer_link(world: World) -> dict[str, str]:
    return {"token": sent_offer(world.buyer.account, world.product).token}


@sample(
    "console/bills/milestones/<str:number>/",
    "console/bills/milestones/<str:number>/pdf/",
    "console/bills/milestones/<str:number>/csv/",
)
def _milestone_bill(world: World) -> dict[str, str]:
    return {"number": bills_of(in_milestones(buyer=world.buyer).order)[0].number}


@sample("seller/offers/<str:number>/")
def _sold_by_offer(world: World) -> dict[str, str]:
    billing.fund(world.buyer.account, 1_000)
    offer = sent_offer(world.buyer.account, world.product)
    order_by_offer(world.buyer, offer)
    return {"number": offer.number}


@sample(
    "seller/offers/<str:number>/edit/",
    "seller/offers/<str:number>/send/",
    "seller/offers/<str:number>/withdraw/",
)
def _drafted_offer(world: World) -> dict[str, str]:
    return {"number": draft_offer(world.buyer.account, world.product).number}


@sample("help/<slug:topic>/", public=True)
def _help(world: World) -> dict[str, str]:
    return {"topic": "buying"}


# orders


@sample(
    "console/orders/<str:number>/",
    "console/orders/<str:number>/pay/",
    "console/orders/<str:number>/result/",
    "console/orders/<str:number>/cancel/",
    "seller/orders/<str:number>/",
)
def _order(world: World) -> dict[str, str]:
    return {"number": world.order.number}


@sample(
    "console/apps/<str:number>/",
    "console/apps/<str:number>/password/",
    "console/apps/<str:number>/license/",
    "console/apps/<str:number>/disable/",
    "console/apps/<str:number>/expiration/",
    "console/apps/<str:number>/change/",
    "console/apps/<str:number>/tags/",
)
def _resource(world: World) -> dict[str, str]:
    order = orders.bought(world.buyer, catalog.content_product())
    return {"number": Resource.objects.get(order_number=order.number).number}


@sample(
    "console/renewals/<str:number>/",
    "console/renewals/<str:number>/cancel/",
    "console/renewals/<str:number>/auto/",
    "console/renewals/<str:number>/auto/disable/",
)
def _renewal(world: World) -> dict[str, str]:
    return {"number": subscribed(buyer=world.buyer).resource.number}


@sample("calendar/<str:token>.ics", public=True)
def _calendar_feed(world: World) -> dict[str, str]:
    return {"token": "no-such-token"}


@sample("seller/interface/<str:number>/", "seller/interface/<str:number>/replay/")
def _interface_call(world: World) -> dict[str, str]:
    return {"number": InterfaceCall.objects.filter(order=world.order).earliest("pk").number}


# supervision


@sample(
    "console/supervision/<str:number>/",
    "console/supervision/<str:number>/request/",
    "console/supervision/<str:number>/accept/",
    "console/supervision/<str:number>/reject/",
    "console/supervision/<str:number>/remind/",
    "console/supervision/<str:number>/appeal/",
    "console/supervision/<str:number>/withdraw/",
    "console/supervision/<str:number>/message/",
    "console/supervision/<str:number>/evidence/",
    "seller/supervision/<str:number>/",
    "seller/supervision/<str:number>/accept-request/",
    "seller/supervision/<str:number>/reject-request/",
    "seller/supervision/<str:number>/deliver/",
    "seller/supervision/<str:number>/appeal/",
    "seller/supervision/<str:number>/withdraw/",
    "seller/supervision/<str:number>/message/",
    "seller/supervision/<str:number>/evidence/",
)
def _flow(world: World) -> dict[str, str]:
    return {"number": _deal(world).flow.number}


@sample("console/supervision/<str:number>/template/")
def _flow_with_template(world: World) -> dict[str, str]:
    kept = default_storage.save("products/requests/sample.txt", ContentFile(b"What do you need?"))
    seller = Seller.objects.get(account=world.seller.account)
    deal = supervised("saas", buyer=world.buyer, at=clock.now(), seller=seller, request_template=kept)
    return {"number": deal.flow.number}


@sample("console/supervision/<str:number>/licenses/<str:file>/")
def _license_file(world: World) -> dict[str, str]:
    deal = _deal(world)
    kept = files.receive(
        [SimpleUploadedFile("key.pdf", b"%PDF-1.7 %%EOF")], owner=world.seller.account.pk, key="license", sealed=True
    )
    deal.deliver(license_files=kept)
    return {"number": deal.flow.number, "file": deal.flow.files.get(purpose="license").file.number}


@sample("console/supervision/<str:number>/files/<str:file>/", "seller/supervision/<str:number>/files/<str:file>/")
def _flow_file(world: World) -> dict[str, str]:
    deal = _deal(world)
    proof = files.receive(
        [SimpleUploadedFile("proof.pdf", b"%PDF-1.7 %%EOF")], owner=world.seller.account.pk, key="proof"
    )
    deal.deliver(proof=proof)
    return {"number": deal.flow.number, "file": deal.flow.files.get().file.number}


def _deal(world: World) -> Deal:
    seller = Seller.objects.get(account=world.seller.account)
    return supervised("license", buyer=world.buyer, at=clock.now(), seller=seller)


# unsubscriptions


@sample("console/unsubscriptions/new/<str:line>/")
def _unsubscribable(world: World) -> dict[str, str]:
    return {"line": _deal(world).flow.number}


@sample("console/unsubscriptions/images/<str:resource>/", "console/unsubscriptions/images/<str:resource>/renewal/")
def _image(world: World) -> dict[str, str]:
    return {"resource": image(buyer=world.buyer, at=clock.now().isoformat()).resource.number}


@sample(
    "console/unsubscriptions/<str:number>/",
    "console/unsubscriptions/<str:number>/withdraw/",
    "console/unsubscriptions/<str:number>/remind/",
    "seller/unsubscriptions/<str:number>/",
    "seller/unsubscriptions/<str:number>/agree/",
    "seller/unsubscriptions/<str:number>/reject/",
)
def _request_to_review(world: World) -> dict[str, str]:
    return {"number": ask(_deal(world)).number}


@sample(
    "console/unsubscriptions/<str:number>/files/<str:file>/", "seller/unsubscriptions/<str:number>/files/<str:file>/"
)
def _evidence_of_a_review(world: World) -> dict[str, str]:
    deal = _deal(world)
    proof = files.receive(
        [SimpleUploadedFile("proof.pdf", b"%PDF-1.7 %%EOF")], owner=world.seller.account.pk, key="evidence"
    )
    asked = reject(deal, ask(deal), uploads=proof)
    return {"number": asked.number, "file": asked.files.get().file.number}


# pages of nobody


@sample("styleguide/<str:page_kind>/", public=True)
def _styleguide(world: World) -> dict[str, str]:
    return {"page_kind": "console"}
