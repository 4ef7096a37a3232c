"""Demands stand among the service tickets: those that were kept apart move there with their answers."""

from django.db import migrations

from koogallery.kernel import ids


def move(apps, schema_editor):
    demands = apps.get_model("catalog", "DemandRequest").objects.order_by("pk")
    ticket, message = apps.get_model("tickets", "Ticket"), apps.get_model("tickets", "TicketMessage")
    for demand in demands.iterator():
        is_answered = demand.state == "answered"
        moved = ticket.objects.create(
            number=ids.numbered("TK", at=demand.made_at),
            account_id=demand.account_id,
            user_id=demand.user_id,
            kind="demand",
            subject=demand.subject,
            state="resolved" if is_answered else "open",
            contact={"email": demand.email, "searched_for": demand.searched_for},
            opened_at=demand.made_at,
            changed_at=demand.answered_at or demand.made_at,
            resolved_at=demand.answered_at if is_answered else None,
        )
        message.objects.create(
            ticket=moved, at=demand.made_at, act="open", user_id=demand.user_id, text=demand.description
        )
        if is_answered:
            message.objects.create(ticket=moved, at=demand.answered_at, act="resolve", text=demand.answer)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_private_offers"), ("tickets", "0002_conversations_append_only")]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
        migrations.DeleteModel("DemandRequest"),
    ]
