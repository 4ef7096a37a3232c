"""Every kind of message: one list. A new message is one entry here and one call of `notify`.

Sentences are marked for translation and take `params` by name: `%(order)s`. Parameters may be texts, `Money`, moments
and dates; the latter three are shown as the reader's page shows them.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from koogallery.notifications.states import Severity, Topic


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message. `mail` and `sms` say what is sent unless the reader chose otherwise.

    `required` kinds go out whatever was chosen; `action` is the label of the link; `label` stands in the preferences.
    With `qr_of_link` the mail also shows the link as a QR code. `subject_of_one` is the subject when `days` is 1.
    """

    name: str
    topic: Topic
    label: str
    subject: str
    body: str
    severity: Severity = Severity.INFO
    action: str = _("Open")
    mail: bool = True
    sms: bool = False
    required: bool = False
    qr_of_link: bool = False
    subject_of_one: str = ""


class UnknownKind(LookupError):
    """A message of a kind that is not in the list."""


KINDS: dict[str, Kind] = {}


def add(*kinds: Kind) -> None:
    """Put kinds in the list. Raises `ValueError` when a name stands twice."""
    for kind in kinds:
        if kind.name in KINDS:
            raise ValueError(f"The kind {kind.name!r} is listed twice.")
        KINDS[kind.name] = kind


def kind_named(name: str) -> Kind:
    """The kind of a name. Raises `UnknownKind`."""
    try:
        return KINDS[name]
    except KeyError:
        raise UnknownKind(name) from None


