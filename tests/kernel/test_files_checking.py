"""Which files are accepted: names, extensions, sizes and contents (supervision.md)."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import UploadedFile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from koogallery.kernel.files import checking
from koogallery.kernel.files.formats import FORMATS, MAX_SIZE
from koogallery.kernel.reasons import Refused
from tests.factories.files import CONTENTS, PDF, office, ole2, sent, zipped


def refusal(name: str, content: bytes = PDF) -> Refused:
    """The refusal of a file; fails when it is accepted."""
    with pytest.raises(Refused) as refused:
        checking.check(sent(name, content))
    return refused.value


def test_the_accepted_types_are_those_of_the_guide() -> None:
    assert list(FORMATS) == "bmp jpg jpeg png gif doc docx xls xlsx ppt pptx pdf rar zip".split()  # noqa: SIM905
    assert MAX_SIZE == 52_428_800


@pytest.mark.parametrize("extension", CONTENTS)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_every_accepted_type_passes_in_any_case(extension: str, case: object) -> None:
    name = f"file.{case(extension)}"  # type: ignore[operator]
    assert checking.check(sent(name, CONTENTS[extension])) == (name, FORMATS[extension])


@pytest.mark.parametrize("extension", CONTENTS)
def test_no_type_accepts_a_program_a_page_or_text(extension: str) -> None:
    for content in (b"MZ\x90\x00" + b"\0" * 600, b"<html><script>alert(1)</script></html>", b"plain words\n" * 90):
        assert refusal(f"file.{extension}", content).code == "file_content"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.docx", CONTENTS["zip"]),
        ("a.docx", office("xl")),
        ("a.xlsx", office("word")),
        ("a.pptx", zipped(["ppt/slide.xml"])),
        ("a.docx", office("word", "word/vbaProject.bin")),
        ("a.docx", CONTENTS["doc"]),
        ("a.doc", CONTENTS["xls"]),
        ("a.xls", CONTENTS["ppt"]),
        ("a.ppt", CONTENTS["doc"]),
        ("a.doc", ole2("SummaryInformation", "Tables")),
        ("a.doc", ole2("__properties_version1.0", inside=["WordDocument"])),
        ("a.doc", ole2()),
        ("a.doc", CONTENTS["doc"][:512]),
        ("a.doc", CONTENTS["doc"][:-2000]),
        ("a.doc", CONTENTS["docx"]),
        ("a.doc", CONTENTS["doc"][:100]),
        ("a.png", CONTENTS["jpg"]),
        ("a.jpg", CONTENTS["png"]),
        ("a.png", CONTENTS["png"][:-20]),
        ("a.gif", b"GIF89a"),
        ("a.zip", b"PK\x03\x04" + b"\0" * 60),
        ("a.zip", b"MZ" + CONTENTS["zip"]),
        ("a.rar", b"Rar!" + b"\0" * 20),
        ("a.pdf", b"MZ\x90" + PDF),
        ("a.pdf", CONTENTS["zip"]),
    ],
)
def test_content_must_be_what_the_extension_says(name: str, content: bytes) -> None:
    assert refusal(name, content).code == "file_content"


def test_an_old_workbook_and_what_has_other_objects_inside_are_what_they_say() -> None:
    assert checking.check(sent("a.xls", ole2("Book")))[1] is FORMATS["xls"]
    assert checking.check(sent("a.doc", ole2("WordDocument", inside=["Workbook"])))[1] is FORMATS["doc"]
    assert checking.check(sent("a.doc", ole2("WordDocument", size=700)))[1] is FORMATS["doc"]
    assert refusal("a.xls", ole2("WordDocument", inside=["Workbook"])).code == "file_content"


@pytest.mark.parametrize("number", [0, 1, 2, 126, 127, 0xFFFFFFF0, 0xFFFFFFFE])
def test_a_container_cut_off_or_going_round_in_circles_is_refused_without_a_fault(number: int) -> None:
    whole = CONTENTS["doc"]
    for length in range(0, len(whole) - 512, 97):
        assert not FORMATS["doc"].matches(io.BytesIO(whole[:length]))
    for at in (44, 48, 68, 72, 76, 512, 516, 1024 + 68, 1024 + 76, 1024 + 128 + 116):
        FORMATS["doc"].matches(io.BytesIO(whole[:at] + number.to_bytes(4, "little") + whole[at + 4 :]))


def test_a_directory_too_large_to_be_read_is_no_office_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koogallery.kernel.files.formats.MAX_DIRECTORY", 100)
    assert refusal("a.docx", CONTENTS["docx"]).code == "file_content"


def test_a_picture_with_very_many_dots_is_still_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    assert checking.check(sent("scan.png"))[1] is FORMATS["png"]


@pytest.mark.parametrize(
    "name",
    [
        "invoice.pdf.exe", "a.php.jpg", "x.exe.pdf", "a.PHP.jpg", "report.docx.pdf", "a.pdf.pdf", "a.exe .pdf",
        "a.jsp.v2.pdf", "a.tar.zip", "shell.php5.png", "a.exe..pdf", "a.ex\u200be.pdf", "a.php\u202e.pdf",
    ],
)  # fmt: skip
def test_names_with_two_extensions_are_refused(name: str) -> None:
    assert refusal(name).code == "file_double_extension"


@pytest.mark.parametrize(
    "name", ["v1.2 report.pdf", "2026.11.22.pdf", "Dr. Li.pdf", "合同.第2版.pdf", "report v1.0.pdf", "…pdf.pdf"]
)
def test_names_with_dots_that_are_no_extension_are_fine(name: str) -> None:
    assert checking.check(sent(name, PDF))[0] == name


@pytest.mark.parametrize("name", ["tool.exe", "page.html", "drawing.svg", "pdf", "report", "notes.txt", "a.docm"])
def test_other_types_are_refused_and_the_accepted_ones_are_named(name: str) -> None:
    refused = refusal(name)
    assert refused.code == "file_type"
    assert refused.params["name"] == name
    assert "PDF" in refused.sentence


def test_an_empty_file_is_refused() -> None:
    assert refusal("a.pdf", b"").code == "file_empty"


def test_the_limit_itself_is_accepted_and_one_byte_more_is_not() -> None:
    def of_size(size: int) -> UploadedFile:
        return UploadedFile(io.BytesIO(PDF), name="a.pdf", size=size)

    assert checking.check(of_size(MAX_SIZE))[0] == "a.pdf"
    with pytest.raises(Refused) as refused:
        checking.check(of_size(MAX_SIZE + 1))
    assert refused.value.sentence == "a.pdf is larger than 50.0 MB."


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/a.pdf", "a.pdf"),
        ("C:\\Users\\me\\a.pdf", "a.pdf"),
        ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie: x.pdf"),
        ("  a   b .pdf ", "a b .pdf"),
        ("a.pdf...", "a.pdf"),
        ("", "file"),
        ("..", "file"),
        ("\x00", "file"),
        ("e\u0301.pdf", "é.pdf"),
        ("验收 证明.pdf", "验收 证明.pdf"),
    ],
)
def test_names_lose_paths_and_what_cannot_be_seen(name: str, cleaned: str) -> None:
    assert checking.clean_name(name) == cleaned


def test_a_long_name_keeps_its_extension() -> None:
    name = checking.clean_name("长" * 400 + ".pdf")
    assert len(name) == 200
    assert name.endswith("长.pdf")


@given(st.text(max_size=300))
def test_cleaning_any_name_gives_a_safe_one_and_twice_gives_the_same(name: str) -> None:
    cleaned = checking.clean_name(name)
    assert 0 < len(cleaned) <= 200
    assert "/" not in cleaned
    assert "\\" not in cleaned
    assert cleaned.isprintable()
    assert checking.clean_name(cleaned) == cleaned
