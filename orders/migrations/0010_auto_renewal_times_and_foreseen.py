"""Keep how many renewals were chosen, and why the last pre-flight would have failed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0009_calendar_feed")]
    operations = [
        migrations.AddField(
            model_name="autorenewal",
            name="times",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="number of renewals"),
        ),
        migrations.AddField(
            model_name="autorenewal",
            name="foreseen",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=64, verbose_name="foreseen failure"
            ),
        ),
        migrations.RunSQL(
            'UPDATE orders_autorenewal SET times = greatest("left", 1) WHERE "left" IS NOT NULL',
            migrations.RunSQL.noop,
        ),
    ]
