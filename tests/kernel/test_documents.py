"""A document says in its PDF what it was told, in both scripts, and nothing in it is more than text."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import zxingcpp
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from koogallery import clock
from koogallery.kernel.documents import Column, Document, Fact, Party, Table
from koogallery.kernel.money import Money

AT = datetime(2027, 1, 5, 3, 4, 5, tzinfo=UTC)
LINK = "https://koogallery.example/console/bills/MB2701/"


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def bill(**changes: Any) -> Document:
    values: dict[str, Any] = {
        "title": "Milestone bill",
        "number": "MB202701050001",
        "language": "en",
        "issued_at": AT,
        "issuer": Party("KooGallery", ["1 Cloud Street, Singapore"]),
        "recipient": Party("北京云图科技有限公司 (Yuntu) 张䶮", ["Michał, 北京市朝阳区"]),
        "facts": [Fact("Due", datetime(2027, 2, 4, 15, 59, 59, tzinfo=UTC)), Fact("Day", date(2027, 1, 5))],
        "tables": [
            Table(
                columns=[
                    Column("Description", weight=3),
                    Column("Share", numeric=True),
                    Column("Amount", numeric=True),
                ],
                rows=[["Cloud migration 云迁移服务", "40 %", usd("12345.6")], ["第二阶段", None, usd("-0.6")]],
                totals=[("Subtotal", usd("12345")), ("Total", usd("12345"))],
            )
        ],
        "notes": ["Repay in full. 请全额还款。"],
        "footer": "KooGallery, support",
    }
    return Document(**{**values, **changes})


def reader_of(document: Document) -> PdfReader:
    return PdfReader(io.BytesIO(document.pdf()))


def text_of(document: Document) -> str:
    return "\n".join(page.extract_text() for page in reader_of(document).pages)


def test_its_text_can_be_searched_in_both_scripts() -> None:
    text = text_of(bill())
    for words in (
        "Milestone bill",
        "MB202701050001",
        "北京云图科技有限公司 (Yuntu) 张䶮",
        "Michał, 北京市朝阳区",
        "Cloud migration 云迁移服务",
        "Repay in full. 请全额还款。",
        "USD 12,345.60",
        "USD -0.60",
        "Page 1 of 1",
    ):
        assert words in text


def test_moments_name_the_zone_in_force_and_nothing_is_a_dash() -> None:
    text = text_of(bill())
    assert "Feb 04, 2027 23:59:59 GMT+08:00" in text
    assert "Jan 05, 2027 11:04:05 GMT+08:00" in text
    assert re.search(r"第二阶段\s+—\s+USD", text)
    with timezone.override("Europe/Berlin"):
        assert "Feb 04, 2027 16:59:59 GMT+01:00" in text_of(bill())


def test_numbers_stand_right_under_each_other() -> None:
    starts: dict[str, float] = {}

    def visit(text: str, matrix: Any, _text_matrix: Any, _font: Any, _size: Any) -> None:
        if "USD" in text:
            starts[text.strip()] = matrix[4]

    reader_of(bill()).pages[0].extract_text(visitor_text=visit)
    (long,) = [place for text, place in starts.items() if "12,345.60" in text]
    (short,) = [place for text, place in starts.items() if "-0.60" in text]
    assert short > long + 10


def test_equal_documents_give_equal_bytes_and_others_do_not() -> None:
    assert bill().pdf() == bill().pdf()
    assert bill().pdf() != bill(number="MB202701050002").pdf()


def test_it_is_a_tagged_a4_page_that_names_itself_its_language_and_its_moment() -> None:
    for language, tag in (("en", "en"), ("zh-hans", "zh-CN")):
        reader = reader_of(bill(language=language))
        assert [round(float(length)) for length in reader.pages[0].mediabox[2:]] == [595, 842]
        assert reader.metadata is not None
        assert reader.metadata.title == "Milestone bill MB202701050001"
        assert reader.metadata.author == "KooGallery"
        assert reader.metadata.creation_date == AT
        root = reader.root_object
        assert root["/Lang"] == tag
        assert root["/MarkInfo"]["/Marked"]
        assert b"pdfuaid:part" in root["/Metadata"].get_object().get_data()


def test_a_moment_between_two_seconds_is_dated_to_the_second_before() -> None:
    told = reader_of(bill(issued_at=AT.replace(microsecond=931_985))).metadata
    assert told is not None
    assert told.creation_date == AT.replace(microsecond=0)


def test_every_font_is_embedded_as_a_subset() -> None:
    fonts = reader_of(bill()).pages[0]["/Resources"]["/Font"]
    assert fonts
    for font in fonts.values():
        (descendant,) = font.get_object()["/DescendantFonts"]
        descriptor = descendant.get_object()["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)
        assert re.match(r"/[A-Z]{6}\+", descriptor["/FontName"])
    assert len(bill().pdf()) < 60_000


def test_what_people_type_is_never_read_as_markup() -> None:
    hostile = '#panic("x") *bold* $x$ \\u{41} <b> //c = h "quoted" `code` @ref ~ #read("/etc/passwd")'
    text = text_of(bill(title=hostile, notes=[hostile], footer=hostile))
    assert '#panic("x") *bold* $x$ \\u{41} <b> //c' in text
    assert "root:" not in text


def test_long_words_break_without_a_trace_in_what_is_copied() -> None:
    token = "0123456789abcdef" * 8
    text = text_of(bill(facts=[Fact("Digest", token)], number="12,345.60"))
    assert token in text.replace("\n", "")
    assert text.count("USD 12,345.60") == 1
    assert "\u200b" not in text


def test_many_rows_go_over_pages_under_a_repeated_head() -> None:
    rows = [[f"Line {number}", "1", usd("1")] for number in range(120)]
    (table,) = bill().tables
    reader = reader_of(bill(tables=[replace(table, rows=rows)]))
    pages = [page.extract_text() for page in reader.pages]
    assert len(pages) > 2
    for number, page in enumerate(pages[:-1], start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Share" in page
    assert all(any(re.search(rf"Line {number}\b", page) for page in pages) for number in range(120))


def test_its_link_can_be_clicked_and_scanned() -> None:
    page = reader_of(bill(link=LINK, link_label="Open this bill")).pages[0]
    (annotation,) = page["/Annots"]
    assert annotation.get_object()["/A"]["/URI"] == LINK
    assert "Open this bill" in page.extract_text()
    assert decoded_code(page) == LINK


def decoded_code(page: Any) -> str:
    """What the code on a page says: its modules, drawn again from the bars in the page's content."""
    content = page.get_contents().get_data().decode("latin-1")
    bars = re.findall(r"(\d+) (\d+) m (\d+) \2 l ", content)
    modules = [(x, int(top)) for left, top, right in bars[1:] for x in range(int(left), int(right))]
    size = max(max(place) for place in modules) + 5
    picture = Image.new("L", (size, size), 255)
    for place in modules:
        picture.putpixel(place, 0)
    (code,) = zxingcpp.read_barcodes(picture.resize((size * 4, size * 4)))
    return code.text


