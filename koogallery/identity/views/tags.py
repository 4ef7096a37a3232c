"""Predefined tags."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.identity import queries
from koogallery.identity.forms import TagForm
from koogallery.identity.models import PredefinedTag
from koogallery.identity.operations import tags
from koogallery.identity.views.framing import framed
from koogallery.kernel.lists import Action, Column, Empty, ListPage, Search, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page
from koogallery.kernel.reasons import Refused


def _actions(tag: PredefinedTag, request: HttpRequest) -> list[Action]:
    return [
        Action(
            _("Delete"),
            reverse("identity:delete_tag", args=[tag.pk]),
            post=True,
            danger=True,
            confirm=_("The tag %(tag)s is no longer offered for choice; resources that have it keep it.")
            % {"tag": str(tag)},
            refused=may(request.call, "deletePredefinedTag"),
        )
    ]


TAGS = ListPage(
    name="tags",
    caption=gettext_lazy("Predefined tags"),
    columns=(
        Column("key", gettext_lazy("Key"), sort="key", strong=True, hideable=False),
        Column("value", gettext_lazy("Value"), sort="value"),
        Column("created_at", gettext_lazy("Created"), sort="created_at"),
        actions(_actions),
    ),
    search=Search(("key", "value"), placeholder=gettext_lazy("Key, value")),
    default_sort="key",
    empty=Empty(
        gettext_lazy("No predefined tags yet"), gettext_lazy("Tags added here can be picked when something is bought.")
    ),
)


@page(audience="buyer", operations=["createPredefinedTag"])
def tag_list(request: HttpRequest) -> HttpResponseBase:
    """The account's predefined tags, with a form for one more."""
    form = TagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        tag = attempt(form, lambda: tags.create_tag(request.call, **form.cleaned_data))
        if tag is not None:
            messages.success(request, _("The tag %(tag)s is offered for choice.") % {"tag": str(tag)})
            return HttpResponseRedirect(reverse("identity:tags"))
    context = {"page": framed(_("Tags")), "form": form, "refused": may(request.call, "createPredefinedTag")}
    return TAGS.respond(request, queries.predefined_tags(request.call.account), "identity/tags.html", context)


@page(audience="buyer", operations=["deletePredefinedTag"])
def delete_tag(request: HttpRequest, number: int) -> HttpResponse:
    """Delete a predefined tag."""
    if request.method == "POST":
        try:
            tags.delete_tag(request.call, tag=str(number))
            messages.success(request, _("The tag is deleted."))
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("identity:tags"))
