"""Operations of notifications; other apps call `notify`, `notify_many` and `mail`."""

from koogallery.notifications.operations.choosing import choose
from koogallery.notifications.operations.notifying import Notice, mail, notify, notify_many
from koogallery.notifications.operations.reading import read, read_all

__all__ = ["Notice", "choose", "mail", "notify", "notify_many", "read", "read_all"]
