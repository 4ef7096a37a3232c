from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_orderline_milestones_resource_license_key")]

    operations = [
        migrations.AddIndex(
            model_name="resource",
            index=models.Index(fields=["account", "-purchased_at"], name="resource_by_purchase"),
        ),
    ]
