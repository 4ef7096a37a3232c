from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="PolicyChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField(db_index=True)),
                ("pack", models.CharField(max_length=20)),
                ("overrides", models.JSONField(blank=True, default=dict)),
                ("chosen_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "verbose_name": "policy choice",
                "verbose_name_plural": "policy choices",
                "ordering": ["-since", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("next_due_at", models.DateTimeField()),
                ("last_run_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scope", models.CharField(max_length=100)),
                ("operation", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("body_hash", models.CharField(max_length=64)),
                ("answer", models.JSONField(default=dict)),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("scope", "operation", "key"), name="idempotency_once")],
            },
        ),
        migrations.CreateModel(
            name="OutboxMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40)),
                ("key", models.CharField(max_length=200, unique=True)),
                ("payload", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("next_try_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "outgoing message",
                "verbose_name_plural": "outgoing messages",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)), fields=["next_try_at"], name="outbox_due"
                    ),
                    models.Index(
                        condition=models.Q(("parked_at__isnull", False)), fields=["-parked_at"], name="outbox_parked"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RehearsalClock",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("stands_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "rehearsal clock",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="rehearsal_clock_single")],
            },
        ),
        migrations.CreateModel(
            name="SweepFailure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sweep", models.CharField(max_length=80)),
                ("row_id", models.BigIntegerField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "parked sweep row",
                "verbose_name_plural": "parked sweep rows",
                "constraints": [models.UniqueConstraint(fields=("sweep", "row_id"), name="sweep_failure_once")],
            },
        ),
    ]
