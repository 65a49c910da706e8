"""The whole report as one PDF."""

import io
import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pypdf import PdfReader
from pypdf.generic import Destination

from auditlib import pdf, summary
from auditlib.branding import Branding
from auditlib.cli import main
from auditlib.errors import ReportError
from auditlib.pseudonyms import Pseudonyms
from auditlib.report import report
from auditlib.snapshot import save
from tests import report_worlds, worlds

try:
    import weasyprint  # noqa: F401 # whether the system has what it needs
except OSError as error:
    if os.environ.get("AUDITLIB_REQUIRE_BROWSER"):
        raise
    pytest.skip(f"WeasyPrint lacks a library of the system: {error}", allow_module_level=True)

BRANDING = Branding(
    consultant="Kaede & <b>Söhne</b>", client="例示ホールディングス", contact="x@example.com"
)
JAPANESE = "営業部の端末"
TITLE = "Client VPN audit"
SECTION = "Security groups of the endpoints"


def world() -> worlds.World:
    """Return a small world with a name in Japanese."""
    made = worlds.exposed()
    made.security_group(made.vpc("10.7.0.0/16"), "default-2")
    made.record(made.endpoint(name=JAPANESE))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("paper")
    save(world().snapshot(**report_worlds.MOMENT), place / "snapshot")
    return place


@pytest.fixture(scope="module")
def made(folder):
    return report(folder / "snapshot", folder / "out", ["10"], branding=BRANDING)


@pytest.fixture(scope="module")
def paper(made, folder) -> Path:
    """Return the PDF of a page and of a cover without the cards that the page does not hold."""
    index = made.index.read_text("utf-8")
    begin, end = index.index('<h2 id="further"'), index.index('<h2 id="files"')
    (page,) = made.pages
    pages = [
        ("index.html", TITLE, index[:begin] + index[end:]),
        (page.name, SECTION, page.read_text("utf-8")),
    ]
    path = folder / "report.pdf"
    path.write_bytes(pdf.pdf_bytes(pages, frame(made)))
    return path


def frame(made, branding: Branding | None = BRANDING) -> dict[str, object]:
    identity = summary.identity(made.audit)
    return {"identity": identity, "branding": branding, "lang": "en", "title": TITLE}


@pytest.fixture(scope="module")
def read(paper) -> PdfReader:
    return PdfReader(paper)


@pytest.fixture(scope="module")
def texts(read) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in read.pages]


def titles(outline, depth: int = 1) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for item in outline:
        if isinstance(item, Destination):
            found.append((depth, str(item.title)))
        else:
            found += titles(item, depth + 1)
    return found


def test_every_page_of_the_report_and_every_card_on_it_has_a_bookmark(made, read):
    marks = titles(read.outline)
    assert [title for depth, title in marks if depth == 1] == [
        TITLE,
        SECTION,
    ]
    told = {title for _, title in marks}
    html = made.pages[0].read_text("utf-8")
    cards = {summary.headline(f) for f in made.audit.findings if f'id="{f.check.id}"' in html}
    assert len(cards) > 10
    assert cards <= told
    assert "The verdict" in told


def test_bookmarks_and_links_lead_to_pages_of_the_file_or_to_https(read):
    for page in read.pages:
        for annotation in page.get("/Annots", ()):
            link = annotation.get_object()
            action = link.get("/A", {})
            if "/URI" in action:
                assert action["/URI"].startswith("https://")
            else:
                assert "/Dest" in link or "/D" in action
    assert len(read.named_destinations) > 20


def test_the_fonts_are_in_the_file_and_japanese_can_be_read_in_it(read, texts):
    fonts = {}
    for page in read.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            fonts[str(inner["/BaseFont"])] = inner["/FontDescriptor"].get_object()
    assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts.values())
    names = {name.partition("+")[2] for name in fonts}
    assert {"DejaVu-Sans", "DejaVu-Sans-Bold", "DejaVu-Sans-Mono", "IPAexGothic"} <= names
    assert {name.split("-")[0] for name in names} == {"DejaVu", "IPAexGothic"}
    assert JAPANESE in "".join(texts).replace(" ", "")
    assert "例示ホールディングス" in texts[0].replace(" ", "")


