"""Rows of identity, one noun per file."""

from koogallery.identity.models.access_key import AccessKey
from koogallery.identity.models.account import Account
from koogallery.identity.models.agreement import AgreementSignature, AgreementText, ContactConsent
from koogallery.identity.models.attempt import Attempt
from koogallery.identity.models.group import Group, Membership
from koogallery.identity.models.policy import Attachment, Policy
from koogallery.identity.models.project import EnterpriseProject
from koogallery.identity.models.tag import PredefinedTag
from koogallery.identity.models.user import User

__all__ = [
    "AccessKey",
    "Account",
    "AgreementSignature",
    "AgreementText",
    "Attachment",
    "Attempt",
    "ContactConsent",
    "EnterpriseProject",
    "Group",
    "Membership",
    "Policy",
    "PredefinedTag",
    "User",
]
