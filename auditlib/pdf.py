"""The whole report as one PDF: the pages of the handoff, one after the other, on paper.

WeasyPrint sets it (the extra ``pdf``). It is made of the finished pages, so it cannot say anything
else than they do; it loads nothing but pictures inside them and the fonts it is given, which go
into the file: DejaVu Sans, which comes with matplotlib, and IPAex Gothic for Japanese.
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from auditlib import display
from auditlib.errors import ReportError
from auditlib.language import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PAPERS", "Paper", "pdf_bytes", "refuse_without_weasyprint"]

Paper = Literal["a4", "letter"]
PAPERS: tuple[Paper, ...] = ("a4", "letter")

# The families that pictures name too, so that they look the same whatever the system has.
_FACES = (
    ("DejaVu Sans", "normal", "normal", "DejaVuSans.ttf"),
    ("DejaVu Sans", "bold", "normal", "DejaVuSans-Bold.ttf"),
    ("DejaVu Sans", "normal", "italic", "DejaVuSans-Oblique.ttf"),
    ("DejaVu Sans Mono", "normal", "normal", "DejaVuSansMono.ttf"),
    ("DejaVu Sans Mono", "bold", "normal", "DejaVuSansMono-Bold.ttf"),
)
_JAPANESE = "ipaexg.ttf"
_ATTRIBUTE = re.compile(r' (?P<name>id|href|aria-labelledby|aria-describedby)="(?P<value>[^"]*)"')
# The id of an endpoint in text: a narrow column breaks it between its parts, which WeasyPrint would not.
_ENDPOINT = re.compile(r"(cvpn-endpoint-)([0-9a-f]{17})(?=[^<>]*<)")
_HEADING = re.compile(r'<h2 id="([^"]*)">(.*?)</h2>')
_MAIN = re.compile(r'<main id="content">(?P<body>.*)</main>', re.DOTALL)


def refuse_without_weasyprint() -> None:
    """Refuse where no PDF can be made, and say what to install.

    Raises
    ------
    ReportError
        When WeasyPrint, the Japanese font or the system's Pango is missing.
    """
    if find_spec("weasyprint") is None or find_spec("matplotlib_fontja") is None:
        raise ReportError(
            tr(
                "a PDF needs WeasyPrint and a Japanese font, which are not installed: pip install "
                "'auditlib[pdf]'"
            )
        )
    try:
        import weasyprint  # noqa: F401 # whether it can be
    except OSError as error:
        raise ReportError(
            tr(
                "a PDF needs Pango, a library of the system ({error}): on Debian, apt install "
                "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; elsewhere see WeasyPrint's first "
                "steps",
                error=error,
            )
        ) from error


def pdf_bytes(
    pages: Sequence[tuple[str, str, str]], frame: Mapping[str, object], paper: Paper = "a4"
) -> bytes:
    """Return the PDF of some pages.

    Parameters
    ----------
    pages
        File name, title and HTML of each, the cover first.
    frame
        What the frame of every page needs: ``identity``, ``branding``, ``lang``, ``title``.

    Raises
    ------
    ReportError
        When WeasyPrint is not installed.
    """
    refuse_without_weasyprint()
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    numbers = {file: number for number, (file, _, _) in enumerate(pages)}
    sections = [
        {"anchor": f"p{number}", "title": title, "body": _section(html, number, numbers)}
        for number, (_, title, html) in enumerate(pages)
    ]
    cover = [
        {"anchor": anchor, "title": Markup(title)}  # noqa: S704 # our own page
        for anchor, title in _HEADING.findall(sections[0]["body"])
        if anchor != "p0-files"
    ]
    text = display.render("pdf.html.j2", sections=sections, cover=cover, **frame)
    fetcher, fonts = _Fetcher(), FontConfiguration()
    styles = [
        CSS(string=one, font_config=fonts, url_fetcher=fetcher)
        for one in (
            _faces(),
            display.sheet(),
            _sheet(),
            f"@page {{ size: {paper} }}",
        )
    ]
    with _quiet():
        made = HTML(string=text, url_fetcher=fetcher, base_url=None).write_pdf(
            stylesheets=styles, font_config=fonts, pdf_tags=True, finisher=_emboldened
        )
    return bytes(made)


def _emboldened(_: Any, pdf: Any) -> None:
    """Give bold Japanese its weight: the font has none, so its letters are drawn with an outline too.

    Parameters
    ----------
    pdf
        The file that WeasyPrint made, before it is written.
    """
    named = (str(o.get("BaseFont")) for o in pdf.objects if isinstance(o, dict))
    bold = {found[1].encode() for name in named if (found := _BOLD.search(name))}
    for one in pdf.objects:
        if b"BT" in (operators := getattr(one, "stream", ())):
            one.stream = list(_outlined(operators, bold))


_BOLD = re.compile(r"/(\w+)\+IPAexGothic-Bold")
_OUTLINE = 0.035  # of the letters' size


def _outlined(operators: Iterable[object], bold: Container[bytes]) -> "Iterator[object]":
    """Yield a page's operators; what is set in a bold font is stroked as well, in the colour that fills it.

    Every text names its font anew, and strokes after it find the colour and width they had.

    >>> [*_outlined([b"1 0 0 rg", b"BT", b"/A 10 Tf", b"[<01>] TJ", b"ET"], {b"A"})][3:6]
    [b'2 Tr', b'1 0 0 RG', b'0.350 w']
    """
    fill, stroke, width = b"0 0 0 rg", b"0 0 0 RG", b"1 w"
    outlines = False
    for operator in operators:
        ends = outlines and operator == b"ET"
        if isinstance(operator, bytes) and operator.endswith(b" Tf"):
            name, size, _ = operator.split()
            ends = outlines and name[1:] not in bold
            if name[1:] in bold:
                yield operator
                yield from (b"2 Tr", fill[:-2] + b"RG", b"%.3f w" % (_OUTLINE * float(size)))
                outlines = True
                continue
        elif isinstance(operator, bytes):
            if operator.endswith(b" rg"):
                fill = operator
            elif operator.endswith(b" RG"):
                stroke = operator
            elif operator.endswith(b" w"):
                width = operator
        if ends:
            yield from (b"0 Tr", stroke, width)
            outlines = False
        yield operator


def _section(html: str, number: int, numbers: Mapping[str, int]) -> Markup:
    """Return what a page says, its anchors made its own and its links led to where they are now."""
    found = _MAIN.search(html)
    body = found["body"] if found else ""

    def moved(attribute: re.Match[str]) -> str:
        name, value = attribute["name"], attribute["value"]
        if name != "href":
            return f' {name}="{" ".join(f"p{number}-{one}" for one in value.split())}"'
        file, sharp, anchor = value.partition("#")
        if not file:
            return f' href="#p{number}-{anchor}"'
        if file in numbers:
            return f' href="#p{numbers[file]}{f"-{anchor}" if sharp else ""}"'
        return attribute[0] if value.startswith("https://") else ""

    # Text cannot hold a quotation mark as it is: the templates write it out.
    halved = _ENDPOINT.sub(r'\1<i class="half">\2</i>', _ATTRIBUTE.sub(moved, body))
    return Markup(halved)  # noqa: S704 # our own page


def _faces() -> str:
    """Return the rules that name the fonts and the files they come from."""
    rules = [
        f"@font-face {{ font-family: {family}; font-weight: {weight}; font-style: {style}; "
        f'src: url("{path.as_uri()}") }}'
        for (family, weight, style, _), path in zip(_FACES, _files(), strict=False)
    ]
    japanese = _files()[-1].as_uri()
    return "\n".join([*rules, f'@font-face {{ font-family: IPAexGothic; src: url("{japanese}") }}'])


def _files() -> list[Path]:
    import matplotlib as mpl

    latin = Path(mpl.get_data_path()) / "fonts" / "ttf"
    spec = find_spec("matplotlib_fontja")
    home = Path(spec.origin or "").parent if spec else Path()
    return [*(latin / name for _, _, _, name in _FACES), home / "fonts" / _JAPANESE]


def _sheet() -> str:
    return (display.TEMPLATES / "pdf.css").read_text("utf-8")


class _Fetcher:
    """Fetches pictures inside the pages and the fonts, and nothing else from anywhere."""

    def __init__(self) -> None:
        self._fonts = {path.as_uri(): path for path in _files()}

    def __call__(self, url: str) -> Any:
        from weasyprint.urls import URLFetcher, URLFetcherResponse

        if url in self._fonts:
            return URLFetcherResponse(url, self._fonts[url].read_bytes())
        return URLFetcher(allowed_protocols={"data"}).fetch(url)


@contextmanager
def _quiet() -> "Iterator[None]":
    """Keep WeasyPrint's remarks on properties that paper has no use for out of the terminal."""
    import logging

    log = logging.getLogger("weasyprint")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
