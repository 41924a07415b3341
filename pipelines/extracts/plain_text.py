"""What a delimited file is made of, found in one pass over its bytes; a plain copy of an irregular one."""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from pipelines.extracts.delivery import UnreadableExtract

CHUNK = 1 << 22
LONGEST_HEADER = 1 << 20
# Tabs and no-break spaces around values: the engine trims only the common space (and that fast).
ODD_SPACES = ("\t", "\u00a0")
# A quoted value may run over several lines; past this many an open quote is taken for a mistake.
LONGEST_RECORD_LINES = 50
SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file without the ending .gz"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"%PDF", "a PDF document"),
)


@dataclass(frozen=True)
class Survey:
    """`lines` counts physical lines, the header included; `blank_lines` are their numbers, from 1.

    `is_plain` = UTF-8, one kind of line end, only common spaces, no line with an odd number of quotes.
    """

    first_line: str
    encoding: str
    lines: int
    blank_lines: list[int]
    is_plain: bool


@dataclass
class PlainCopy:
    """`skipped`: numbers of lines left blank; `unclosed`: number and text of lines with an open quote."""

    lines: int = 0
    skipped: list[int] = field(default_factory=list)
    unclosed: list[tuple[int, str]] = field(default_factory=list)


def survey(path: Path, label: str, delimiter: str) -> Survey:
    """Read the whole file once; raises `UnreadableExtract` for empty, binary, truncated or damaged files."""
    try:
        return _survey(path, label, delimiter)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UnreadableExtract(
            label, "the gzip file is truncated or damaged", expected="a complete gzip file"
        ) from None
    except OSError as fault:
        raise UnreadableExtract(label, f"cannot be opened ({fault.strerror})") from None


def _survey(path: Path, label: str, delimiter: str) -> Survey:
    bytes_seen = _Bytes(label, delimiter)
    with _bytes(path) as source:
        while chunk := source.read(CHUNK):
            bytes_seen.add(chunk)
    bytes_seen.finish()
    encoding = "utf-8" if bytes_seen.is_utf8 else "latin-1"
    first_line = _first_line(bytes_seen.head, encoding, label, bytes_seen.size)
    blanks: list[int] = []
    odd_quotes = False
    if bytes_seen.has_one_line_end and (bytes_seen.has_quotes or bytes_seen.may_have_blank):
        with _bytes(path) as source:
            for number, raw in enumerate(source, 1):
                line = raw.rstrip(b"\r\n")
                if not line:
                    blanks.append(number)
                elif line.count(b'"') & 1:
                    odd_quotes = True
    irregular = odd_quotes or bytes_seen.has_odd_space
    return Survey(
        first_line=first_line,
        encoding=encoding,
        lines=bytes_seen.lines,
        blank_lines=blanks,
        is_plain=bytes_seen.is_utf8 and bytes_seen.has_one_line_end and not irregular,
    )


class _Bytes:
    """Facts about a stream of bytes, chunk by chunk; two-byte patterns may straddle chunks."""

    def __init__(self, label: str, delimiter: str) -> None:
        self.label = label
        self.odd_spaces = tuple(space.encode() for space in ODD_SPACES if space != delimiter)
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.is_utf8 = True
        self.size = self.feeds = self.returns = self.pairs = 0
        self.has_quotes = self.may_have_blank = self.has_odd_space = False
        self.head = self.tail = b""

    def add(self, chunk: bytes) -> None:
        """Look at the next bytes; searches for rare patterns are skipped where their parts are absent."""
        if self.size == 0:
            _refuse_signature(chunk, self.label)
        if len(self.head) < LONGEST_HEADER:
            self.head += chunk[: LONGEST_HEADER - len(self.head)]
        if b"\0" in chunk:
            raise UnreadableExtract(self.label, "this is a binary file", expected="delimited text")
        joined = self.tail + chunk
        is_ascii = joined.isascii()
        if self.is_utf8 and (not is_ascii or self.decoder.getstate()[0]):
            self._decode(chunk)
        for space in self.odd_spaces:
            if not self.has_odd_space and not (is_ascii and space > b"\x7f"):
                self.has_odd_space = space in joined
        self.feeds += chunk.count(b"\n")
        if b"\r" in joined:
            self.returns += chunk.count(b"\r")
            self.pairs += joined.count(b"\r\n") - self.tail.count(b"\r\n")
            self.may_have_blank = self.may_have_blank or b"\n\r\n" in joined
        self.has_quotes = self.has_quotes or b'"' in chunk
        self.may_have_blank = self.may_have_blank or b"\n\n" in joined
        self.size += len(chunk)
        self.tail = joined[-2:]

    def finish(self) -> None:
        """The stream has ended."""
        if self.is_utf8:
            self._decode(b"", final=True)

    def _decode(self, chunk: bytes, final: bool = False) -> None:
        try:
            self.decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self.is_utf8 = False

    @property
    def has_one_line_end(self) -> bool:
        """Every line ends in a line feed, or every line in a carriage return and line feed."""
        return self.returns == 0 or self.pairs == self.returns == self.feeds

    @property
    def lines(self) -> int:
        """Physical lines; the last need not be closed."""
        return self.feeds + self.returns - self.pairs + (not self.tail.endswith((b"\n", b"\r")))