def test_pages_carry_running_titles_and_numbers(texts):
    many = len(texts)
    assert many > 10
    for number, text in enumerate(texts, 1):
        assert f"{number} / {many}" in text
        assert "Kaede & <b>Söhne</b> · auditlib" in text
    assert sum("Account 111122223333" in text for text in texts[1:]) == many - 1
    assert SECTION in texts[-1]


def test_the_contents_name_the_page_a_section_begins_at(texts):
    *_, first = (int(word) for word in texts[0].split(TITLE)[0].split() if word.isdigit())
    assert SECTION in texts[first - 1]
    assert SECTION not in texts[first - 2]


def test_the_contents_begin_with_what_the_cover_page_says(texts):
    cover = " ".join(texts[0].split())
    assert re.search("The verdict.*What to do first.*Findings by endpoint.*All checks", cover)
    assert "What is in this folder" not in cover


def test_paper_is_a4_or_letter(made, read):
    def size(page) -> tuple[int, int]:
        return round(page.mediabox.width), round(page.mediabox.height)

    assert {size(page) for page in read.pages} == {(595, 842)}
    letter = PdfReader(io.BytesIO(pdf.pdf_bytes([("a.html", "T", SMALL)], frame(made), "letter")))
    assert {size(page) for page in letter.pages} == {(612, 792)}


SMALL = '<main id="content"><p>x</p></main>'


def test_it_says_what_it_is_and_holds_no_path_and_no_script(paper, read):
    assert read.metadata is not None
    assert read.metadata.title == "Client VPN audit – 111122223333"
    assert read.metadata.author == BRANDING.consultant
    assert read.trailer["/Root"]["/Lang"] == "en"
    everything = paper.read_bytes() + "".join(
        str(read.get_object(number)) for number in range(1, len(read.xref[0]) + 1)
    ).encode("utf-8", "replace")
    for trace in (
        b"/JavaScript",
        b"/Launch",
        b"file:",
        sys.prefix.encode(),
        str(paper.parent).encode(),
    ):
        assert trace not in everything


def test_what_lies_beside_the_pages_is_not_told_of(texts):
    assert "What is in this folder" not in "".join(texts)
    assert "findings.xlsx" not in "".join(texts)


def test_nothing_is_loaded_from_outside():
    fetch = pdf._Fetcher()
    assert fetch("data:text/plain,x").read() == b"x"
    for url in (
        "https://example.com/x.png",
        "file:///etc/hostname",
        "http://127.0.0.1/",
        "ftp://x/",
    ):
        with pytest.raises(ValueError, match="disallowed"):
            fetch(url)


def test_links_and_anchors_are_moved_and_files_are_no_links():
    html = (
        '<main id="content"><h2 id="a">A</h2><a href="#a">1</a><a href="b.html#c">2</a>'
        '<a href="b.html">3</a><a href="findings.xlsx">4</a><a href="https://example.com/">5</a>'
        "<p> id=&#34;x&#34; </p></main>"
    )
    body = pdf._section(html, 1, {"a.html": 1, "b.html": 2})
    assert re.findall(r'(?:id|href)="[^"]*"', body) == [
        'id="p1-a"', 'href="#p1-a"', 'href="#p2-c"', 'href="#p2"', 'href="https://example.com/"',
    ]  # fmt: skip
    assert "<a>4</a>" in body
    assert "id=&#34;x&#34;" in body


def test_the_id_of_an_endpoint_breaks_between_its_parts_in_text_alone():
    id = "cvpn-endpoint-0123456789abcdef0"
    html = f'<main id="content"><p id="{id}">{id}</p><img alt="{id}"></main>'
    halves = 'cvpn-endpoint-<i class="half">0123456789abcdef0</i>'
    assert pdf._section(html, 1, {}) == f'<p id="p1-{id}">{halves}</p><img alt="{id}">'


