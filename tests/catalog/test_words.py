"""Words as search compares them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.rules import words

letters = st.text(alphabet="abcdefgh", min_size=3, max_size=10)


def test_case_accents_and_punctuation_do_not_matter():
    assert words.normalised("Café-Röster (v2)!") == "cafe roster v2"
    assert words.normalised("ＤｏｃＦｌｏｗ") == "docflow"


def test_chinese_runs_stand_apart_from_latin_words():
    assert words.normalised("MySQL数据库 备份") == "mysql 数据库 备份"
    assert words.tokens_of("mysql 数据库") == ["mysql", "数", "据", "库", "数据", "据库"]


@given(st.text(max_size=60))
def test_normalising_twice_equals_once(text):
    once = words.normalised(text)
    assert words.normalised(once) == once


@given(letters, st.integers(0, 9), st.sampled_from("xyz"))
def test_every_single_typo_is_at_distance_one(word, place, letter):
    place = min(place, len(word) - 1)
    before, after = word[:place], word[place + 1 :]
    typos = [before + after, before + letter + word[place:], before + letter + after]
    for typo in typos:
        assert words.distance(word, typo) == 1
        assert word in words.one_typo_away(typo)


@given(letters, letters)
def test_distance_is_symmetric_and_zero_only_for_equals(one, other):
    assert words.distance(one, other) == words.distance(other, one)
    assert (words.distance(one, other) == 0) == (one == other)


def test_a_swap_of_neighbours_is_one_typo():
    assert words.distance("docflow", "dcoflow") == 1
    assert "docflow" in words.one_typo_away("dcoflow")


def test_short_words_are_not_corrected_and_long_ones_forgive_two_typos():
    assert words.closest("go", [("so", 9)]) is None
    assert words.closest("postgesr", [("postgres", 3), ("progress", 9)]) == "postgres"
    assert words.closest("kafak", [("kafka", 1), ("kaf", 50)]) == "kafka"


@given(st.text(max_size=40), st.text(max_size=10))
def test_marking_keeps_the_text(text, query):
    assert "".join(part for part, _hit in words.marked(text, query)) == text