def test_a_letter_that_no_font_has_stops_no_document() -> None:
    text = text_of(bill(notes=["한글 and 😀 remain"]))
    assert "remain" in text


def test_orders_to_turn_text_around_and_control_characters_are_left_out() -> None:
    text = text_of(bill(number="MB\u202e12\x0034\u2066", notes=["one\ttwo\r\nthree"]))
    assert "MB1234" in text
    assert "one two" in text
    assert "three" in text


@settings(max_examples=25)
@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_makes_a_document(words: str, label: str) -> None:
    table = Table([Column(label), Column(label, numeric=True)], [[words, words]], [(label, usd("1"))], title=words)
    document = bill(
        title=words, facts=[Fact(label, words)], notes=[words], tables=[table], recipient=Party(words, [words])
    )
    assert document.pdf().startswith(b"%PDF-")


def test_what_cannot_be_shown_is_an_error() -> None:
    with pytest.raises(ValueError, match="columns"):
        Table([], [])
    with pytest.raises(ValueError, match="2 cells"):
        Table([Column("a"), Column("b")], [["one"]])
    with pytest.raises(ValueError, match="zone"):
        bill(issued_at=datetime(2027, 1, 5)).pdf()


def test_a_bill_takes_little_time_and_leaves_little_behind() -> None:
    bill().pdf()
    before = _resident()
    for number in range(60):
        bill(number=f"MB{number}").pdf()
    assert _resident() - before < 15_000
    began = clock.real_now()
    for number in range(10):
        bill(number=f"MC{number}").pdf()
    assert (clock.real_now() - began).total_seconds() / 10 < 0.3


def _resident() -> int:
    """Kilobytes of memory that this process holds."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
