from koogallery.notifications.models.choice import MessageChoices
from koogallery.notifications.models.message import Message
from koogallery.notifications.models.sent import SentMessage

__all__ = ["Message", "MessageChoices", "SentMessage"]