def test_bold_japanese_has_an_outline_in_its_own_colour_and_nothing_after_it_has_one():
    text = [b"BT", b"/J 20 Tf", b"[<01>] TJ", b"/L 20 Tf", b"[<02>] TJ", b"ET"]
    before = [b"0 0 1 RG", b"3 w", b"1 0 0 rg"]
    assert [*pdf._outlined([*before, *text], {b"J"})] == [
        *before, *text[:2], b"2 Tr", b"1 0 0 RG", b"0.700 w", text[2],
        b"0 Tr", b"0 0 1 RG", b"3 w", *text[3:],
    ]  # fmt: skip
    ends = [*pdf._outlined([*text[:3], b"ET", b"S"], {b"J"})]
    assert ends[-5:] == [b"0 Tr", b"0 0 0 RG", b"1 w", b"ET", b"S"]
    assert [*pdf._outlined([*before, *text], set())] == [*before, *text]


def test_a_bold_name_in_japanese_is_outlined_in_the_file(read):
    drawn = b"".join(page.get_contents().get_data() for page in read.pages)
    outlined = re.findall(rb"\n2 Tr\n(.*?)\nET\n", drawn, re.DOTALL)
    assert outlined
    assert all(b"\n0 Tr\n" in text for text in outlined)


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """Return what PDFs are asked for, without making them."""
    found: list[tuple] = []

    def recorded(*arguments):
        found.append(arguments)
        return b"%PDF-"

    monkeypatch.setattr("auditlib.report.pdf_bytes", recorded)
    return found


def test_a_report_makes_it_of_the_pages_it_writes_and_one_without_takes_it_away(folder, asked):
    made = report(folder / "snapshot", folder / "again", ["10"], pdf="letter")
    assert (made.folder / "report.pdf").read_bytes() == b"%PDF-"
    assert 'href="report.pdf"' in made.index.read_text("utf-8")
    ((pages, _, size),) = asked
    assert size == "letter"
    assert [(file, html) for file, _, html in pages] == [
        (path.name, path.read_text("utf-8")) for path in (made.index, *made.pages)
    ]
    again = report(folder / "snapshot", folder / "again", ["10"])
    assert not (again.folder / "report.pdf").exists()
    assert "report.pdf" not in again.index.read_text("utf-8")


def test_a_redacted_one_names_nobody(folder, asked):
    names = Pseudonyms(b"k" * 32)
    made = report(
        folder / "snapshot",
        folder / "redacted",
        ["10"],
        branding=BRANDING,
        pdf="a4",
        redaction=names,
    )
    ((pages, given, _),) = asked
    text = "".join(html for _, _, html in pages)
    for one in ("111122223333", "10.0.1.", JAPANESE, "例示", "legacy", "cvpn-endpoint-0000"):
        assert one not in text
    assert given["branding"] == BRANDING.without_client
    read = PdfReader(io.BytesIO(pdf.pdf_bytes([("a.html", "T", SMALL)], frame(made, None))))
    assert "(redacted)" in read.pages[1].extract_text()


@pytest.mark.parametrize("package", ["weasyprint", "matplotlib_fontja"])
def test_without_the_extra_it_is_refused_before_anything_runs(package, folder, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(pdf, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(ReportError, match=re.escape("pip install 'auditlib[pdf]'")):
        report(folder / "nowhere", folder / "none", pdf="a4")
    done = CliRunner().invoke(
        main, ["report", str(folder / "nowhere"), "--out", str(folder / "none"), "--pdf"]
    )
    assert done.exit_code == 2
    assert done.output.count("\n") == 1


def test_without_pango_it_says_what_to_install(folder, monkeypatch):
    import builtins

    real = builtins.__import__

    def broken(name, *more, **named):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ReportError, match="libpangoft2"):
        pdf.refuse_without_weasyprint()
