"""manage.py create_operator NAME --role ROLE …: an operations manager."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from koogallery.identity.operations.operators import create_operator
from koogallery.identity.states import OperatorRole
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused

ROLES = {role.name.lower().replace("_", "-"): role for role in OperatorRole}


class Command(BaseCommand):
    help = "Makes an operations manager with roles. The password is asked for, or taken from OPERATOR_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", action="append", choices=sorted(ROLES), required=True)
        parser.add_argument("--email", default="")
        parser.add_argument("--password", default="", help="for rehearsals; it stays in the shell's history")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or os.environ.get("OPERATOR_PASSWORD", "") or getpass.getpass()
        roles = [ROLES[name] for name in options["role"]]
        try:
            user = create_operator(
                system_call(), username=options["name"], password=password, roles=roles, email=options["email"]
            )
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"{user.sign_in_name}: {', '.join(role.value for role in roles)}")
