"""manage.py create_account NAME …: an account of any kind with users, money, credit and a card, or nothing at all."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from billing.gateways import sandbox
from billing.operations import cards, crediting, topping_up
from billing.states import CreditKind
from koogallery.identity.operations import accounts, iam
from koogallery.identity.queries import account_by_name, root_user
from koogallery.identity.states import AccountKind
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused

if TYPE_CHECKING:
    from koogallery.identity.models import Account, User

KINDS = {kind.value.replace("_", "-"): kind for kind in AccountKind}
TEST_CARDS = {card.token.removeprefix("sandbox-"): card.token for card in sandbox.TEST_CARDS}


class Command(BaseCommand):
    help = "Makes an account with its root user and what else is asked for; when a part is refused, nothing is made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the account and of its root user")
        parser.add_argument("--kind", choices=sorted(KINDS), default="prepaid")
        parser.add_argument("--is-reseller", action="store_true", help="the account may have customers")
        parser.add_argument("--reseller", default="", metavar="NAME", help="the reseller of a reseller-customer")
        parser.add_argument("--email", default="", help="default: NAME@example.com")
        parser.add_argument("--mobile", default="")
        parser.add_argument("--password", default="", help="of the root user and of users that name none")
        parser.add_argument("--currency", default="USD")
        parser.add_argument("--language", default="en")
        parser.add_argument("--zone", default="", help="display zone, such as Asia/Shanghai")
        parser.add_argument("--user", action="append", default=[], metavar="NAME[:PASSWORD]", help="an IAM user")
        parser.add_argument(
            "--deny", action="append", default=[], metavar="USER=ACTION", help="deny an IAM user an action"
        )
        parser.add_argument(
            "--allow", action="append", default=[], metavar="USER=ACTION", help="allow an IAM user an action"
        )
        parser.add_argument("--balance", default="0", metavar="AMOUNT")
        parser.add_argument("--platform-credit", default="0", metavar="AMOUNT", help="postpaid accounts only")
        parser.add_argument("--milestone-credit", default="0", metavar="AMOUNT", help="postpaid accounts only")
        parser.add_argument(
            "--sandbox-card", action="append", default=[], choices=sorted(TEST_CARDS), help="may be given repeatedly"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                account = self._make(options)
        except Refused as refused:
            raise CommandError(f"{refused} Nothing was made.") from refused
        self.stdout.write(f"{account.name}: account ID {account.number}, {account.get_kind_display()}")

    def _make(self, options: dict[str, Any]) -> Account:
        reseller = None
        if options["reseller"]:
            reseller = account_by_name(options["reseller"])
            if reseller is None:
                raise CommandError(f"There is no account {options['reseller']!r}.")
        account = accounts.create(
            system_call(),
            name=options["name"],
            kind=KINDS[options["kind"]],
            email=options["email"] or f"{options['name']}@example.com",
            mobile=options["mobile"],
            password=options["password"],
            currency=options["currency"],
            reseller=reseller,
            is_reseller=options["is_reseller"],
            language=options["language"],
            zone=options["zone"],
        )
        call = system_call(account=account, on_behalf_of=root_user(account).sign_in_name)
        users = self._make_users(call, options)
        self._give_policies(call, users, options)
        currency = account.currency
        if balance := _amount(options["balance"], currency):
            topping_up.add_funds(call, account=account.number, amount=balance)
        for kind in CreditKind:
            if limit := _amount(options[f"{kind.value}_credit"], currency):
                crediting.grant_credit(call, account=account.number, kind=kind, limit=limit)
        for name in options["sandbox_card"]:
            details = sandbox.SandboxGateway().card(reference=TEST_CARDS[name], account_number=account.number)
            if details is not None:
                cards.add_card(call, gateway="sandbox", details=details)
        return account

    def _make_users(self, call: Any, options: dict[str, Any]) -> dict[str, User]:
        users = {}
        for given in options["user"]:
            name, _colon, password = given.partition(":")
            users[name] = iam.create_user(
                call,
                username=name,
                password=password or options["password"],
                email=f"{name}@{options['name'].lower()}.example.com",
            )
        return users

    def _give_policies(self, call: Any, users: dict[str, User], options: dict[str, Any]) -> None:
        wanted: dict[str, dict[str, list[str]]] = {}
        for effect in ("Deny", "Allow"):
            for given in options[effect.lower()]:
                name, equals, action = given.partition("=")
                if name not in users or not equals:
                    raise CommandError(f"{given!r} is not USER=ACTION with a user given by --user.")
                wanted.setdefault(name, {}).setdefault(effect, []).append(action)
        for name, effects in wanted.items():
            document = {
                "Version": "5.0",
                "Statement": [
                    {"Effect": effect, "Action": actions, "Resource": ["*"]} for effect, actions in effects.items()
                ],
            }
            policy = iam.create_policy(call, name=f"{name}-rights", document=json.dumps(document))
            iam.set_user_policies(call, user=users[name], policies=[policy.number])


def _amount(text: str, currency: str) -> Money | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text!r} is not an amount.") from None
    return Money(amount, currency) if amount else None