def plain_copy(
    path: Path,
    target: Path,
    found: Survey,
    *,
    delimiter: str,
    column_count: int,
    suffix: str = "",
    rewrite_quotes: bool = False,
) -> PlainCopy:
    """Write `path` to `target` as UTF-8 with one line feed a line and every quote closed on its line.

    A value that runs over several lines is joined with spaces and followed by as many blank lines, so that
    numbers stay those of the source. Other spaces become common ones. A line whose quotes never close is left
    blank and returned. `suffix` is added to every line that is not blank. `rewrite_quotes` takes every line
    with a quote apart and writes it in the plainest form, so that no two parsers can disagree about it.
    """
    copied = PlainCopy()
    with open_text(path, found.encoding) as source, target.open("w", encoding="utf-8", newline="") as sink:
        lines = _Lines(source)
        while (line := lines.take()) is not None:
            copied.lines += 1
            for space in ODD_SPACES:
                if space != delimiter:
                    line = line.replace(space, " ")
            quotes = line.count('"')
            extra = 0
            if quotes and (quotes & 1 or rewrite_quotes):
                cells = _cells(line, delimiter)
                if cells is None:
                    cells, extra = _join(line, lines, delimiter, column_count)
                if cells is None:
                    copied.unclosed.append((copied.lines, line))
                    line = ""
                elif rewrite_quotes or extra:
                    line = delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells)
            if not line:
                copied.skipped.append(copied.lines)
            copied.skipped.extend(range(copied.lines + 1, copied.lines + 1 + extra))
            copied.lines += extra
            sink.write((line + suffix if line else "") + "\n" * (extra + 1))
    return copied


class _Lines:
    """Lines without their ends, which may be given back."""

    def __init__(self, source: IO[str]) -> None:
        self.source = source
        self.returned: deque[str] = deque()

    def take(self) -> str | None:
        if self.returned:
            return self.returned.popleft()
        text = self.source.readline()
        return text.rstrip("\n") if text else None

    def give_back(self, lines: list[str]) -> None:
        self.returned.extendleft(reversed(lines))


def _join(line: str, lines: _Lines, delimiter: str, column_count: int) -> tuple[list[str] | None, int]:
    """Cells of the record that begins on `line`, and how many more lines it takes; None if never closed."""
    taken: list[str] = []
    quotes = line.count('"')
    while len(taken) < LONGEST_RECORD_LINES and (following := lines.take()) is not None:
        taken.append(following)
        quotes += following.count('"')
        if quotes % 2 == 0 and '"' in following:
            cells = _cells(" ".join([line, *taken]), delimiter)
            if cells is not None and len(cells) == column_count:
                return cells, len(taken)
    lines.give_back(taken)
    return None, 0


def _cells(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return None


def _first_line(head: bytes, encoding: str, label: str, size: int) -> str:
    text = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    if not text.strip():
        raise UnreadableExtract(label, "the file is empty", expected="a header line with column names")
    first = text.replace("\r", "\n").split("\n", 1)[0]
    if any(ord(mark) < 32 and mark != "\t" for mark in first):
        raise UnreadableExtract(label, "this is a binary file", expected="delimited text")
    if not first.strip():
        raise UnreadableExtract(label, "the line is blank", line=1, expected="column names")
    if len(head) >= LONGEST_HEADER and len(first) >= LONGEST_HEADER // 4 and size > LONGEST_HEADER:
        raise UnreadableExtract(label, "no line end where the header should end", line=1)
    return first


def _refuse_signature(chunk: bytes, label: str) -> None:
    for signature, kind in SIGNATURES:
        if chunk.startswith(signature):
            raise UnreadableExtract(label, "this is a binary file", expected="delimited text", actual=kind)


def _bytes(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def open_text(path: Path, encoding: str) -> IO[str]:
    """The file as text with line feeds at line ends, without a byte-order mark."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding=codec, newline=None))
    return path.open("r", encoding=codec, newline=None)
