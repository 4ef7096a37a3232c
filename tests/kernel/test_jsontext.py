"""Canonical JSON is one text for one value, however quickly it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koogallery.kernel import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_text_is_what_the_general_encoder_writes_with_sorted_names(value: Any) -> None:
    assert jsontext.text(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_mappings_with_the_same_names_keep_their_own_values() -> None:
    first, second = {"b%s": "100 %", "a": 1}, {"a": True, "b%s": None}
    assert [jsontext.text(each) for each in (first, second)] == ['{"a":1,"b%s":"100 %"}', '{"a":true,"b%s":null}']


def test_names_that_are_no_texts_are_written_as_the_general_encoder_does() -> None:
    assert jsontext.text({2: "b", 1: "a"}) == '{"1":"a","2":"b"}'
    with pytest.raises(TypeError):
        jsontext.text({"moment": object()})
