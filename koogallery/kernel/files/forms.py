"""The form field for files, and the form that knows whose they are.

    class RequestForm(files.FilesForm):
        files = files.FilesField(label=_("Attachment"))

    form = RequestForm(request.POST, request.FILES, call=request.call)

Cleaning stores what is accepted; a form that is shown again, for whatever reason, lists it as hidden inputs with a
Remove control, so that nothing must be sent twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.datastructures import MultiValueDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.calls import Call
from koogallery.kernel.files import receiving, storing
from koogallery.kernel.files.formats import ACCEPT, MAX_SIZE, SHOWN_LIMIT, SHOWN_TYPES
from koogallery.kernel.files.recording import Upload
from koogallery.kernel.reasons import Refused

KEPT, REMOVED = "-kept", "-removed"

HINT = format_lazy(_("Supported formats: {types}. Max. file size: {limit} MB."), types=SHOWN_TYPES, limit=SHOWN_LIMIT)
TOO_LARGE = format_lazy(_("larger than {limit} MB"), limit=SHOWN_LIMIT)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form brought for one field: new files, tokens of kept ones, and the digests to be removed."""

    files: Sequence[UploadedFile] = ()
    tokens: Sequence[str] = ()
    removed: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.tokens)


@dataclass(slots=True)
class Held:
    """The uploads that a form holds, with the tokens by which it finds them when it comes again."""

    uploads: dict[str, Upload] = field(default_factory=dict)

    def add(self, token: str, upload: Upload) -> None:
        """Hold an upload once, however often the same name and content came."""
        if upload not in self.uploads.values():
            self.uploads[token] = upload


class FilesInput(forms.ClearableFileInput):
    """Choose several files; what is kept already stands above with a Remove control."""

    template_name = "components/forms/files.html"
    allow_multiple_selected = True
    needs_multipart_form = True

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        told = {"accept": ACCEPT, "data-max-size": str(MAX_SIZE), "data-too-large": TOO_LARGE}
        super().__init__({**told, **(attrs or {})})
        self.held = Held()

    def __deepcopy__(self, memo: Any) -> FilesInput:
        copied = super().__deepcopy__(memo)
        copied.held = Held()
        return copied

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Sent:
        return Sent(files=_all(files, name), tokens=_all(data, name + KEPT), removed=_all(data, name + REMOVED))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in files and name + KEPT not in data

    def use_required_attribute(self, initial: Any) -> bool:
        return False

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = forms.Widget.get_context(self, name, None, attrs)
        context["widget"]["kept_name"], context["widget"]["removed_name"] = name + KEPT, name + REMOVED
        context["widget"]["kept"] = [
            {"token": token, "name": upload.name, "size": filesizeformat(upload.size), "digest": upload.sha256}
            for token, upload in self.held.uploads.items()
        ]
        return context


def _all(data: Any, name: str) -> list[Any]:
    if hasattr(data, "getlist"):
        return list(data.getlist(name))
    found = data.get(name) or []
    return list(found) if isinstance(found, list | tuple) else [found]


class FilesField(forms.Field):
    """Up to `max_files` files, cleaned to a list of stored `Upload`s; `sealed` ones are encrypted at rest."""

    widget = FilesInput

    def __init__(self, *, max_files: int = receiving.MAX_FILES, sealed: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("help_text", HINT)
        super().__init__(**kwargs)
        self.max_files, self.sealed = max_files, sealed
        self.owner: int | None = None
        self.key = ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)

    def clean(self, value: Any) -> list[Upload]:
        """The uploads that are kept and those that came; what is accepted stays with the form, whatever is refused."""
        sent = value if isinstance(value, Sent) else Sent()
        widget: FilesInput = self.widget  # type: ignore[assignment]
        held = widget.held
        for token in sent.tokens:
            upload = receiving.kept(token, owner=self.owner)
            if upload is not None and upload.sealed == self.sealed and upload.sha256 not in sent.removed:
                held.add(token, upload)
        errors = self._receive(sent.files, held)
        if errors:
            raise ValidationError(errors)
        uploads = list(held.uploads.values())
        if self.required and not uploads:
            raise ValidationError(self.error_messages["required"], code="required")
        return uploads

    def _receive(self, files: Sequence[UploadedFile], held: Held) -> list[ValidationError]:
        errors: dict[str, ValidationError] = {}
        try:
            receiving.check_count(len(files) + len(held.uploads), max_files=self.max_files)
        except Refused as refused:
            return [ValidationError(refused.sentence, code=refused.code)]
        for file in files:
            try:
                upload = receiving.examine(file, owner=self.owner, key=self.key, sealed=self.sealed)
                storing.put(file, key=upload.key, sealed=upload.sealed)
            except Refused as refused:
                errors.setdefault(refused.sentence, ValidationError(refused.sentence, code=refused.code))
                continue
            held.add(receiving.keep_token(upload, owner=self.owner), upload)
        return list(errors.values())


class FilesForm(forms.Form):
    """A form with files; `call` says whose they are and under which key of the form they lie."""

    def __init__(self, *args: Any, call: Call, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for each in self.fields.values():
            if isinstance(each, FilesField):
                each.owner, each.key = call.account_id, call.idempotency_key


def refuse_form(form: forms.Form, refused: Refused) -> None:
    """Say in a form why it is refused whatever it holds; files sent with it are not looked at."""
    form.files = MultiValueDict()
    form.add_error(None, ValidationError(refused.sentence, code=refused.code))
