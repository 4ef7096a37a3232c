"""Structured logs: JSON lines in production, readable lines on a laptop; each carries the request's id."""

from __future__ import annotations

import re
from typing import Any, Literal

import structlog

SHARED_STEPS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.ExtraAdder(),
]

# Local variables hold passwords and keys, so no traceback shows them.
WITHOUT_LOCALS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

# The token in the link of a private offer opens it to whoever is signed in to its account.
_OFFER_LINK = re.compile(r"(?<!/console)(?<!/seller)((?:/|%2F)offers(?:/|%2F))[\w-]+", re.IGNORECASE)
# That of a calendar feed shows the calendar to whoever has it.
_CALENDAR_FEED = re.compile(r"((?:/|%2F)calendar(?:/|%2F))[\w-]+(?=\.ics)", re.IGNORECASE)


def without_tokens(_logger: Any, _method: str, line: str) -> str:
    """The last step: a finished line without the tokens of links in it."""
    return _CALENDAR_FEED.sub(r"\1********", _OFFER_LINK.sub(r"\1********", line))


def logging_settings(*, style: Literal["json", "console"], level: str) -> dict[str, Any]:
    """Django's LOGGING for one style; standard library records and structlog events look the same."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_STEPS[:-1],
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last_steps: list[Any]
    if style == "json":
        last_steps = [WITHOUT_LOCALS, structlog.processors.JSONRenderer()]
    else:
        last_steps = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_STEPS,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last_steps, without_tokens],
            },
        },
        "handlers": {"output": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["output"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
        },
    }
