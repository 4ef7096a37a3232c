"""Who is in the demo: buyers with IAM users, a reseller with a customer, sellers, operations managers of each role."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from django.core.management import call_command

from koogallery.identity.operations.operators import create_operator
from koogallery.identity.states import OperatorRole
from koogallery.kernel.calls import system_call

SHAPES = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "junco", "karst", "larch")


def new_password() -> str:
    """A random password that can be typed from a screen: three words and digits, 17 characters or more."""
    words = "-".join(secrets.choice(SHAPES).capitalize() for _ in range(3))
    return f"{words}-{secrets.randbelow(900_000) + 100_000}"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How somebody of the demo signs in, as `make run` prints it."""

    where: str
    who: str
    name: str
    password: str


@dataclass
class People:
    """The sign-ins made so far; passwords are drawn at load time and stand only in the list that `make run` prints."""

    sign_ins: list[SignIn] = field(default_factory=list)

    def account(self, name: str, *, who: str, where: str, users: tuple[str, ...] = (), **options: object) -> None:
        """An account by `manage.py create_account`, with IAM users."""
        password, user_passwords = new_password(), {user: new_password() for user in users}
        call_command(
            "create_account",
            name,
            password=password,
            user=[f"{user}:{user_passwords[user]}" for user in users],
            verbosity=0,
            stdout=_Silent(),
            **options,
        )
        self.sign_ins.append(SignIn(where, who, name, password))
        self.sign_ins += [
            SignIn(where, f"IAM user of {name}", f"{name} / {user}", user_passwords[user]) for user in users
        ]

    def operator(self, name: str, *roles: OperatorRole) -> None:
        """An operations manager."""
        password = new_password()
        create_operator(
            system_call(), username=name, password=password, roles=list(roles), email=f"{name}@koogallery.example"
        )
        self.sign_ins.append(SignIn("/admin/", ", ".join(role.value for role in roles), name, password))

    def write(self, path: Path) -> None:
        """Write the sign-ins where `make run` finds them, readable by their owner only."""
        widths = [max(len(getattr(each, column)) for each in self.sign_ins) for column in ("where", "who", "name")]
        lines = [
            f"{each.where:<{widths[0]}}  {each.who:<{widths[1]}}  {each.name:<{widths[2]}}  {each.password}"
            for each in self.sign_ins
        ]
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Silent:
    """Swallows what a command prints."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""


def make_people() -> People:
    """Every account and operations manager of the demo. Raises `CommandError` when a name is taken."""
    people = People()
    buyers, sellers = "/console/", "/seller/"
    people.account(
        "northwind-trading",
        who="Buyer, prepaid",
        where=buyers,
        users=("mei", "tomas"),
        email="office@northwind.example",
        mobile="+6581230001",
        balance="120000.00",
        sandbox_card=["approved", "declined", "silent-refund"],
        deny=["tomas=marketplace:order:create"],
        allow=["mei=marketplace:*:*"],
    )
    people.account(
        "meridian-health",
        who="Buyer, postpaid",
        where=buyers,
        users=("ines",),
        kind="postpaid",
        email="it@meridian.example",
        mobile="+6581230002",
        balance="2500.00",
        platform_credit="80000.00",
        milestone_credit="120000.00",
    )
    people.account(
        "bluepeak-partners",
        who="Reseller",
        where=buyers,
        is_reseller=True,
        kind="postpaid",
        email="sales@bluepeak.example",
        platform_credit="50000.00",
    )
    people.account(
        "harbor-logistics",
        who="Customer of bluepeak-partners",
        where=buyers,
        kind="reseller-customer",
        reseller="bluepeak-partners",
        email="ops@harborlogistics.example",
    )
    for name, email in (
        ("studio-maple", "hello@studiomaple.example"),
        ("quayside-foods", "it@quayside.example"),
        ("tern-analytics", "admin@tern.example"),
    ):
        people.account(
            name, who="Buyer, prepaid", where=buyers, email=email, balance="25000.00", sandbox_card=["approved"]
        )
    for name, email in (
        ("aldona-soft", "owner@aldona.example"),
        ("kestrel-systems", "owner@kestrel.example"),
        ("coldwork-labs", "owner@coldwork.example"),
    ):
        people.account(name, who="Seller", where=sellers, email=email)
    people.operator("administrator", OperatorRole.ADMINISTRATOR)
    people.operator("reviewer", OperatorRole.CATALOGUE_REVIEWER)
    people.operator("appeals", OperatorRole.APPEAL_OFFICER)
    people.operator("finance", OperatorRole.FINANCE)
    people.operator("support", OperatorRole.SUPPORT)
    people.operator("auditor", OperatorRole.AUDITOR)
    return people
