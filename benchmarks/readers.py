"""Speed and memory of each reader on what the simulator writes, against DuckDB reading the same bytes.

For every format: rows and MB a second of a whole landing (read, map, validate, write Parquet) in a process of
its own, its peak memory, and the ratio to two plain readings of the same files by DuckDB with the same limits:
counting the rows, and writing all columns as text to Parquet. Writes `benchmarks/results/readers-<size>MB.json`
and `benchmarks/results/readers.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import duckdb

from benchmarks.run import REPOSITORY, RESULTS, connect, measure
from pipelines.settings import Settings
from pipelines.simulate import simulate

FORMATS = ("practice", "rif", "cclf", "fhir")
SEED = 11
# Of a delivery this large memory no longer depends on the size.
DEFAULT_MB = 500
LAND = """
import datetime, sys
from pathlib import Path
from pipelines.extracts.landing import land
from pipelines.settings import Settings
folder, out, received, memory, threads = sys.argv[1:]
settings = Settings(out=Path(out), memory_limit=memory, threads=int(threads))
batch = land(Path(folder), settings, received=datetime.date.fromisoformat(received))
print(batch.rows_in, batch.rows_quarantined, batch.format)
"""


def size_of(folder: Path) -> int:
    """Bytes of the payer's files, those that the reader of the format takes."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def make(format: str, megabytes: int, months: int, root: Path) -> tuple[Path, str]:
    """A simulated delivery of at least so many MB; its folder and the day it was received."""
    kind = {"files": "csv"} if format == "practice" else {}
    probe = simulate(500, months, SEED, root / "probe", format=format, **kind)  # type: ignore[arg-type]
    each = size_of(root / "probe" / "extracts") / 500
    # Chunks differ a little in size; five in a hundred are enough to be sure.
    people = int(megabytes * 1_000_000 / each * 1.05)
    simulate(people, months, SEED, root / "made", format=format, **kind)  # type: ignore[arg-type]
    return root / "made" / "extracts", str(probe["extract_date"])


def plain_readings(format: str, folder: Path, settings: Settings, scratch: Path) -> dict[str, float]:
    """Seconds in which DuckDB counts the rows of the same files, and in which it writes them to Parquet."""
    con = connect(settings.memory_limit, settings.threads, scratch)
    selects = [_as_it_is(format, path) for path in sorted(folder.iterdir()) if path.is_file()]
    counted = converted = 0.0
    for number, select in enumerate(selects):
        started = time.perf_counter()
        con.execute(f"select count(*) from ({select})").fetchall()
        counted += time.perf_counter() - started
        started = time.perf_counter()
        target = scratch / f"plain-{number}.parquet"
        con.execute(f"copy ({select}) to '{target}' (format parquet, compression zstd)")
        converted += time.perf_counter() - started
        target.unlink()
    return {"count_seconds": counted, "parquet_seconds": converted}


def _as_it_is(format: str, path: Path) -> str:
    if format in ("cclf", "fhir") and path.suffix != ".csv":
        # A line as one value: there are no columns to find without the layout.
        return (
            f"select * from read_csv('{path}', columns = {{'line': 'VARCHAR'}}, auto_detect = false, "
            "header = false, delim = '\x1f', quote = '', escape = '', max_line_size = 16000000)"
        )
    delimiter = "|" if format == "rif" else ","
    return f"select * from read_csv('{path}', delim = '{delimiter}', header = true, all_varchar = true)"


def one(format: str, megabytes: int, months: int, settings: Settings) -> dict[str, object]:
    """Every figure of one format."""
    with tempfile.TemporaryDirectory(dir=settings.out) as temporary:
        root = Path(temporary)
        folder, received = make(format, megabytes, months, root)
        size = size_of(folder)
        report = root / "report.txt"
        command = [
            *(sys.executable, "-c", f"import sys; sys.stdout = open({str(report)!r}, 'w')\n{LAND}"),
            *(str(folder), str(root / "out"), received, settings.memory_limit, str(settings.threads)),
        ]
        measured = measure(command, {**os.environ, "PYTHONPATH": str(REPOSITORY)})
        rows, quarantined, found = report.read_text().split()
        assert found == format, found
        scratch = root / "scratch"
        scratch.mkdir()
        plain = plain_readings(format, folder, settings, scratch)
    return {
        "format": format,
        "megabytes": size / 1e6,
        "rows": int(rows),
        "rows_quarantined": int(quarantined),
        "rows_a_second": int(rows) / measured.wall_seconds,
        "megabytes_a_second": size / 1e6 / measured.wall_seconds,
        "ratio_to_count": measured.wall_seconds / plain["count_seconds"],
        "ratio_to_parquet": measured.wall_seconds / plain["parquet_seconds"],
        **asdict(measured),
        **plain,
    }


def table(results: list[dict[str, object]], settings: Settings) -> str:
    """The figures as Markdown."""
    lines = [
        "# Readers",
        "",
        f"One landing each (read, map, validate, write Parquet) with {settings.threads} threads and a memory limit of "
        f"{settings.memory_limit} for the engine, on {os.cpu_count()} cores; DuckDB {duckdb.__version__}, Python "
        f"{platform.python_version()}. Plain readings: DuckDB over the same files with the same limits and no mapping.",
        "",
        "| format | MB | rows | seconds | rows/s | MB/s | peak MB | times counting the rows | times text to Parquet |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        peak = float(str(result["peak_bytes"])) / 1e6
        lines.append(
            f"| {result['format']} | {result['megabytes']:,.0f} | {result['rows']:,} | {result['wall_seconds']:.1f} "
            f"| {result['rows_a_second']:,.0f} | {result['megabytes_a_second']:.1f} | {peak:,.0f} "
            f"| {result['ratio_to_count']:.1f} | {result['ratio_to_parquet']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the formats asked for and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--megabytes", type=int, default=DEFAULT_MB, help="least size of a delivery")
    parser.add_argument("--months", type=int, default=18)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    settings = Settings(out=asked.scratch, memory_limit=asked.memory_limit, threads=asked.threads)
    results = []
    for format in asked.formats:
        results.append(one(format, asked.megabytes, asked.months, settings))
        print(json.dumps(results[-1]), flush=True)
    asked.results.mkdir(exist_ok=True)
    target = asked.results / f"readers-{asked.megabytes}MB.json"
    target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (asked.results / "readers.md").write_text(table(results, settings), encoding="utf-8")


if __name__ == "__main__":
    main()
