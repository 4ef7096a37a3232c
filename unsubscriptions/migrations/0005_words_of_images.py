from django.db import migrations, models

import koogallery.kernel.fields


class Migration(migrations.Migration):
    dependencies = [
        ("unsubscriptions", "0004_request_renewals"),
    ]

    operations = [
        migrations.AlterField(
            model_name="payout",
            name="began_at",
            field=models.DateTimeField(verbose_name="unsubscribed"),
        ),
        migrations.AlterField(
            model_name="request",
            name="amount",
            field=koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19, verbose_name="refund"),
        ),
    ]
