"""The columns of a trace in the order in which rows are written."""

from __future__ import annotations

TABLE = "audit_trace"

TYPES: dict[str, str] = {
    "trace_id": "uuid",
    "time": "timestamptz",
    "record_time": "timestamptz",
    "account_id": "bigint",
    "user_type": "text",
    "user_id": "bigint",
    "user_name": "text",
    "user_account": "text",
    "user_is_root": "boolean",
    "access_key": "text",
    "source_ip": "text",
    "resource_type": "text",
    "resource_id": "text",
    "resource_name": "text",
    "trace_name": "text",
    "trace_rating": "text",
    "trace_type": "text",
    "request": "jsonb",
    "response": "jsonb",
    "code": "text",
    "message": "text",
    "request_id": "text",
    "read_only": "boolean",
    "enterprise_project_id": "text",
    "parent_trace": "uuid",
}

NAMES = ", ".join(TYPES)
