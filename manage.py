#!/usr/bin/env python
"""Django's command line for this installation."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koogallery.settings.local")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if os.environ.get("DATABASE_URL") or "--traceback" in sys.argv:
            raise
        sys.exit(f"{error}\nIs the engine up? `python manage.py engine start` starts it; `make run` does too.")


if __name__ == "__main__":
    main()
