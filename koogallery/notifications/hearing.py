"""What identity, which stands below, publishes for people to be told."""

from __future__ import annotations

from koogallery.identity import events
from koogallery.kernel.events import subscribe
from koogallery.notifications.operations import mail, notify


def listen() -> None:
    """Subscribe to identity's events."""
    subscribe(events.VerificationAsked, _verification_asked)
    subscribe(events.PasswordResetAsked, _password_reset_asked)
    subscribe(events.PasswordChanged, _password_changed)
    subscribe(events.AccountFrozen, _account_frozen)
    subscribe(events.AccountUnfrozen, _account_unfrozen)


def _verification_asked(asked: events.VerificationAsked) -> None:
    _mail_link("email_verification", asked)


def _password_reset_asked(asked: events.PasswordResetAsked) -> None:
    _mail_link("password_reset", asked)


def _mail_link(kind: str, asked: events.VerificationAsked | events.PasswordResetAsked) -> None:
    mail(
        to=asked.to,
        kind=kind,
        params={"name": asked.name, "hours": asked.hours},
        language=asked.language,
        link=asked.link,
        key=asked.key,
        at=asked.at,
    )


def _password_changed(changed: events.PasswordChanged) -> None:
    params = {"name": changed.name, "at": changed.at, "address": changed.address}
    key = f"password-changed:{changed.user_id}:{changed.at.isoformat()}"
    if changed.account_id is not None:
        notify(
            account_id=changed.account_id,
            kind="password_changed",
            params=params,
            user_ids=[changed.user_id],
            key=key,
            at=changed.at,
        )
    elif changed.to:
        mail(
            to=changed.to,
            kind="password_changed",
            params=params,
            language=changed.language,
            key=key,
            at=changed.at,
        )


def _account_frozen(frozen: events.AccountFrozen) -> None:
    notify(
        account_id=frozen.account_id,
        kind="account_frozen",
        params={"account": frozen.account, "reason": frozen.reason},
        key=f"account-frozen:{frozen.account_id}:{frozen.at.isoformat()}",
        at=frozen.at,
        sms=True,
    )


def _account_unfrozen(unfrozen: events.AccountUnfrozen) -> None:
    notify(
        account_id=unfrozen.account_id,
        kind="account_unfrozen",
        params={"account": unfrozen.account},
        key=f"account-unfrozen:{unfrozen.account_id}:{unfrozen.at.isoformat()}",
        at=unfrozen.at,
    )
