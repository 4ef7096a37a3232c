"""Telling people, inside the transaction of what they are told; mail and SMS leave after the commit."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from koogallery.identity import queries as identity
from koogallery.kernel import fields, jsontext, outbox
from koogallery.kernel.arrays import array
from koogallery.kernel.inserting import insert_new
from koogallery.notifications import rendering
from koogallery.notifications.kinds import kind_named
from koogallery.notifications.models.choice import wants
from koogallery.notifications.states import Channel

Attachment = tuple[str, str, bytes]


_TELL = """
INSERT INTO notifications_message (user_id, account_id, kind, topic, severity, params, link, key, created_at)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[],
    %s::text[], %s::timestamptz[])
"""


class Notice(NamedTuple):
    """One thing to tell an account: its root user and `user_ids`. `key` makes telling it again do nothing.

    `shared` are parameters that many notices have in common; one mapping for all of them is written once. `mail=False`
    keeps this notice out of the mail; `sms=True` sends it by SMS unless the reader chose otherwise.
    """

    account_id: int
    kind: str
    key: str
    at: datetime
    params: Mapping[str, Any] = MappingProxyType({})
    link: str = ""
    user_ids: Sequence[int] = ()
    mail: bool = True
    sms: bool = False
    shared: Mapping[str, Any] = MappingProxyType({})


def notify(
    *,
    account_id: int,
    kind: str,
    params: Mapping[str, Any],
    key: str,
    at: datetime,
    link: str = "",
    user_ids: Iterable[int] | None = None,
    mail: bool = True,
    sms: bool = False,
) -> None:
    """Tell an account something; see `Notice`. Raises `UnknownKind`."""
    notify_many(
        [
            Notice(
                account_id=account_id,
                kind=kind,
                key=key,
                at=at,
                params=params,
                link=link,
                user_ids=tuple(user_ids or ()),
                mail=mail,
                sms=sms,
            )
        ]
    )


def notify_many(notices: Sequence[Notice]) -> None:
    """Tell many things with as many statements as one (and savepoints); for sweeps. Raises `UnknownKind`."""
    if not notices:
        return
    kinds = [kind_named(name) for name in {notice.kind for notice in notices}]
    looks = {kind.name: (kind.topic.value, kind.severity.value) for kind in kinds}
    readers = _readers(notices)
    messages: list[tuple[Any, ...]] = []
    waiting: list[outbox.Waiting] = []
    known: dict[tuple[Any, ...], list[tuple[int, Sequence[str]]]] = {}
    begun: dict[int, str] = {}
    usual: dict[tuple[Any, ...], Sequence[str]] = {}
    for notice in notices:
        account_id, name, key, at, params, link, user_ids, mail, sms, shared = notice
        way = account_id, name, tuple(user_ids), mail, sms
        if (told := known.get(way)) is None:
            told = known[way] = [
                (reader.pk, _channels(notice, reader, usual))
                for reader in readers.get(account_id, ())
                if reader.is_root or reader.pk in user_ids
            ]
        if not told:
            continue
        (topic, severity), kept = looks[name], jsontext.text(rendering.stored(params))
        if shared:
            if (first := begun.get(id(shared))) is None:
                first = begun[id(shared)] = jsontext.text(rendering.stored(shared))[:-1]
            kept = f"{first},{kept[1:]}" if params else first + "}"
        for user_id, channels in told:
            messages.append((user_id, account_id, name, topic, severity, kept, link, key, at))
            for channel in channels:
                waiting.append(outbox.Waiting(channel, f"{channel}:{user_id}:{key}", {"user": user_id, "key": key}, at))
    if messages:
        insert_new(_TELL, [array(column) for column in zip(*messages, strict=True)], rows=len(messages))
    outbox.put_many(waiting)


def _readers(notices: Sequence[Notice]) -> dict[int, list[identity.Reader]]:
    """The users who are told, by account, with their choices: one query."""
    accounts = {notice.account_id for notice in notices}
    named = {user_id for notice in notices for user_id in notice.user_ids}
    found: dict[int, list[identity.Reader]] = {}
    for reader in identity.readers(accounts, named=named):
        found.setdefault(reader.account_id, []).append(reader)
    return found


def _channels(notice: Notice, reader: identity.Reader, usual: dict[tuple[Any, ...], Sequence[str]]) -> Sequence[str]:
    """By which channels a reader gets a notice; for readers who chose nothing it is worked out once (`usual`)."""
    way = notice.kind, notice.mail and bool(reader.email), notice.sms, bool(reader.mobile)
    if reader.choices:
        return _chosen_channels(*way, reader.choices)
    if way not in usual:
        usual[way] = _chosen_channels(*way, {})
    return usual[way]


def _chosen_channels(
    name: str, by_mail: bool, by_sms: bool, has_mobile: bool, chosen: Mapping[str, Mapping[str, bool]]
) -> Sequence[str]:
    kind = kind_named(name)
    channels = []
    if by_mail and wants(chosen, kind, Channel.MAIL):
        channels.append(Channel.MAIL.value)
    sms = wants(chosen, kind, Channel.SMS)
    if by_sms and Channel.SMS.value not in chosen.get(kind.name, {}):
        sms = True
    if sms and has_mobile:
        channels.append(Channel.SMS.value)
    return channels


def mail(
    *,
    to: str,
    kind: str,
    params: Mapping[str, Any],
    language: str,
    key: str,
    at: datetime,
    link: str = "",
    attachments: Sequence[Attachment] = (),
) -> None:
    """Mail to a bare address that belongs to nobody yet, with attachments if any; stored encrypted until sent.

    Raises `UnknownKind`.
    """
    content = {
        "to": to,
        "kind": kind_named(kind).name,
        "params": rendering.stored(params),
        "language": language,
        "link": link,
        "attachments": [[name, kind_, base64.b64encode(data).decode()] for name, kind_, data in attachments],
    }
    outbox.put("direct-mail", key=f"direct-mail:{key}", payload={"sealed": fields.encrypt(json.dumps(content))}, at=at)
