from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.SeparateDatabaseAndState(
            # 0002 makes the table: Django knows no partitions.
            state_operations=[
                migrations.CreateModel(
                    name="Trace",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("trace_id", models.UUIDField(verbose_name="Trace ID")),
                        ("time", models.DateTimeField(verbose_name="Operated")),
                        ("record_time", models.DateTimeField(verbose_name="Recorded")),
                        ("account_id", models.BigIntegerField(null=True, verbose_name="Account")),
                        ("user_type", models.CharField(max_length=16, verbose_name="Role")),
                        ("user_id", models.BigIntegerField(null=True, verbose_name="User ID")),
                        ("user_name", models.CharField(blank=True, max_length=150, verbose_name="Operator")),
                        (
                            "user_account",
                            models.CharField(blank=True, max_length=150, verbose_name="Operator's account"),
                        ),
                        ("user_is_root", models.BooleanField(default=False, verbose_name="Root user")),
                        ("access_key", models.CharField(blank=True, max_length=64, verbose_name="Access Key")),
                        ("source_ip", models.CharField(blank=True, max_length=45, verbose_name="Source IP")),
                        ("resource_type", models.CharField(max_length=64, verbose_name="Resource Type")),
                        ("resource_id", models.CharField(blank=True, max_length=128, verbose_name="Resource ID")),
                        ("resource_name", models.CharField(blank=True, max_length=255, verbose_name="Resource Name")),
                        ("trace_name", models.CharField(max_length=64, verbose_name="Trace Name")),
                        (
                            "trace_rating",
                            models.CharField(
                                choices=[("normal", "normal"), ("warning", "warning"), ("incident", "incident")],
                                max_length=8,
                                verbose_name="Trace Status",
                            ),
                        ),
                        (
                            "trace_type",
                            models.CharField(
                                choices=[
                                    ("ConsoleAction", "ConsoleAction"),
                                    ("ApiCall", "ApiCall"),
                                    ("SystemAction", "SystemAction"),
                                ],
                                max_length=16,
                                verbose_name="Trace Type",
                            ),
                        ),
                        ("request", models.JSONField(default=dict, verbose_name="Request")),
                        ("response", models.JSONField(default=dict, verbose_name="Response")),
                        ("code", models.CharField(max_length=64, verbose_name="Code")),
                        ("message", models.TextField(blank=True, verbose_name="Message")),
                        ("request_id", models.CharField(blank=True, max_length=64, verbose_name="Request ID")),
                        ("read_only", models.BooleanField(default=False, verbose_name="Read only")),
                        (
                            "enterprise_project_id",
                            models.CharField(blank=True, max_length=64, verbose_name="Enterprise Project ID"),
                        ),
                        ("parent_trace", models.UUIDField(null=True, verbose_name="Parent trace")),
                    ],
                    options={
                        "verbose_name": "trace",
                        "verbose_name_plural": "traces",
                        "ordering": ["-time", "-id"],
                        "base_manager_name": "objects",
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="TraceDigest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account_id", models.BigIntegerField(verbose_name="Account")),
                ("number", models.PositiveIntegerField(verbose_name="Number")),
                ("start", models.DateTimeField(verbose_name="From")),
                ("end", models.DateTimeField(verbose_name="To")),
                ("count", models.PositiveIntegerField(verbose_name="Traces")),
                ("leaves", models.BinaryField()),
                ("leaves_hash", models.CharField(max_length=64)),
                ("previous_hash", models.CharField(blank=True, max_length=64)),
                ("hash", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=128)),
            ],
            options={
                "verbose_name": "trace digest",
                "verbose_name_plural": "trace digests",
                "ordering": ["account_id", "number"],
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(fields=("account_id", "number"), name="audit_digest_chain")],
            },
        ),
        migrations.CreateModel(
            name="TraceSeal",
            fields=[
                ("trace_id", models.UUIDField(primary_key=True, serialize=False)),
                ("account_id", models.BigIntegerField(null=True)),
                ("time", models.DateTimeField()),
                ("seal", models.CharField(max_length=64)),
            ],
            options={
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["account_id", "time"], name="audit_seal_account")],
            },
        ),
    ]
