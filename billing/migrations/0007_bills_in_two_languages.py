"""Bills name their product in both languages; milestones keep until when their order reserves credit, and its policy."""

from django.db import migrations, models


def chinese(model: str) -> migrations.AddField:
    text = models.CharField(blank=True, db_default="", default="", max_length=255)
    return migrations.AddField(model, "description_zh", text)


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_fewer_indexes")]

    operations = [
        *map(chinese, ("charge", "milestone", "payment")),
        migrations.AddField("milestone", "reserved_until", models.DateTimeField(null=True)),
        migrations.AddField("milestone", "blocks_when_overdue", models.BooleanField(db_default=True, default=True)),
        migrations.AddField(
            "milestone", "product_code", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
    ]
