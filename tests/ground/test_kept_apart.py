"""What one test does to its thread does not reach the next: the second of these runs right after the first."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation


@pytest.mark.django_db
def test_a_request_in_chinese_leaves_its_thread_chinese() -> None:
    visitor = Client()
    visitor.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert visitor.get("/").status_code == 200
    assert translation.get_language() == "zh-hans"
    timezone.activate(ZoneInfo("Asia/Shanghai"))


def test_the_next_test_starts_in_the_language_and_time_zone_of_the_settings() -> None:
    assert translation.get_language() == settings.LANGUAGE_CODE
    assert str(timezone.get_current_timezone()) == settings.TIME_ZONE
