"""Who signs in: the root user of an account, its IAM users, and operations managers (without an account)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from koogallery import clock
from koogallery.identity.models.account import Account
from koogallery.identity.states import SellerRole, Theme
from koogallery.kernel import guard, ids
from koogallery.kernel.guard import GuardedModel, GuardedQuerySet


class UserManager(BaseUserManager.from_queryset(GuardedQuerySet)):  # type: ignore[misc]
    """Makes users; call it inside an operation."""

    def create_user(self, username: str, *, account: Account | None = None, password: str = "", **fields: Any) -> User:
        """A user of an account, or an operations manager when `account` is None; without a password none signs in."""
        user = self.model(account=account, username=username, is_staff=account is None, **fields)
        if password:
            user.set_password(password)
        else:
            user.set_unusable_password()
        user.save()
        return user


class User(GuardedModel, AbstractBaseUser, PermissionsMixin):  # type: ignore[misc]
    """One person's or program's sign-in.

    `sign_in_name` is what is unique over all: `account/user` for users of accounts, the bare name for operations
    managers. `groups` (Django's) are the operations roles; IAM groups are `identity.Group`.
    """

    number = models.CharField(_("user ID"), max_length=32, unique=True, default=ids.public_id, editable=False)
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="users", verbose_name=_("account")
    )
    username = models.CharField(_("user name"), max_length=64)
    sign_in_name = models.CharField(_("sign-in name"), max_length=130, unique=True, editable=False)
    email = models.EmailField(_("e-mail address"), blank=True)
    email_verified_at = models.DateTimeField(_("e-mail address verified"), null=True, blank=True)
    mobile = models.CharField(_("mobile number"), max_length=32, blank=True)
    description = models.CharField(_("description"), max_length=255, blank=True)
    is_root = models.BooleanField(_("root user"), default=False)
    is_staff = models.BooleanField(_("operations manager"), default=False)
    is_active = models.BooleanField(_("may sign in"), default=True)
    seller_role = models.CharField(_("role in the Seller Console"), max_length=20, choices=SellerRole, blank=True)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, blank=True)
    zone = models.CharField(_("display zone"), max_length=64, blank=True)
    theme = models.CharField(_("theme"), max_length=10, choices=Theme, blank=True)
    preferences = models.JSONField(_("preferences"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    last_sign_in_at = models.DateTimeField(_("last sign-in"), null=True, blank=True)
    last_login = None  # type: ignore[assignment,misc]

    USERNAME_FIELD = "sign_in_name"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["sign_in_name"]
        constraints = [
            models.UniqueConstraint(Lower("sign_in_name"), name="user_sign_in_name_once"),
            models.UniqueConstraint(
                Lower("email"), condition=models.Q(is_root=True) & ~models.Q(email=""), name="user_root_email_once"
            ),
            models.UniqueConstraint("account", condition=models.Q(is_root=True), name="user_one_root"),
            models.CheckConstraint(
                condition=models.Q(account__isnull=True, is_staff=True, is_root=False)
                | models.Q(account__isnull=False, is_staff=False, is_superuser=False),
                name="user_account_or_staff",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; the sign-in name follows account and user name."""
        self.sign_in_name = f"{self.account.name}/{self.username}" if self.account else self.username
        super().save(*args, **kwargs)

    def check_password(self, raw_password: str | None) -> bool:
        """Whether this is the password; a hash of an older strength is replaced on the way."""

        def rehash(password: str) -> None:
            self.set_password(password)
            self._password = None
            with guard.opened("rehashPassword"):
                self.save(update_fields=["password"])

        return bool(check_password(raw_password, self.password, rehash))

    @property
    def is_operator(self) -> bool:
        """Whether the user is an operations manager."""
        return self.account_id is None and self.is_staff

    @property
    def role_in_seller(self) -> SellerRole | None:
        """The role in the account's Seller Console; a root user owns it, others have the role they were given."""
        if self.account_id is None:
            return None
        if self.is_root:
            return SellerRole.OWNER
        return SellerRole(self.seller_role) if self.seller_role else None

    def get_full_name(self) -> str:
        """The user name."""
        return self.username

    def get_short_name(self) -> str:
        """The user name."""
        return self.username

    def trace_ref(self) -> tuple[str, str]:
        """User ID and name."""
        return self.number, self.username
