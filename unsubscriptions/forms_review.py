"""HTTP in, clean values out: the seller's review. The operations judge."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from koogallery.kernel import files
from supervision.forms import FewFiles, Words


class ReviewForm(files.FilesForm):
    """What the seller says to a request, and what proves it; whether agreed or rejected is the button's to say."""

    comment = Words(label=gettext_lazy("Comment"), required=False, help_text=gettext_lazy("The customer sees it."))
    files = FewFiles(label=gettext_lazy("Evidence files"))  # type: ignore[assignment]
