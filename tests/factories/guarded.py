"""The base of every factory: rows of guarded models are arranged with the guard open."""

from __future__ import annotations

from typing import Any

import factory

from koogallery.kernel import guard


class GuardedFactory(factory.django.DjangoModelFactory):
    """Makes rows as an operation would be allowed to."""

    class Meta:
        abstract = True
        skip_postgeneration_save = True

    @classmethod
    def _create(cls, model_class: type, *args: Any, **kwargs: Any) -> Any:
        with guard.opened("factory"):
            return super()._create(model_class, *args, **kwargs)
