"""Two-step verification: a time-based code of the user's app beside the password, and recovery codes."""

from __future__ import annotations

from base64 import b32encode

from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from koogallery.identity.models import User
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused

RECOVERY_CODES = 8
ANYONE = {Role.BUYER, Role.OPERATOR, Role.SELLER}


def device_of(user: User, *, confirmed: bool) -> TOTPDevice | None:
    """The user's app: in use, or waiting for its first code."""
    return TOTPDevice.objects.filter(user=user, confirmed=confirmed).order_by("-pk").first()


def waiting_device(user: User) -> TOTPDevice:
    """The device whose key the set-up page shows; it does nothing until its first code is given."""
    return device_of(user, confirmed=False) or TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def key_text(device: TOTPDevice) -> str:
    """The key for typing it into the app: Base32 in groups of four."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


@operation("enableTwoStep", resource_type="User", action="iam:self:enableTwoStep", roles=ANYONE, sensitive=("code",))
def enable(call: Call, *, code: str) -> list[str]:
    """Switch on two-step verification with the app's first code; return the recovery codes, shown once.

    Raises `Refused("code_wrong")`.
    """
    device = TOTPDevice.objects.select_for_update().filter(user=call.user, confirmed=False).order_by("-pk").first()
    if device is None or not device.verify_token(_digits(code)):
        raise Refused("code_wrong", field="code")
    TOTPDevice.objects.filter(user=call.user).exclude(pk=device.pk).delete()
    device.confirmed = True
    device.save()
    StaticDevice.objects.filter(user=call.user).delete()
    static = StaticDevice.objects.create(user=call.user, name="recovery")
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=static, token=code) for code in codes])
    describe(resource=call.user)
    return codes


@operation("disableTwoStep", resource_type="User", action="iam:self:disableTwoStep", roles=ANYONE)
def disable(call: Call, *, password: str) -> User:
    """Switch off two-step verification; the password is asked again. Raises `Refused("password_wrong")`."""
    if not call.user.check_password(password):
        raise Refused("password_wrong", field="password")
    TOTPDevice.objects.filter(user=call.user).delete()
    StaticDevice.objects.filter(user=call.user).delete()
    describe(resource=call.user)
    return call.user


def _digits(code: str) -> int:
    digits = code.replace(" ", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 8 else -1
