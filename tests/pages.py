"""What an HTML page holds, parsed, for tests to ask."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "source", "wbr", "col"}
INSIDE = {"bdi", "wbr"}
"""Tags that only say where a line may break: the text before and after them is one."""


@dataclass
class Page(HTMLParser):
    """The tags, attributes and text of a page; ``problems`` names tags that do not match."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    goes_on: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.goes_on = tag in INSIDE
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.goes_on = tag in INSIDE
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if {"style", "script"} & set(self.open):
            return
        if self.goes_on and self.texts:
            self.texts[-1] += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything a reader sees."""
        return "".join(self.texts)

    @property
    def words(self) -> str:
        """The words a reader sees, one space between."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every tag of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


def page(html: str) -> Page:
    """Return a parsed page."""
    parsed = Page()
    parsed.feed(html)
    parsed.close()
    parsed.problems += [f"<{tag}> is never closed" for tag in parsed.open]
    return parsed
