"""What every picture is drawn with: SVG by matplotlib without pyplot, the same bytes for the same data.

Text stays text in the SVG, so the reader's own fonts draw it; where the kit speaks Japanese, which
not every machine has a font for, its letters are in the picture as shapes. Text is never read as
mathematics, whatever a name contains.
"""

import io
import logging
import re
import unicodedata
import warnings
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlib.language import current

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FONTS",
    "INK",
    "LONGEST_LABEL",
    "Picture",
    "columns",
    "cut",
    "drawing",
    "figure_of",
    "japanese_font",
    "svg_of",
]

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Hiragino Sans', 'Yu Gothic UI', Meiryo, 'Noto Sans CJK JP', sans-serif"

INK = "#2b3238"
LONGEST_LABEL = 34  # columns of a label; a wide character takes two


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture and the words that say the same.

    Attributes
    ----------
    svg
        The picture.
    text
        What it shows, for whoever cannot see it.
    caption
        How to read it.
    lists
        The same as lists, each a heading (which may be empty) and its items: what a phone shows in
        the picture's place.
    width, height
        In CSS pixels.
    """

    svg: bytes = field(repr=False)
    text: str
    caption: str
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    width: int
    height: int


def cut(text: str, longest: int = LONGEST_LABEL) -> str:
    """Return a text of at most so many columns, where a wide character takes two.

    >>> cut("short"), cut("a" * 40, 10), cut("営業部の端末" * 5, 10)
    ('short', 'aaaaaaaaa…', '営業部の…')
    """
    taken, kept = 0, ""
    for character in text:
        taken += 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
        kept += character
        if taken > longest:
            while kept and columns(kept) > longest - 1:
                kept = kept[:-1]
            return kept + "…"
    return kept


def columns(text: str) -> int:
    """Return how many columns a text takes, where a wide character takes two."""
    return sum(2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1 for c in text)


def drawing() -> Any:
    """Return the settings every picture is drawn with, as a context."""
    import matplotlib as mpl

    embedded = [] if current() == "en" else [_japanese()]
    return mpl.rc_context(
        {
            "svg.fonttype": "path" if embedded else "none",
            "svg.hashsalt": "auditlib",
            "text.parse_math": False,
            "text.usetex": False,
            "font.family": ["DejaVu Sans", *embedded],
            "font.size": 9.5,
            "hatch.linewidth": 0.7,
            "text.color": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


@cache
def _japanese() -> str:
    """Return the name of a font with Japanese letters, known to matplotlib from now on."""
    from matplotlib import font_manager

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it has no bold
    font_manager.fontManager.addfont(japanese_font())
    return "IPAexGothic"


def japanese_font() -> Path:
    """Return the file of the font that pictures and the PDF have Japanese letters from."""
    found = find_spec("matplotlib_fontja")
    origin = found and found.origin
    return Path(origin or "matplotlib_fontja").parent / "fonts" / "ipaexg.ttf"


def figure_of(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Return a figure of so many inches and the one area it draws in."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def find_fonts() -> None:
    """Draw what nobody sees, so that copies of this process need not find the fonts again."""
    with drawing():
        figure, axes = figure_of(1, 1)
        axes.set_title(" ", weight="bold")
        svg_of(figure)


_DARK = (
    ('[style*="fill: {0}"]', "fill", INK, "#e4e8eb"),
    ('[style*="stroke: {0}"]', "stroke", INK, "#e4e8eb"),
    ('[style*="stroke: {0}"]', "stroke", "#a3281f", "#ff9d92"),
    ('path[style*="fill: {0}"]', "fill", "#ffffff", "#14181c"),
    ('path[style*="fill: {0}"]', "fill", "#f6f7f8", "#1c2227"),
    ('path[style*="fill: {0}"]', "fill", "#f3d0cb", "#4a2523"),
    ('path[style*="fill: {0}"]', "fill", "#c9d3dc", "#56606a"),
    ("pattern rect", "fill", "#ffffff", "#14181c"),
    ("#paper", "fill", "#ffffff", "#14181c"),
)
"""What other colours a picture has in the dark: selector, property, colour, colour in the dark."""


def _with_paper(svg: str) -> str:
    """Return a picture that paints its own paper, so that it can be read whatever stands around it."""
    rules = "".join(
        f"{selector.format(light)}{{{name}:{dark}!important}}"
        for selector, name, light, dark in _DARK
        if light in svg or selector.startswith("#")
    )
    paper = (
        f"<style>@media screen and (prefers-color-scheme:dark){{{rules}}}</style>"
        '<rect id="paper" width="100%" height="100%" fill="#ffffff"/>'
    )
    return _DOCUMENT.sub(lambda found: found[0] + paper, svg, count=1)


_DOCUMENT = re.compile(r"<svg\b[^>]*>")


def svg_of(figure: "Figure") -> bytes:
    """Return the figure as SVG that is the same for the same data, drawn with the reader's fonts."""
    out = io.StringIO()
    with warnings.catch_warnings():
        # The measuring font lacks Japanese; the reader's fonts do the drawing.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True
        )
    made = _with_paper(out.getvalue())
    if current() != "en":
        return _shortened(made).encode()
    return made.replace("'DejaVu Sans'", FONTS).encode()


_PLACED = re.compile(r'translate\([^)]*\)|\b(?:d|x|y)="[^"]*"')
_LONG = re.compile(r"(\.\d)\d+")  # a tenth of a point is less than a screen shows
_LOOSE = re.compile(r" ?([MLQCZz]) ?")
_MOVED = re.compile(r'(<use [^>]*) transform="translate\(([-.\d]+) 0\)"/>')
_UNSHOWN = re.compile(
    r"""<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>| xmlns:xlink="[^"]*"|(?<=<g) id="[^"]*"|(?<=;) """,
    re.DOTALL,
)


def _tight(told: str) -> str:
    return _LOOSE.sub(r"\1", told) if told.startswith("d=") else told


def _shortened(svg: str) -> str:
    r"""Return a picture whose letters are shapes without what only takes room: a third of it.

    >>> _shortened("<g><!-- a -->\n  <path id='DejaVuSans-15'/>\n</g>")
    "<g><path id='D-15'/></g>"
    >>> _shortened('<use xlink:href="#a" transform="translate(63.62 0)"/>')
    '<use href="#a" x="63.6"/>'
    """
    bare = re.sub(r"\s+", " ", _UNSHOWN.sub("", svg)).replace("> <", "><")
    bare = _PLACED.sub(lambda found: _LONG.sub(r"\1", _tight(found[0])), bare)
    bare = _MOVED.sub(r'\1 x="\2"/>', bare)
    return bare.replace("DejaVuSans", "D").replace("IPAexGothic", "I").replace("xlink:href", "href")
