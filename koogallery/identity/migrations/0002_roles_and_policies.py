"""The operations roles as Django groups, and the platform's own identity policies."""

from datetime import UTC, datetime

from django.db import migrations

ROLES = ("Administrator", "Catalogue reviewer", "Appeal officer", "Finance", "Support", "Auditor")

POLICIES = (
    ("Administrator", "Full access to the account, identity management included.", "*:*:*"),
    ("MarketplaceFullAccess", "Every action of the marketplace, without identity management.", "marketplace:*:*"),
)

SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def make(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in ROLES:
        group.objects.get_or_create(name=name)
    policy = apps.get_model("identity", "Policy")
    for name, description, action in POLICIES:
        policy.objects.get_or_create(
            account=None,
            name=name,
            defaults={
                "description": description,
                "document": {
                    "Version": "5.0",
                    "Statement": [{"Sid": name, "Effect": "Allow", "Action": [action], "Resource": ["*"]}],
                },
                "created_at": SINCE,
                "updated_at": SINCE,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
