"""The full price of a term keeps all its digits: a numeric without a scale, which needs no rewriting of the table."""

from django.db import migrations

import koogallery.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_subscriptions")]

    operations = [
        migrations.AlterField(
            model_name="resourceterm",
            name="price",
            field=koogallery.kernel.fields.FullPriceField(decimal_places=60, max_digits=90, verbose_name="full price"),
        ),
    ]