# Orders
add(
    Kind(
        "order_placed",
        Topic.ORDERS,
        _("An order was placed and waits for payment"),
        _("Order %(order)s waits for payment"),
        _("Your order %(order)s for %(product)s, %(amount)s, was placed. Pay it until %(until)s; then it is canceled."),
        mail=False,
    ),
    Kind(
        "order_paid",
        Topic.ORDERS,
        _("An order was paid"),
        _("Order %(order)s is paid"),
        _("We received %(amount)s for your order %(order)s, %(product)s. Its delivery has begun."),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "order_started",
        Topic.ORDERS,
        _("An order went on without payment"),
        _("Order %(order)s is on its way"),
        _("Your order %(order)s, %(product)s, needs no payment here. Its delivery has begun."),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "follow_up_paid",
        Topic.ORDERS,
        _("A renewal or change was paid"),
        _("Order %(order)s is paid"),
        _("We received %(amount)s for your order %(order)s, %(product)s, %(specification)s."),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "follow_up_started",
        Topic.ORDERS,
        _("A renewal or change went on without payment"),
        _("Order %(order)s is confirmed"),
        _("Your order %(order)s, %(product)s, %(specification)s, needs no payment here."),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "order_received",
        Topic.ORDERS,
        _("A customer's order came in (sellers)"),
        _("New order %(order)s"),
        _("%(account)s ordered %(product)s, %(specification)s, for %(amount)s. The order number is %(order)s."),
        mail=False,
    ),
    Kind(
        "renewals_received",
        Topic.ORDERS,
        _("Customers' subscriptions renewed themselves (sellers)"),
        _("Automatic renewals of %(on)s"),
        _("On %(on)s customers' subscriptions to your products were renewed automatically. Orders shows each of them."),
        mail=False,
    ),
    Kind(
        "order_paid_too_late",
        Topic.ORDERS,
        _("Money arrived for an order that was already canceled"),
        _("The payment of order %(order)s is refunded"),
        _(
            "%(amount)s arrived for your order %(order)s, %(product)s, after it was canceled. It is refunded to where "
            "it came from within %(hours)s hours."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "order_completed",
        Topic.ORDERS,
        _("An order was completed"),
        _("Order %(order)s is completed"),
        _("Your order %(order)s, %(product)s, is completed."),
        severity=Severity.SUCCESS,
        mail=False,
    ),
    Kind(
        "order_expired",
        Topic.ORDERS,
        _("An order was canceled because it was not paid in time"),
        _("Order %(order)s was canceled"),
        _(
            "Your order %(order)s for %(product)s, %(amount)s, was not paid in time and is canceled. "
            "Nothing was charged."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "order_undeliverable",
        Topic.ORDERS,
        _("An order could not be delivered and was refunded"),
        _("Order %(order)s could not be delivered"),
        _(
            "%(product)s could not be delivered: %(reason)s. Your order %(order)s is canceled. The %(amount)s you "
            "paid arrive within %(hours)s hours where they came from. You can order again with the same configuration, "
            "or ask the seller: %(contact)s."
        ),
        severity=Severity.DANGER,
        sms=True,
    ),
)

# Account
add(
    Kind(
        "email_verification",
        Topic.ACCOUNT,
        _("Confirm an e-mail address"),
        _("Confirm your e-mail address"),
        _("Open the link below to confirm the e-mail address of %(name)s. It works for %(hours)s hours."),
        action=_("Confirm e-mail address"),
        required=True,
    ),
    Kind(
        "password_reset",
        Topic.ACCOUNT,
        _("Reset a password"),
        _("Reset your password"),
        _(
            "Open the link below to choose a new password for %(name)s. It works for %(hours)s hours, once. "
            "If you did not ask for it, do nothing."
        ),
        action=_("Choose a new password"),
        required=True,
    ),
    Kind(
        "password_changed",
        Topic.ACCOUNT,
        _("A password was changed"),
        _("Your password was changed"),
        _("The password of %(name)s was changed at %(at)s from %(address)s. If this was not you, reset it at once."),
        severity=Severity.WARNING,
        required=True,
    ),
    Kind(
        "account_frozen",
        Topic.ACCOUNT,
        _("The account was frozen"),
        _("Your account is frozen"),
        _("The account %(account)s is frozen: %(reason)s. It can read, top up and repay, but not order."),
        severity=Severity.DANGER,
        sms=True,
        required=True,
    ),
    Kind(
        "account_unfrozen",
        Topic.ACCOUNT,
        _("The account was unfrozen"),
        _("Your account is no longer frozen"),
        _("The account %(account)s can order again."),
        severity=Severity.SUCCESS,
        required=True,
    ),
)

# Resources and sellers' servers
add(
    Kind(
        "resource_ready",
        Topic.RESOURCES,
        _("A resource is ready"),
        _("%(product)s is ready"),
        _("%(product)s of your order %(order)s is ready and stands on Purchased Apps."),
        severity=Severity.SUCCESS,
        action=_("Resource Details"),
    ),
    Kind(
        "application_ready",
        Topic.RESOURCES,
        _("The application information of a resource arrived"),
        _("%(product)s: application information is there"),
        _("The seller prepared %(product)s of your order %(order)s. Addresses and sign-in are on Resource Details."),
        severity=Severity.SUCCESS,
        action=_("Resource Details"),
        mail=False,
    ),
    Kind(
        "resource_closed",
        Topic.RESOURCES,
        _("A resource was closed"),
        _("%(product)s is closed"),
        _("The resource %(resource)s, %(product)s, is closed: %(reason)s. Nothing is billed for it any more."),
        severity=Severity.WARNING,
        action=_("Resource Details"),
    ),
    Kind(
        "interface_call_failed",
        Topic.SELLING,
        _("A call to a seller's server failed for good"),
        _("%(activity)s of %(product)s failed"),
        _(
            "The call %(activity)s for %(product)s, order %(order)s, ended without success after %(tries)s tries. "
            "The last answer was %(code)s. You can look at every try and make the call again."
        ),
        severity=Severity.DANGER,
        action=_("Interface Calls"),
    ),
    Kind(
        "product_suspended",
        Topic.SELLING,
        _("A product was taken off sale because its server failed"),
        _("%(product)s was taken off sale"),
        _(
            "Your server answered no call for %(product)s on %(days)s days in a row, so that the product is off sale. "
            "Repair the server and run a debug: as soon as one passes, the product is on sale again."
        ),
        severity=Severity.DANGER,
        required=True,
        action=_("Debug the interface"),
    ),
)

# Service supervision
add(
    Kind(
        "request_wanted",
        Topic.DELIVERY,
        _("An order waits for your request"),
        _("Submit your request for %(product)s"),
        _("Your order %(order)s, %(product)s, is paid. Tell the seller what you need, so that the delivery can begin."),
        action=_("Submit Request"),
    ),
    Kind(
        "delivery_wanted",
        Topic.DELIVERY,
        _("A paid order waits for delivery (sellers)"),
        _("Deliver %(product)s"),
        _("Order %(order)s for %(product)s is paid. Deliver it and update its service status."),
        action=_("Service Supervision"),
    ),
    Kind(
        "request_submitted",
        Topic.DELIVERY,
        _("A customer submitted a request (sellers)"),
        _("A request for %(product)s"),
        _("The customer submitted a request for order %(order)s, %(product)s. Accept or reject it."),
        action=_("Service Supervision"),
    ),
    Kind(
        "request_accepted",
        Topic.DELIVERY,
        _("The seller accepted a request"),
        _("Your request for %(product)s was accepted"),
        _("%(seller)s accepted your request for order %(order)s, %(product)s, and provides the service now."),
        severity=Severity.SUCCESS,
        action=_("Service Supervision"),
        mail=False,
    ),
    Kind(
        "request_rejected",
        Topic.DELIVERY,
        _("The seller rejected a request"),
        _("Your request for %(product)s was rejected"),
        _(
            "%(seller)s rejected your request for order %(order)s, %(product)s: %(reason)s. You can change the request "
            "and submit it again."
        ),
        severity=Severity.WARNING,
        action=_("Submit Request"),
    ),
    Kind(
        "service_delivered",
        Topic.DELIVERY,
        _("A service was delivered and waits for acceptance"),
        _("Accept %(product)s"),
        _(
            "%(seller)s delivered %(product)s of your order %(order)s. Check it, then accept or reject it on Service "
            "Supervision."
        ),
        action=_("Accept Service"),
    ),
    Kind(
        "milestone_accepted",
        Topic.DELIVERY,
        _("A customer accepted a milestone (sellers)"),
        _("Milestone %(milestone)s of %(product)s was accepted"),
        _("The customer accepted milestone %(milestone)s of %(milestones)s of order %(order)s, %(product)s."),
        severity=Severity.SUCCESS,
        action=_("Service Supervision"),
    ),
    Kind(
        "service_accepted",
        Topic.DELIVERY,
        _("A customer accepted a service (sellers)"),
        _("%(product)s was accepted"),
        _("The customer accepted %(product)s of order %(order)s. The order is completed at %(until)s."),
        severity=Severity.SUCCESS,
        action=_("Service Supervision"),
    ),
    Kind(
        "delivery_rejected",
        Topic.DELIVERY,
        _("A customer rejected a delivery (sellers)"),
        _("The delivery of %(product)s was rejected"),
        _("The customer rejected the delivery of order %(order)s, %(product)s: %(reason)s. Deliver again."),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
    ),
    Kind(
        "service_completed",
        Topic.DELIVERY,
        _("A service flow was completed (sellers)"),
        _("%(product)s is completed"),
        _("The service flow of order %(order)s, %(product)s, is completed. Its money is earned."),
        severity=Severity.SUCCESS,
        action=_("Service Supervision"),
        mail=False,
    ),
    Kind(
        "seller_reminded",
        Topic.DELIVERY,
        _("A customer reminds of a delivery (sellers)"),
        _("The customer reminds you of order %(order)s"),
        _("The customer of order %(order)s, %(product)s, waits for your answer on Service Supervision."),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
    ),
    Kind(
        "flow_message",
        Topic.DELIVERY,
        _("A message in a service flow"),
        _("A message about order %(order)s"),
        _("There is a new message about order %(order)s, %(product)s, on Service Supervision."),
        action=_("Service Supervision"),
    ),
    Kind(
        "appeal_filed",
        Topic.DELIVERY,
        _("An appeal was initiated"),
        _("Appeal %(appeal)s about order %(order)s"),
        _(
            "An appeal about order %(order)s, %(product)s, was initiated by: %(party)s. The service flow is frozen. "
            "The operations manager decides until %(until)s; messages and evidence can be added meanwhile."
        ),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
        required=True,
    ),
    Kind(
        "appeal_withdrawn",
        Topic.DELIVERY,
        _("An appeal was withdrawn"),
        _("Appeal %(appeal)s was withdrawn"),
        _("The appeal about order %(order)s, %(product)s, was withdrawn. The service flow goes on where it stood."),
        action=_("Service Supervision"),
    ),
    Kind(
        "appeal_decided",
        Topic.DELIVERY,
        _("An appeal was decided"),
        _("Appeal %(appeal)s was decided"),
        _(
            "The operations manager decided the appeal about order %(order)s, %(product)s. %(outcome)s Explanation: "
            "%(note)s"
        ),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
        required=True,
    ),
    Kind(
        "appeal_decided_restart",
        Topic.DELIVERY,
        _("An appeal was decided: the service flow starts again"),
        _("Appeal %(appeal)s was decided"),
        _(
            "The operations manager decided the appeal about order %(order)s, %(product)s. The service flow starts "
            "again from the step “%(step)s”. Explanation: %(note)s"
        ),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
        required=True,
    ),
    Kind(
        "appeal_decided_refund",
        Topic.DELIVERY,
        _("An appeal was decided: money is refunded"),
        _("Appeal %(appeal)s was decided"),
        _(
            "The operations manager decided the appeal about order %(order)s, %(product)s. %(outcome)s Refunded to the "
            "customer: %(refund)s. Explanation: %(note)s"
        ),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
        required=True,
    ),
    Kind(
        "flow_closed",
        Topic.DELIVERY,
        _("A service flow reached its closing date"),
        _("Order %(order)s reached its closing date"),
        _(
            "The service flow of order %(order)s, %(product)s, was not completed by its closing date and is frozen. "
            "The operations manager decides until %(until)s."
        ),
        severity=Severity.WARNING,
        action=_("Service Supervision"),
        required=True,
    ),
)

# Money
add(
    Kind(
        "balance_increased",
        Topic.MONEY,
        _("Money was added to the balance"),
        _("%(amount)s were added to your balance"),
        _("%(amount)s were added to the balance of your account. %(note)s"),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "credit_changed",
        Topic.MONEY,
        _("The credit limit was changed"),
        _("Your credit limit is now %(after)s"),
        _("The credit limit of your account was changed from %(before)s to %(after)s."),
    ),
    Kind(
        "credit_statement",
        Topic.MONEY,
        _("A statement of platform credit was made"),
        _("Credit statement for %(month)s: %(amount)s"),
        _("Your statement of platform credit for %(month)s is %(amount)s. Repay it until %(due)s."),
        action=_("Repay"),
    ),
    Kind(
        "credit_statement_due",
        Topic.MONEY,
        _("A statement of platform credit is due soon"),
        _("Repay %(amount)s until %(due)s"),
        _("Of your statement of platform credit for %(month)s, %(amount)s are to be repaid until %(due)s."),
        severity=Severity.WARNING,
        action=_("Repay"),
    ),
    Kind(
        "credit_statement_overdue",
        Topic.MONEY,
        _("A statement of platform credit is overdue"),
        _("%(amount)s of platform credit are overdue"),
        _(
            "Of your statement of platform credit for %(month)s, %(amount)s were due on %(due)s. Until they are "
            "repaid, nothing can be ordered on credit."
        ),
        severity=Severity.DANGER,
        action=_("Repay"),
        sms=True,
    ),
    Kind(
        "card_refund_refused",
        Topic.MONEY,
        _("A card refused a refund, which went to the balance"),
        _("Your refund of %(amount)s went to your balance"),
        _("The card refused the refund of %(amount)s for %(order)s. It was added to the balance of your account."),
    ),
)

# Private offers and milestone bills
add(
    Kind(
        "private_offer",
        Topic.OFFERS,
        _("A seller made you an exclusive offer"),
        _("Exclusive offer: %(product)s for %(amount)s"),
        _(
            "%(seller)s offers you %(product)s for %(amount)s: “%(name)s”. The offer is valid from %(from)s to %(to)s. "
            "Open the link, or scan the code, to place the order."
        ),
        action=_("Place order"),
        sms=True,
        required=True,
        qr_of_link=True,
    ),
    Kind(
        "private_offer_in_effect",
        Topic.OFFERS,
        _("An exclusive offer takes effect"),
        _("The offer “%(name)s” is in effect"),
        _("The offer of %(seller)s for %(product)s, %(amount)s, can be used until %(to)s."),
        action=_("View offer"),
        mail=False,
    ),
    Kind(
        "private_offer_withdrawn",
        Topic.OFFERS,
        _("An exclusive offer was withdrawn"),
        _("The offer “%(name)s” was withdrawn"),
        _("%(seller)s has withdrawn the offer for %(product)s. An order that you placed with it stays as it is."),
        action=_("View offer"),
        mail=False,
    ),
    Kind(
        "private_offer_expired",
        Topic.OFFERS,
        _("An exclusive offer expired"),
        _("The offer “%(name)s” has expired"),
        _("The offer of %(seller)s for %(product)s was valid until %(to)s. Ask the seller for a new one."),
        action=_("View offer"),
        mail=False,
    ),
    Kind(
        "private_offer_expired_seller",
        Topic.OFFERS,
        _("An offer of yours expired (sellers)"),
        _("Your offer “%(name)s” has expired"),
        _("The offer for %(product)s to %(customer)s was valid until %(to)s."),
        action=_("View offer"),
        mail=False,
    ),
    Kind(
        "milestone_bill",
        Topic.MONEY,
        _("A milestone bill was generated"),
        _("Bill %(bill)s: %(amount)s due"),
        _(
            "The bill for milestone %(milestone)s of %(milestones)s (%(name)s) of order %(order)s, %(product)s, is "
            "%(amount)s. Repay it by %(due)s."
        ),
        action=_("View bill"),
    ),
    Kind(
        "milestone_bill_due",
        Topic.MONEY,
        _("A milestone bill is due soon"),
        _("Bill %(bill)s is due"),
        _(
            "The bill for milestone %(milestone)s of %(milestones)s (%(name)s) of order %(order)s, %(product)s, over "
            "%(amount)s is due at %(due)s."
        ),
        severity=Severity.WARNING,
        action=_("View bill"),
    ),
    Kind(
        "milestone_bill_overdue",
        Topic.MONEY,
        _("A milestone bill is overdue"),
        _("Bill %(bill)s is overdue"),
        _(
            "The bill for milestone %(milestone)s of %(milestones)s (%(name)s) of order %(order)s, %(product)s, over "
            "%(amount)s was due at %(due)s. %(effect)s"
        ),
        severity=Severity.WARNING,
        action=_("Repay"),
        required=True,
    ),
    Kind(
        "milestone_bill_repaid",
        Topic.MONEY,
        _("A milestone bill was repaid"),
        _("Bill %(bill)s is repaid"),
        _(
            "%(amount)s were repaid for milestone %(milestone)s of %(milestones)s (%(name)s) of order %(order)s, "
            "%(product)s."
        ),
        action=_("View bill"),
        mail=False,
    ),
    Kind(
        "milestone_repaid_seller",
        Topic.MONEY,
        _("A customer paid a milestone (sellers)"),
        _("Milestone %(milestone)s of %(product)s is paid"),
        _(
            "The customer repaid %(amount)s for milestone %(milestone)s of %(milestones)s (%(name)s) of order "
            "%(order)s."
        ),
        action=_("View order"),
        mail=False,
    ),
)

# Unsubscriptions
add(
    Kind(
        "unsubscription_requested",
        Topic.SELLING,
        _("A customer wants to unsubscribe (sellers)"),
        _("%(account)s asks to unsubscribe from %(product)s"),
        _(
            "%(account)s asks to unsubscribe from %(product)s, order %(order)s, with a refund of %(amount)s. "
            "Review the request. Reason: %(reason)s"
        ),
        severity=Severity.WARNING,
        action=_("Review"),
        sms=True,
    ),
    Kind(
        "unsubscription_reminded",
        Topic.SELLING,
        _("A customer reminds of an unsubscription request (sellers)"),
        _("%(account)s waits for your answer on order %(order)s"),
        _("%(account)s waits for your answer to the request to unsubscribe from %(product)s, order %(order)s."),
        severity=Severity.WARNING,
        action=_("Review"),
        sms=True,
    ),
    Kind(
        "unsubscription_withdrawn",
        Topic.SELLING,
        _("A customer withdrew an unsubscription request (sellers)"),
        _("Order %(order)s goes on"),
        _("%(account)s withdrew the request to unsubscribe from %(product)s. Order %(order)s goes on."),
    ),
    Kind(
        "unsubscription_rejected",
        Topic.ORDERS,
        _("A seller rejected an unsubscription request"),
        _("Your request to unsubscribe from %(product)s was rejected"),
        _(
            "%(seller)s rejected your request to unsubscribe from %(product)s, order %(order)s. While the order is "
            "not completed you may ask again. %(comment)s"
        ),
        severity=Severity.WARNING,
        sms=True,
    ),
    Kind(
        "unsubscription_agreed",
        Topic.ORDERS,
        _("A seller agreed to an unsubscription"),
        _("You are unsubscribed from %(product)s"),
        _("%(seller)s agreed: order %(order)s, %(product)s, is unsubscribed. %(money)s"),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "unsubscription_settled",
        Topic.SELLING,
        _("An order was unsubscribed (sellers)"),
        _("Order %(order)s is unsubscribed"),
        _(
            "%(product)s, order %(order)s, is unsubscribed with a refund of %(amount)s. "
            "What is left is yours: %(left)s."
        ),
        mail=False,
    ),
    Kind(
        "unsubscription_refunded",
        Topic.MONEY,
        _("The refund of an unsubscription is done"),
        _("%(amount)s of order %(order)s is back"),
        _("%(amount)s for %(product)s, order %(order)s, went back to where it came from."),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "image_unsubscribed",
        Topic.ORDERS,
        _("An image was unsubscribed"),
        _("You are unsubscribed from %(product)s"),
        _("%(product)s, order %(order)s, is unsubscribed and closed. %(money)s"),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "renewal_unsubscribed",
        Topic.ORDERS,
        _("A renewal that had not started was unsubscribed"),
        _("The renewal of %(product)s is unsubscribed"),
        _(
            "The renewal of %(product)s, order %(order)s, is unsubscribed. %(money)s "
            "The resource expires at %(expires)s."
        ),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "unsubscription_ended",
        Topic.ORDERS,
        _("An unsubscription request ended with an appeal"),
        _("The request to unsubscribe from %(product)s has ended"),
        _("The request to unsubscribe from %(product)s, order %(order)s, has ended. %(why)s"),
    ),
    Kind(
        "customer_unsubscribed",
        Topic.MONEY,
        _("The refund of a customer's order was credited (resellers)"),
        _("%(amount)s of your customer's order %(order)s is credited to you"),
        _(
            "%(account)s is unsubscribed from %(product)s, order %(order)s. %(amount)s is taken off what you owe the "
            "platform; settle it with your customer."
        ),
    ),
    Kind(
        "refund_failed",
        Topic.MONEY,
        _("A refund failed"),
        _("The refund of order %(order)s failed"),
        _(
            "%(amount)s for %(product)s, order %(order)s, could not be paid back: the bank's answer is unclear. "
            "Operations look into it and try again; you need not do anything."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "refund_late",
        Topic.MONEY,
        _("A refund is late"),
        _("The refund of order %(order)s is late"),
        _(
            "%(amount)s for %(product)s, order %(order)s, should have been back at %(due)s and is not yet. "
            "Operations look into it; you need not do anything."
        ),
        severity=Severity.WARNING,
    ),
)

# Service tickets
add(
    Kind(
        "ticket_assigned",
        Topic.ACCOUNT,
        _("A service ticket was taken on"),
        _("Ticket %(ticket)s is in progress"),
        _("An operations manager has taken on your service ticket %(ticket)s, %(subject)s."),
    ),
    Kind(
        "ticket_answered",
        Topic.ACCOUNT,
        _("A service ticket was answered"),
        _("Ticket %(ticket)s was answered"),
        _("Operations answered your service ticket %(ticket)s, %(subject)s, and wait for your reply."),
        severity=Severity.WARNING,
        action=_("Reply"),
    ),
    Kind(
        "ticket_resolved",
        Topic.ACCOUNT,
        _("A service ticket was resolved"),
        _("Ticket %(ticket)s is resolved"),
        _("Your service ticket %(ticket)s, %(subject)s, is resolved. Close it, or reply and it is open again."),
        severity=Severity.SUCCESS,
    ),
    Kind(
        "demand_answered",
        Topic.ACCOUNT,
        _("A demand was answered"),
        _("About your demand: %(subject)s"),
        _("You told us what you did not find on KooGallery: %(subject)s. Our answer: %(text)s"),
    ),
)

# Renewal, change, life cycle
add(
    Kind(
        "resource_renewed",
        Topic.RESOURCES,
        _("A resource was renewed"),
        _("%(product)s is renewed"),
        _("%(product)s was renewed by order %(order)s for %(amount)s. It now expires at %(expires)s."),
    ),
    Kind(
        "resource_changed",
        Topic.RESOURCES,
        _("A resource was changed"),
        _("%(product)s is changed"),
        _("Order %(order)s changed %(product)s to %(specification)s. The expiry stays at %(expires)s."),
    ),
    Kind(
        "renewal_change_waits",
        Topic.RESOURCES,
        _("A change upon renewal is paid"),
        _("%(product)s changes with its renewal"),
        _("Order %(order)s renews and changes %(product)s at %(effective)s. You can cancel it until then."),
    ),
    Kind(
        "renewal_change_refunded",
        Topic.RESOURCES,
        _("A change upon renewal is refunded"),
        _("Order %(order)s is canceled and refunded"),
        _("Order %(order)s does not renew and change %(product)s any more. %(amount)s goes back to you."),
    ),
    Kind(
        "renewal_change_given_up",
        Topic.SELLING,
        _("A change upon renewal is canceled (sellers)"),
        _("%(product)s is not changed upon renewal"),
        _("Order %(order)s, which was to renew and change %(product)s, is canceled. %(amount)s is refunded."),
    ),
    Kind(
        "renewal_change_effective",
        Topic.RESOURCES,
        _("A change upon renewal took effect"),
        _("%(product)s is renewed and changed"),
        _("Order %(order)s took effect: %(product)s is %(specification)s now and expires at %(expires)s."),
    ),
    Kind(
        "resource_expiring",
        Topic.RESOURCES,
        _("A resource expires soon"),
        _("%(product)s expires in %(days)s days"),
        _("%(product)s, %(specification)s, expires at %(expires)s. Renew it to keep it."),
        severity=Severity.WARNING,
        subject_of_one=_("%(product)s expires in 1 day"),
    ),
    Kind(
        "resource_renewing",
        Topic.RESOURCES,
        _("A resource that renews itself expires soon"),
        _("%(product)s expires in %(days)s days"),
        _("%(product)s, %(specification)s, expires at %(expires)s. Its auto-renewal is tried at %(on)s."),
        subject_of_one=_("%(product)s expires in 1 day"),
    ),
    Kind(
        "resource_turning",
        Topic.RESOURCES,
        _("A resource will be billed by use"),
        _("%(product)s expires in %(days)s days"),
        _(
            "The term of %(product)s, %(specification)s, ends at %(expires)s. "
            "After that it is billed by use, as you chose."
        ),
        subject_of_one=_("%(product)s expires in 1 day"),
    ),
    Kind(
        "resource_ending",
        Topic.RESOURCES,
        _("A trial or package ends soon"),
        _("%(product)s ends in %(days)s days"),
        _("%(product)s, %(specification)s, ends at %(expires)s and is closed then. Save what you want to keep."),
        severity=Severity.WARNING,
        subject_of_one=_("%(product)s ends in 1 day"),
    ),
    Kind(
        "resource_in_grace",
        Topic.RESOURCES,
        _("A resource is in its grace period"),
        _("%(product)s has expired"),
        _("%(product)s expired at %(expires)s. It works until %(until)s; renew it before."),
        severity=Severity.WARNING,
        required=True,
    ),
    Kind(
        "resource_in_retention",
        Topic.RESOURCES,
        _("A resource is frozen"),
        _("%(product)s is frozen"),
        _(
            "%(product)s is frozen since its grace period has ended. "
            "Its data is kept until %(until)s and deleted then. Renew it before."
        ),
        severity=Severity.WARNING,
        required=True,
    ),
    Kind(
        "resource_pay_per_use",
        Topic.RESOURCES,
        _("A resource changed to pay-per-use"),
        _("%(product)s is billed by use now"),
        _("The term of %(product)s has ended. From now on it is billed by use, as you chose."),
    ),
    Kind(
        "resource_to_freeze",
        Topic.RESOURCES,
        _("A customer's resource is to be frozen (sellers)"),
        _("Freeze %(product)s of order %(order)s"),
        _(
            "The grace period of resource %(resource)s has ended. "
            "It has no instance that the platform can call about: freeze the service and keep its data."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "resource_to_change",
        Topic.RESOURCES,
        _("A customer's resource is to be changed (sellers)"),
        _("Change %(product)s to %(specification)s"),
        _(
            "Order %(order)s changed resource %(resource)s to %(specification)s. "
            "It has no instance that the platform can call about: change the service by hand."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "resource_to_unfreeze",
        Topic.RESOURCES,
        _("A customer's resource is to be unfrozen (sellers)"),
        _("Unfreeze %(product)s of order %(order)s"),
        _(
            "Resource %(resource)s was renewed and expires at %(expires)s now. "
            "It has no instance that the platform can call about: let the customer use it again."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "resource_to_release",
        Topic.RESOURCES,
        _("A customer's resource is to be released (sellers)"),
        _("Release %(product)s of order %(order)s"),
        _(
            "Resource %(resource)s has ended. "
            "It has no instance that the platform can call about: end the service and delete its data."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "auto_renewal_ahead",
        Topic.RESOURCES,
        _("An auto-renewal is ahead"),
        _("%(product)s will be renewed"),
        _("%(product)s will be renewed for %(amount)s at %(on)s, until %(until)s."),
    ),
    Kind(
        "auto_renewal_would_fail",
        Topic.RESOURCES,
        _("An auto-renewal would fail"),
        _("The auto-renewal of %(product)s would fail"),
        _("At %(on)s the auto-renewal of %(product)s would fail: %(reason)s"),
        severity=Severity.WARNING,
        required=True,
    ),
    Kind(
        "auto_renewal_failed",
        Topic.RESOURCES,
        _("An auto-renewal failed"),
        _("%(product)s was not renewed"),
        _(
            "The auto-renewal of %(product)s failed: %(reason)s It is tried again at %(next)s. "
            "%(product)s expires at %(expires)s."
        ),
        severity=Severity.WARNING,
        required=True,
    ),
    Kind(
        "customer_renewal_failed",
        Topic.RESOURCES,
        _("A frozen customer's auto-renewal failed (resellers)"),
        _("%(product)s of %(customer)s was not renewed"),
        _(
            "The auto-renewal of %(product)s of your customer %(customer)s failed because you froze the account. "
            "It expires at %(expires)s; unfreeze the account to let it be renewed."
        ),
        severity=Severity.WARNING,
    ),
    Kind(
        "auto_renewal_ended",
        Topic.RESOURCES,
        _("An auto-renewal failed for good"),
        _("%(product)s was not renewed"),
        _(
            "The auto-renewal of %(product)s failed: %(reason)s It is not tried again. "
            "%(product)s expires at %(expires)s; renew it by hand."
        ),
        severity=Severity.WARNING,
        required=True,
    ),
)
