"""Spoils small deliveries of every format at random and lands them: nothing may crash, leak or get lost.

    python -m tests.pipelines.extracts.fuzzing --cases 3000 --seed 1

A case is named `<sample>/<seed>/<number>` and can be run again by `--only`. What may come out of a case:
clean (every row landed), quarantined (some rows set aside), refused (one clear message, nothing left behind).
Anything else is a failure and is printed with its case.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import io
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipelines.extracts.delivery import UnreadableExtract
from pipelines.extracts.landing import land, told
from pipelines.settings import Settings
from tests.pipelines.extracts.small_samples import SAMPLES, SECRET, Files

RECEIVED = datetime.date(2024, 6, 30)
LONGEST_MESSAGE = 4_000
Change = Callable[[random.Random, bytes], bytes]


def flip(draw: random.Random, content: bytes) -> bytes:
    """A few bytes become others."""
    spoilt = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8, 40))):
        spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
    return bytes(spoilt)


def truncate(draw: random.Random, content: bytes) -> bytes:
    return content[: draw.randrange(len(content))]


def cut_out(draw: random.Random, content: bytes) -> bytes:
    start = draw.randrange(len(content))
    return content[:start] + content[start + draw.randrange(1, 200) :]


def repeat(draw: random.Random, content: bytes) -> bytes:
    start = draw.randrange(len(content))
    piece = content[start : start + draw.randrange(1, 400)]
    return content[:start] + piece * draw.choice((2, 2, 50)) + content[start:]


def insert(*pieces: bytes) -> Change:
    def change(draw: random.Random, content: bytes) -> bytes:
        for _ in range(draw.choice((1, 1, 5))):
            place = draw.randrange(len(content) + 1)
            content = content[:place] + draw.choice(pieces) + content[place:]
        return content

    return change


def replace_value(*values: bytes) -> Change:
    """A cell, number or string between delimiters becomes one of `values`."""

    def change(draw: random.Random, content: bytes) -> bytes:
        marks = [place for place, byte in enumerate(content) if byte in b',|":\n']
        if len(marks) < 2:
            return content
        at = draw.randrange(len(marks) - 1)
        return content[: marks[at] + 1] + draw.choice(values) + content[marks[at + 1] :]

    return change


def encode(name: str) -> Change:
    return lambda draw, content: content.decode("utf-8", "replace").encode(name, "replace")


def line_ends(draw: random.Random, content: bytes) -> bytes:
    ends = draw.choice(([b"\r\n"], [b"\r"], [b"\n", b"\r\n", b"\r"], [b"\n\n"], [b"\n \n"]))
    return b"".join(line + draw.choice(ends) for line in content.splitlines())


def swap_columns(draw: random.Random, content: bytes) -> bytes:
    """Two columns change places, in the header or below it or in both."""
    rows = content.split(b"\n")
    mark = b"|" if b"|" in rows[0] else b","
    cells = [row.split(mark) for row in rows]
    one, other = (draw.randrange(len(cells[0])) for _ in "ab")
    first, last = draw.choice(((0, 1), (1, len(cells)), (0, len(cells))))
    for row in cells[first:last]:
        if max(one, other) < len(row):
            row[one], row[other] = row[other], row[one]
    return b"\n".join(mark.join(row) for row in cells)


def shuffle_lines(draw: random.Random, content: bytes) -> bytes:
    rows = content.splitlines(keepends=True)
    draw.shuffle(rows)
    return b"".join(rows)


def spoil_json(draw: random.Random, content: bytes) -> bytes:
    """One part of one JSON line becomes something of another kind."""
    rows = content.splitlines()
    at = draw.randrange(len(rows))
    try:
        node = value = json.loads(rows[at])
    except ValueError:
        return flip(draw, content)
    while isinstance(node, (dict, list)) and node:
        key = draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], (dict, list)) or not node[key] or draw.random() < 0.25:
            odd = (None, True, -1, 1e308, 10**30, "", "\ud800", "x" * 5_000, [], {}, [[]], [None], {"a": [1]})
            node[key] = draw.choice(odd)
            break
        node = node[key]
    rows[at] = json.dumps(value).encode()
    return b"\n".join(rows) + b"\n"


def compressed_badly(draw: random.Random, content: bytes) -> bytes:
    packed = gzip.compress(content, mtime=0)
    return draw.choice((flip, truncate))(draw, packed)


HUGE = (b"9" * 400, b"1e400", b"-1e308", b"99999999999999999999", b"0x1F", b"NaN", b"infinity", b"1,5", b"-0")
DATES = (b"0000-00-00", b"9999-12-31", b"2024-02-30", b"epoch", b"31-Feb-2024", b"20240105", b"99999-01-01")
CHANGES: dict[str, Change] = {
    "bytes flipped": flip,
    "truncated": truncate,
    "piece cut out": cut_out,
    "piece repeated": repeat,
    "NUL bytes": insert(b"\0", b"\0\0\0\0"),
    "quotes": insert(b'"', b'""', b'"\n"', b"'", b'\\"', b'","'),
    "control characters": insert(
        b"\x1a", b"\x1b[31m", b"\x7f", b"\xe2\x80\xa8", b"\xc2\xa0", b"\x0c", b"\x85"
    ),
    "delimiters": insert(b",", b"|", b"\t", b";", b"\n", b"\r", b"{", b"[", b"}"),
    "giant field": replace_value(b"A" * 1_000_000, b"9" * 300_000, b"z" * 70_000),
    "huge numbers": replace_value(*HUGE),
    "impossible dates": replace_value(*DATES),
    "other values": replace_value(
        b"", b" ", b"null", b"~", b"' or 1=1 --", "\u0661\u0662".encode(), b"{}", b"%s"
    ),
    "UTF-16": encode("utf-16"),
    "Latin-1": lambda draw, content: insert(b"\xe9", b"\xf1", b"\xff\xfe")(draw, content),
    "UTF-7": encode("utf-7"),
    "EBCDIC": encode("cp037"),
    "byte-order mark": lambda draw, content: b"\xef\xbb\xbf" * draw.choice((1, 2)) + content,
    "line ends": line_ends,
    "columns swapped": swap_columns,
    "lines shuffled": shuffle_lines,
    "JSON spoilt": spoil_json,
    "broken gzip": compressed_badly,
    "gzip inside": lambda draw, content: gzip.compress(content, mtime=0),
    "header lost": lambda draw, content: content.partition(b"\n")[2],
    "nested deeply": insert(b"[" * 5_000, b'{"a":' * 5_000, b"(" * 5_000),
    "emptied": lambda draw, content: draw.choice((b"", b"\n", b" ", b"\0" * 4096, b"{}", b"[]")),
}


def spoil(draw: random.Random, files: Files) -> tuple[Files, str]:
    """`files` with one or two changes, and what was done."""
    files = dict(files)
    kind = draw.random()
    if kind < 0.04:
        name = draw.choice(sorted(files))
        del files[name]
        return files, f"{name} dropped"
    if kind < 0.08 and len(files) > 1:
        one, other = draw.sample(sorted(files), 2)
        files[one], files[other] = files[other], files[one]
        return files, f"{one} and {other} exchanged"
    if kind < 0.14:
        return zipped(draw, files), "zip archive, perhaps damaged"
    done = []
    for _ in range(draw.choice((1, 1, 1, 2))):
        name = draw.choice(sorted(files))
        what = draw.choice(sorted(CHANGES))
        if files[name]:
            files[name] = CHANGES[what](draw, files[name])
            done.append(f"{name}: {what}")
    return files, "; ".join(done)


def zipped(draw: random.Random, files: Files) -> Files:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = packed.getvalue()
    change = draw.choice((None, flip, truncate, cut_out))
    return {"delivery.zip": change(draw, content) if change else content}


def run_case(name: str, root: Path) -> tuple[str, list[str]]:
    """Outcome of the case called `name`, and what is wrong with it (empty when all is well)."""
    sample, seed, number = name.rsplit("/", 2)
    draw = random.Random(f"{sample} {seed} {number}")
    files, done = spoil(draw, SAMPLES[sample]())
    folder, settings = root / "extracts", Settings(out=root / "out", memory_limit="1GB", threads=1)
    for place in (folder, settings.out):
        shutil.rmtree(place, ignore_errors=True)
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    asked = draw.choice(("auto", sample.split()[0]))
    try:
        batch = land(folder, settings, format=asked, received=RECEIVED)
    except UnreadableExtract as refusal:
        return "refused", [f"{done}: {fault}" for fault in faults_of_refusal(str(refusal), settings)]
    except BaseException as crash:
        if isinstance(crash, KeyboardInterrupt):
            raise
        trace = "".join(traceback.format_exception(crash)[-3:])
        return "crashed", [f"{done}: {type(crash).__name__}: {str(crash)[:300]}\n{trace}"]
    faults = []
    if batch.rows_in != batch.rows_landed + batch.rows_quarantined:
        faults.append("rows in are not rows landed and quarantined")
    faults += lost_lines(files, batch.folder)
    text = "\n".join(told(settings, batch)) + (batch.folder / "manifest.json").read_text()
    if found := SECRET.search(text):
        faults.append(f"a value of a row is in what is told or in the manifest: {found[0]}")
    outcome = "quarantined" if batch.rows_quarantined else "clean"
    return outcome, [f"{done}: {fault}" for fault in faults]


def faults_of_refusal(message: str, settings: Settings) -> list[str]:
    faults = []
    if found := SECRET.search(message):
        faults.append(f"a value of a row is in the message: {found[0]}")
    if "\n" in message or len(message) > LONGEST_MESSAGE:
        faults.append(f"the message is not one readable line ({len(message)} characters)")
    left = [path.name for path in settings.landing.glob("*") if path.name != ".lock"]
    left += [path.name for path in settings.quarantine.glob("*")]
    return [*faults, f"left behind: {left}"] if left else faults


def lost_lines(files: Files, batch: Path) -> list[str]:
    """Files of plain lines of which not every line that holds something is accounted for.

    Counted here by the bytes alone, so only for files whose lines cannot be anything but rows.
    """
    manifest = json.loads((batch / "manifest.json").read_text())
    faults = []
    for file in manifest["files"]:
        content = files.get(file["name"])
        if content is None or any(mark in content for mark in (b"\r", b"\0", b"Bundle", b"\x1f\x8b")):
            continue
        is_json = file["name"].endswith(".ndjson")
        if not is_json and (b'"' in content or not content.isascii() or not file["name"].endswith(".csv")):
            continue
        written = [line for line in content.split(b"\n") if line.strip()]
        rows = len(written) - (not is_json)
        if is_json and (rows < 2 or not all(line.startswith(b'{"') for line in written)):
            continue
        accounted = file["rows_in"] + sum(file["passed_over"].values())
        # A line of spaces may count as a row without values or as none.
        spaces = sum(1 for line in content.split(b"\n") if line and not line.strip())
        if not rows <= accounted <= rows + spaces:
            faults.append(f"{file['name']} has {rows} rows, {accounted} are accounted for")
    return faults


def run(names: list[str], report: Callable[[str, str, list[str]], None]) -> None:
    """Run the cases called `names`, one after another in one scratch folder."""
    with tempfile.TemporaryDirectory(prefix="ccm-fuzz-") as folder:
        for name in names:
            report(name, *run_case(name, Path(folder)))


def cases(count: int, seed: int) -> list[str]:
    """Names of `count` cases, the samples in turn."""
    samples = sorted(SAMPLES)
    return [f"{samples[number % len(samples)]}/{seed}/{number}" for number in range(count)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="name of one case")
    chosen = parser.parse_args(arguments)
    outcomes: dict[str, Counter[str]] = {sample: Counter() for sample in sorted(SAMPLES)}
    failures = []

    def report(name: str, outcome: str, faults: list[str]) -> None:
        outcomes[name.rsplit("/", 2)[0]][outcome] += 1
        for fault in faults:
            failures.append(name)
            print(f"FAILED {name}: {fault}", flush=True)

    began = time.monotonic()
    run([chosen.only] if chosen.only else cases(chosen.cases, chosen.seed), report)
    kinds = sorted({kind for counts in outcomes.values() for kind in counts})
    print(f"{'format':<18}" + "".join(f"{kind:>13}" for kind in kinds) + f"{'tried':>13}")
    for sample, counts in outcomes.items():
        print(f"{sample:<18}" + "".join(f"{counts[kind]:>13}" for kind in kinds) + f"{counts.total():>13}")
    together = sum(outcomes.values(), Counter[str]())
    print(f"{'all':<18}" + "".join(f"{together[kind]:>13}" for kind in kinds) + f"{together.total():>13}")
    print(f"{len(failures)} failures in {time.monotonic() - began:.0f} seconds")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
