"""JSON files as one Parquet file of resources: one a line, whole documents, and Bundles taken apart.

The bytes are read once, in blocks; memory is bounded by a block and by the largest single resource, whatever
the size of the file. Nothing is interpreted beyond where a resource begins and ends: a line that is not JSON
is kept as it is, for the reader to set aside with its number.
"""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.extracts.delivery import UnreadableExtract

BLOCK = 4 << 20
# A line (or a resource of a Bundle) beyond this is no resource; a longer line can only be a Bundle.
LONGEST = 16 << 20
# Of text that cannot be read, so much is kept for the quarantine.
KEPT = 20_000
SCHEMA = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("resource", pa.string()),
        ("fault", pa.string()),
    ]
)
BUNDLE = r'"resourceType"\s*:\s*"Bundle"'
WHITE = " \t\r\n"


@dataclass
class _Writer:
    """Resources of one file after another into `target`; `rows`: how many the current file had."""

    target: pq.ParquetWriter
    name: str = ""
    rows: int = 0
    pending: int = 0

    def begin(self, name: str) -> None:
        self.name, self.rows = name, 0
        self._numbers: list[int] = []
        self._texts: list[str] = []
        self._faults: list[str | None] = []

    def block(self, numbers: pa.Array, texts: pa.Array) -> None:
        """Many lines at once, all of them UTF-8."""
        self.flush()
        self.rows += len(texts)
        self._write(numbers, texts, pa.nulls(len(texts), pa.string()))

    def one(self, number: int, text: str, fault: str | None = None) -> None:
        """One resource (or, with `fault`, text that is none)."""
        self._numbers.append(number)
        self._texts.append(text if fault is None else text[:KEPT])
        self._faults.append(fault)
        self.rows += 1
        self.pending += len(text)
        if self.pending > BLOCK:
            self.flush()

    def flush(self) -> None:
        if self._numbers:
            self._write(
                pa.array(self._numbers, pa.int64()),
                pa.array(self._texts, pa.string()),
                pa.array(self._faults, pa.string()),
            )
        self._numbers, self._texts, self._faults, self.pending = [], [], [], 0

    def _write(self, numbers: pa.Array, texts: pa.Array, faults: pa.Array) -> None:
        names = pa.array([self.name], pa.string()).take(pa.array([0] * len(texts), pa.int32()))
        self.target.write_table(pa.Table.from_arrays([names, numbers, texts, faults], schema=SCHEMA))


def write_resources(files: list[tuple[Path, str]], target: Path) -> dict[str, int]:
    """Write every resource of `files` (path and the name it goes by) to `target`; rows by name.

    Columns: source_file, source_row (line, from 1, on which the resource begins), resource (its text) and
    fault (null, or why the text is not a resource). Raises `UnreadableExtract` for a file that is not UTF-8
    as a whole or whose compression is broken.
    """
    counts: dict[str, int] = {}
    with closing(pq.ParquetWriter(str(target), SCHEMA, compression="lz4")) as parquet:
        writer = _Writer(parquet)
        for path, name in files:
            writer.begin(name)
            try:
                with path.open("rb") as raw:
                    packed = raw.read(2) == b"\x1f\x8b"
                    raw.seek(0)
                    with gzip.open(raw, "rb") if packed else raw as content:
                        _read_file(_Bytes(content), writer)
            except (gzip.BadGzipFile, EOFError, zlib.error):
                raise UnreadableExtract(
                    name, "the compressed data are damaged or cut off", expected="a complete gzip file"
                ) from None
            except OSError as fault:
                raise UnreadableExtract(name, f"cannot be read ({fault.strerror})") from None
            writer.flush()
            counts[name] = writer.rows
    return counts


class _Bytes:
    """A stream whose beginning can be looked at."""

    def __init__(self, content: BinaryIO | gzip.GzipFile) -> None:
        self.content, self.ahead = content, b""

    def look(self, size: int) -> bytes:
        while len(self.ahead) < size and (more := self.content.read(size - len(self.ahead))):
            self.ahead += more
        return self.ahead

    def read(self) -> bytes:
        if self.ahead:
            taken, self.ahead = self.ahead, b""
            return taken
        return self.content.read(BLOCK)


