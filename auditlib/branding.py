"""Branding: whose report it is and for whom, from the ``branding`` section of a config file.

A logo is drawn anew before it goes into a page: what a picture file may carry beside the picture
(places, names, scripts, another file) stays outside, and so does a picture that is too much.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlib.config import ConfigReader, root_of
from auditlib.language import tr

if TYPE_CHECKING:
    from auditlib.errors import ParameterError

__all__ = ["KEYS", "Branding", "branding_of", "read_branding"]

KEYS = ("consultant", "client", "contact", "logo")

_LONGEST = 200
_MOST_BYTES = 5 * 2**20
_MOST_PIXELS = 25_000_000
_LARGEST = (640, 192)
"""Pixels a logo is made smaller to: twice of what a page shows, for fine screens and print."""
_MOST_SHOWN = 120_000
"""Bytes a logo may take in each page."""


@dataclass(frozen=True, kw_only=True)
class Branding:
    """Whose report it is, and for whom; what was not given is empty.

    Attributes
    ----------
    consultant, client
        Names, as they are to be shown.
    contact
        A line that says where to ask.
    logo
        The consultant's logo as a ``data:`` address.
    """

    consultant: str = ""
    client: str = ""
    contact: str = ""
    logo: str = ""

    @property
    def without_client(self) -> "Branding":
        """The same without the client's name, for a report that names nobody."""
        return replace(self, client="")


def branding_of(path: Path) -> Branding | None:
    """Return the branding in a config file; ``None`` where it has none.

    The file of scheduled runs is one too: its other keys are none of this reader's business.

    Raises
    ------
    ParameterError
        When it cannot be read, or something in the section is wrong; names the line.
    """
    from auditlib.schedule import KEYS as OTHERS

    reader = ConfigReader(path)
    known = reader.mapping(root_of(path), tr("the file"), {*OTHERS, "branding"})
    return read_branding(reader, known["branding"]) if "branding" in known else None


def read_branding(reader: ConfigReader, node: Any) -> Branding:
    """Return the branding in a node of a config file."""
    known = reader.mapping(node, "branding", KEYS)
    texts = {}
    for name in ("consultant", "client", "contact"):
        if name in known:
            texts[name] = " ".join(reader.text(known[name]).split())
            if len(texts[name]) > _LONGEST:
                raise reader.wrong(
                    known[name],
                    tr("{name} is longer than {most} characters", name=name, most=_LONGEST),
                )
    if "logo" not in known:
        return Branding(**texts)
    return Branding(**texts, logo=_logo(reader, known["logo"]))


def _logo(reader: ConfigReader, node: Any) -> str:
    """Return a picture file as a ``data:`` address, drawn anew and no larger than needed."""
    import base64
    import io
    import warnings

    from PIL import Image, ImageFile

    path = reader.place(node)

    def refuse(why: str) -> "ParameterError":
        return reader.wrong(node, tr("the logo {path.name} {why}", path=path, why=why))

    try:
        with path.open("rb") as file:  # which may be a device that never ends, of size 0
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise refuse(tr("is larger than {most} MB: save it smaller", most=_MOST_BYTES // 2**20))
    except OSError as error:
        raise refuse(tr("cannot be read: {why}", why=error.strerror or error)) from error
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES  # WeasyPrint switches it on for the whole process
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if picture.width * picture.height > _MOST_PIXELS:
            raise refuse(
                tr(
                    "has {picture.width} × {picture.height} pixels: save it smaller",
                    picture=picture,
                )
            )
        kind = picture.format
        drawn = picture.convert("RGB" if kind == "JPEG" else "RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise refuse(tr("is no PNG or JPEG that can be read: save it as one of the two")) from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    drawn.thumbnail(_LARGEST)
    bare = Image.new(drawn.mode, drawn.size)  # Pillow hands on comments and profiles otherwise
    bare.paste(drawn)
    target = io.BytesIO()
    if kind == "JPEG":
        bare.save(target, "JPEG", quality=90, optimize=True)
    else:
        bare.save(target, "PNG", optimize=True)
    if target.tell() > _MOST_SHOWN:
        raise refuse(
            tr(
                "takes {size:,} bytes in every page: give a plainer one, or a JPEG",
                size=target.tell(),
            )
        )
    encoded = base64.b64encode(target.getvalue()).decode()
    return f"data:image/{(kind or '').lower()};base64,{encoded}"
