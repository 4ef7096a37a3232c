"""Offers know when an unpaid order gives them back, and how their customer was named."""

from django.db import migrations, models
from django.db.models import Min, OuterRef, Subquery


def keep_deadlines(apps, schema_editor):
    offer, use = apps.get_model("catalog", "PrivateOffer"), apps.get_model("catalog", "OfferUse")
    order = apps.get_model("orders", "Order").objects.filter(number=OuterRef("order_number"))
    use.objects.filter(state="reserved").update(pay_by=Subquery(order.values("payment_due_at")[:1]))
    unpaid = use.objects.filter(offer=OuterRef("pk"), state="reserved").order_by().values("offer")
    first = unpaid.annotate(first=Min("pay_by")).values("first")
    offer.objects.filter(state="reserved").update(free_from=Subquery(first))


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_demands_are_tickets"), ("orders", "0008_due_columns")]

    operations = [
        migrations.AddField("privateoffer", "free_from", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "privateoffer",
            "written_for",
            models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField("offeruse", "pay_by", models.DateTimeField(blank=True, null=True)),
        migrations.RunPython(keep_deadlines, migrations.RunPython.noop),
    ]
