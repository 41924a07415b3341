"""A page as a reader's program sees it: tables by their source, cells by their row and column, and every other element."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr", "path", "line", "rect", "circle"}
Attributes = dict[str, str]


@dataclass
class Cell:
    attributes: Attributes
    text: str = ""


@dataclass
class Table:
    """`rows` holds the rows that have a key; `heads` the attributes of every `th`."""

    attributes: Attributes
    caption: str = ""
    heads: list[Attributes] = field(default_factory=list)
    rows: dict[str, list[Cell]] = field(default_factory=dict)

    def figure(self, key: str, **attributes: str) -> str:
        """The text of the one cell of row `key` with these data attributes."""
        wanted = {f"data-{name}": value for name, value in attributes.items()}
        (cell,) = [cell for cell in self.rows[key] if wanted.items() <= cell.attributes.items()]
        return cell.text.strip()


class Page(HTMLParser):
    """Parses at once; raises when elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.tables: list[Table] = []
        self.glance: dict[str, str] = {}
        self.title = ""
        self._open: list[tuple[str, Attributes]] = []
        self._row: list[Cell] | None = None
        self._cell: Cell | None = None
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def table(self, source: str, period: str | None = None) -> Table:
        (found,) = [
            table
            for table in self.tables
            if table.attributes.get("data-source") == source and table.attributes.get("data-period") == period
        ]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag in VOID:
            return
        self._open.append((tag, attributes))
        if tag == "table":
            self.tables.append(Table(attributes))
        elif tag == "tr" and "data-key" in attributes:
            self._row = self.tables[-1].rows.setdefault(attributes["data-key"], [])
        elif tag in ("td", "th"):
            self._cell = Cell(attributes)
            if tag == "th":
                self.tables[-1].heads.append(attributes)
            if self._row is not None:
                self._row.append(self._cell)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        opened, _ = self._open.pop()
        assert opened == tag, f"{opened} is closed by {tag}"
        if tag == "tr":
            self._row = None
        elif tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.text += data
        for tag, attributes in self._open:
            if tag == "caption":
                self.tables[-1].caption += data
            elif tag == "title":
                self.title += data
            if "data-glance" in attributes:
                self.glance[attributes["data-glance"]] = self.glance.get(attributes["data-glance"], "") + data