def _read_file(content: _Bytes, writer: _Writer) -> None:
    head = content.look(BLOCK)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableExtract(writer.name, "the text is UTF-16", expected="UTF-8")
    if head.startswith(codecs.BOM_UTF8):
        content.ahead = head = head[len(codecs.BOM_UTF8) :]
    if _is_document(head):
        _read_documents(content, writer, b"", 1)
    else:
        _read_lines(content, writer)


def _is_document(head: bytes) -> bool:
    """Whether JSON is spread over lines: the first is not a value, and the next does not begin one."""
    lines = [line.strip() for line in head.split(b"\n", 50) if line.strip()]
    if not lines:
        return False
    if lines[0] == b"[":
        return True
    if len(lines) < 2 or not lines[0].startswith((b"{", b"[")) or lines[1].startswith(b"{"):
        return False
    try:
        json.loads(lines[0])
    except (ValueError, RecursionError):
        return lines[1].startswith((b'"', b"[")) or lines[0] == b"{"
    return False


def _read_lines(content: _Bytes, writer: _Writer) -> None:
    number, rest = 1, b""
    while block := content.read():
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if end:
            number += _write_lines(block[: end - 1].split(b"\n"), number, writer)
        if len(rest) > LONGEST:
            _read_documents(content, writer, rest, number)
            return
    if rest:
        _write_lines([rest], number, writer)


def _write_lines(lines: list[bytes], first: int, writer: _Writer) -> int:
    numbers = pa.array(range(first, first + len(lines)), pa.int64())
    try:
        texts = pa.array(lines, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        _write_broken_text(lines, first, writer)
        return len(lines)
    filled = pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0)
    numbers, texts = numbers.filter(filled), texts.filter(filled)
    bundles = pc.match_substring_regex(texts, BUNDLE)
    if pc.any(bundles).as_py():
        chosen = pa.table([numbers.filter(bundles), texts.filter(bundles)], ["number", "text"])
        for row in chosen.to_pylist():
            _take_apart(row["number"], row["text"], writer)
        single = pc.invert(bundles)
        numbers, texts = numbers.filter(single), texts.filter(single)
    if len(texts):
        writer.block(numbers, texts)
    return len(lines)


def _write_broken_text(lines: list[bytes], first: int, writer: _Writer) -> None:
    """Lines of a block in which not every byte is UTF-8, one by one."""
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            writer.one(number, line[:KEPT].decode("utf-8", "replace"), "not_utf8")
        else:
            _take_apart(number, text, writer)


def _take_apart(number: int, text: str, writer: _Writer) -> None:
    """A line as its resources where it is a sound Bundle, else as it stands."""
    try:
        entries = [entry for _, entry in _Document(iter(()), text, number).values()]
    except _Broken:
        entries = [text]
    for entry in entries:
        writer.one(number, entry)


def _read_documents(content: _Bytes, writer: _Writer, begun: bytes, number: int) -> None:
    """Values spread over lines, one after another; a broken one is set aside up to where the next can begin."""
    decoder = codecs.getincrementaldecoder("utf-8")()

    def texts() -> Iterator[str]:
        block = begun or content.read()
        while block:
            try:
                yield decoder.decode(block)
            except UnicodeDecodeError:
                raise UnreadableExtract(
                    writer.name, "a byte is not UTF-8 inside a JSON document", expected="UTF-8"
                ) from None
            block = content.read()

    document = _Document(texts(), "", number)
    while True:
        try:
            for line, text in document.values():
                writer.one(line, text)
            return
        except _Broken:
            line, text = document.rest()
            writer.one(line, text, "broken_document")
            if not document.skip_to_object():
                return


class _Broken(Exception):
    """The text is not JSON from here on."""


