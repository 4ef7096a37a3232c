"""How Django's forms are drawn: every field through `components/forms/field.html`."""

from __future__ import annotations

from django.forms.renderers import TemplatesSetting


class DesignRenderer(TemplatesSetting):
    """`{{ form }}` is the error summary and the fields; `{{ form.x.as_field_group }}` one field."""

    form_template_name = "components/forms/form.html"
    field_template_name = "components/forms/field.html"
    formset_template_name = "components/forms/formset.html"
