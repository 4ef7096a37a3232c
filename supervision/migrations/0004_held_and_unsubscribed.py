"""Flows whose completion waits while their order may be given back, and flows that end with it.

No lock lasts: constraints are checked after they are there, indexes are built beside running work.
"""

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.models import Q

STEPS = [
    ("submit", "Customer submits request"),
    ("review", "Seller accepts request"),
    ("provide", "Seller provides service"),
    ("accept", "Customer accepts service"),
    ("hand_over", "Waiting for the seller to provide the service"),
    ("ship", "Waiting for the seller to ship"),
    ("confirm", "Waiting for the user to confirm acceptance"),
    ("accepted", "Accepted, about to be completed"),
    ("completed", "Service completed"),
    ("canceled", "Canceled"),
    ("unsubbed", "Unsubscribed"),
]
KINDS = [
    ("opened", "Service flow opened"),
    ("submit_request", "Request submitted"),
    ("accept_request", "Request accepted"),
    ("reject_request", "Request rejected"),
    ("deliver", "Service delivered"),
    ("accept_part", "Milestone accepted"),
    ("accept", "Service accepted"),
    ("reject", "Service rejected"),
    ("complete", "Service completed"),
    ("remind", "Seller reminded"),
    ("appeal", "Appeal initiated"),
    ("withdraw", "Appeal withdrawn"),
    ("propose", "Decision waits for a second signature"),
    ("decline", "Second signature declined"),
    ("decide", "Appeal decided"),
    ("close", "Closing date reached, flow frozen"),
    ("cancel", "Order canceled"),
    ("unsub_asked", "Unsubscription requested"),
    ("unsub_over", "Unsubscription request over, the service goes on"),
    ("unsubscribed", "Unsubscribed"),
]
OVER = ("completed", "canceled", "unsubbed")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("supervision", "0003_fewer_indexes")]
    operations = [
        migrations.AddField(
            "flow", "held_at", models.DateTimeField(blank=True, null=True, verbose_name="completion held")
        ),
        migrations.AlterField(
            "appeal",
            "restart_step",
            models.CharField(blank=True, choices=STEPS, max_length=10, verbose_name="restart from"),
        ),
        migrations.AlterField(
            "flow", "step", models.CharField(choices=STEPS, max_length=10, verbose_name="service status")
        ),
        migrations.AlterField(
            "flowrecord", "kind", models.CharField(choices=KINDS, max_length=20, verbose_name="operation")
        ),
        migrations.AlterField(
            "flowrecord", "step", models.CharField(choices=STEPS, max_length=10, verbose_name="step")
        ),
        RemoveIndexConcurrently("flow", "flow_completion_due"),
        AddIndexConcurrently(
            "flow",
            models.Index(
                fields=["completion_due_at"],
                name="flow_completion_due",
                condition=Q(completion_due_at__isnull=False, frozen_at__isnull=True, held_at__isnull=True),
            ),
        ),
        migrations.RemoveConstraint("flow", "flow_over_has_time"),
        AddConstraintNotValid(
            "flow",
            models.CheckConstraint(
                condition=Q(step__in=OVER, ended_at__isnull=False, frozen_at__isnull=True, held_at__isnull=True)
                | ~Q(step__in=OVER) & Q(ended_at__isnull=True),
                name="flow_over_has_time",
            ),
        ),
        ValidateConstraint("flow", "flow_over_has_time"),
    ]