class _Document:
    """Resources of JSON text that arrives in pieces: each value, or each entry of a Bundle.

    Values are cut out of the text, not written anew, so that nothing in them changes.
    """

    def __init__(self, pieces: Iterator[str], text: str, line: int) -> None:
        self.pieces, self.text, self.place, self.line = pieces, text, 0, line
        self.decoder = json.JSONDecoder()

    def values(self) -> Iterator[tuple[int, str]]:
        """Line and text of each resource; raises `_Broken`."""
        in_list = False
        while mark := self._next():
            if mark == "[" and not in_list:
                in_list = True
                self._skip()
            elif mark in ",]" and in_list:
                in_list = mark == ","
                self._skip()
            elif mark == "{":
                yield from self._object()
            else:
                raise _Broken

    def rest(self) -> tuple[int, str]:
        """Line and beginning of what has not been read."""
        return self.line, self.text[self.place : self.place + KEPT]

    def skip_to_object(self) -> bool:
        """Move to the next line that begins with an object; False where there is none."""
        while True:
            found = self.text.find("\n{", self.place)
            end = len(self.text) if found < 0 else found + 1
            self.line += self.text.count("\n", self.place, end)
            self.place = end
            if found >= 0:
                return True
            last = self.text.endswith("\n")
            if not self._more():
                return False
            if last and self.text.startswith("{"):
                return True

    def _object(self) -> Iterator[tuple[int, str]]:
        """The object at `place`: itself, or the resources of its entries if it is a Bundle.

        An object is read whole if it is small. A large one is read key by key, so that a large Bundle need
        not fit: what its entries hold is passed on as soon as it is complete.
        """
        line = self.line
        while (taken := self._try_value()) is None and len(self.text) - self.place <= LONGEST:
            if not self._more():
                raise _Broken
        if taken is not None:
            value, text = taken
            if value.get("resourceType") != "Bundle":
                yield line, text
            else:
                yield from _Document(iter(()), text, line)._entries()
            return
        yield from self._entries()

    def _entries(self) -> Iterator[tuple[int, str]]:
        self._expect("{")
        while self._next() == '"':
            key, _ = self._value()
            self._expect(":")
            if key == "entry" and self._next() == "[":
                self._skip()
                while self._next() == "{":
                    yield from self._entry()
                    if self._next() == ",":
                        self._skip()
                self._expect("]")
            else:
                self._value()
            if self._next() == ",":
                self._skip()
        self._expect("}")

    def _entry(self) -> Iterator[tuple[int, str]]:
        line = self.line
        value, text = self._value()
        if not isinstance(value.get("resource"), dict):
            yield line, text
            return
        inner = _Document(iter(()), text, line)
        inner._expect("{")
        while inner._next() == '"':
            key, _ = inner._value()
            inner._expect(":")
            inner._next()
            start = inner.line
            _, part = inner._value()
            if key == "resource":
                yield start, part
            if inner._next() == ",":
                inner._skip()

    def _value(self) -> tuple[Any, str]:
        """The value at `place` and its text; moves behind it."""
        self._next()
        while (taken := self._try_value()) is None:
            if len(self.text) - self.place > LONGEST or not self._more():
                raise _Broken
        return taken

    def _try_value(self) -> tuple[Any, str] | None:
        try:
            value, end = self.decoder.raw_decode(self.text, self.place)
        except (ValueError, RecursionError):
            return None
        if end == len(self.text) and self.text[end - 1] not in '}]"' and self._more():
            return self._try_value()
        text = self.text[self.place : end]
        self.line += text.count("\n")
        self.place = end
        return value, text

    def _next(self) -> str:
        """The next character that is not white, without moving behind it; empty at the end."""
        while True:
            while self.place < len(self.text) and self.text[self.place] in WHITE:
                self.line += self.text[self.place] == "\n"
                self.place += 1
            if self.place < len(self.text):
                return self.text[self.place]
            if not self._more():
                return ""

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            raise _Broken
        self._skip()

    def _skip(self) -> None:
        self.place += 1

    def _more(self) -> bool:
        """Append what comes next; the text that was passed is dropped."""
        piece = next(self.pieces, None)
        if piece is None:
            return False
        self.text, self.place = self.text[self.place :] + piece, 0
        return True
