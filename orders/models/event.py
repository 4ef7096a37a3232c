"""The timeline of an order, as buyer and seller see it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from orders.models.order import Order
from orders.states import OrderStep


class OrderEvent(GuardedModel):
    """Something that happened to an order. `actor` is a name, empty for the platform; `note` is shown as written."""

    order = models.ForeignKey(
        Order, models.PROTECT, related_name="events", verbose_name=_("order"), db_index=False, db_constraint=False
    )
    at = models.DateTimeField(_("time"))
    step = models.CharField(_("step"), max_length=20, choices=OrderStep)
    actor = models.CharField(_("by"), max_length=150, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["order", "at"], name="event_of_order")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.step}"

    @property
    def step_enum(self) -> OrderStep:
        """The step as an enum."""
        return OrderStep(self.step)
