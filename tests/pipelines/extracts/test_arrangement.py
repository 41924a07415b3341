"""How a delivery is arranged means nothing: order of rows, files that they stand in, threads, sizes of blocks."""

from __future__ import annotations

import datetime
import random
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.extracts import json_resources, plain_text
from pipelines.extracts.contract import load_contracts
from pipelines.extracts.landing import LandedBatch, land
from pipelines.settings import Settings
from tests.pipelines.extracts import test_synpuf
from tests.pipelines.extracts.small_samples import SAMPLES, Files

RECEIVED = datetime.date(2024, 6, 30)
A_FEW = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a failing delivery is small; making it smaller takes minutes
)
FORMATS = ("practice", "rif", "cclf", "synpuf", "fhir")
HEADERLESS = ("cclf", "fhir")
MARKS = {"practice": ",", "rif": "|", "synpuf": ","}
SECOND_NAMES = {
    test_synpuf.CARRIER_A: test_synpuf.CARRIER_B,
    test_synpuf.PEOPLE_2008: test_synpuf.PEOPLE_2008.replace("Sample_1", "Sample_2"),
}
# What is done to a row: said again, cut, one cell or some characters made into something else.
SPOILING = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.sampled_from(("again", "cut", "blank", "odd", "other")),
        st.integers(0, 10_000),
    ),
    max_size=6,
)


def rows_of(format: str, files: Files) -> dict[str, tuple[list[str], list[str]]]:
    """Header lines (none or one) and rows of each file that holds rows."""
    kept = 0 if format in HEADERLESS else 1
    found = {name: content.decode().splitlines() for name, content in files.items()}
    return {name: (text[:kept], text[kept:]) for name, text in found.items() if not is_control(name)}


def is_control(name: str) -> bool:
    return ".ZC0Y" in name


def spoilt(format: str, rows: list[str], spoiling: list[tuple[int, str, int]]) -> list[str]:
    """`rows` with some of them changed and some said again."""
    rows = list(rows)
    for at, what, where in spoiling:
        at %= len(rows)
        if what == "again":
            rows.append(rows[at])
        elif what == "cut":
            rows[at] = rows[at][: max(1, where % len(rows[at]))]
        elif mark := MARKS.get(format):
            cells = rows[at].split(mark)
            cells[where % len(cells)] = {"blank": "", "odd": "?", "other": "7"}[what]
            rows[at] = mark.join(cells)
        else:
            place = where % max(1, len(rows[at]) - 3)
            rows[at] = (
                rows[at][:place]
                + {"blank": "   ", "odd": "?!?", "other": "777"}[what]
                + rows[at][place + 3 :]
            )
    return rows


def outcome(
    format: str, files: Files, **options: Any
) -> tuple[dict[str, list[tuple]], list[tuple], LandedBatch]:
    """Landed rows by table and quarantined rows, without where in the delivery they stood."""
    with tempfile.TemporaryDirectory(prefix="ccm-arrangement-") as place:
        folder = Path(place) / "extracts"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        where = Settings(out=Path(place) / "out", memory_limit="1GB", threads=options.get("threads", 1))
        batch = land(folder, where, format=format, received=RECEIVED)
        first = {path.name: path.read_bytes() for path in batch.folder.iterdir()}
        again = land(folder, where, format=format, received=RECEIVED + datetime.timedelta(days=30))
        assert again.already_landed
        assert {path.name: path.read_bytes() for path in batch.folder.iterdir()} == first
        assert len(list(where.landing.glob("batch-*"))) == 1
        landed = {}
        for table, contract in load_contracts().items():
            columns = ", ".join(column.name for column in contract.columns)
            source = f"read_parquet('{batch.folder / table}.parquet')"
            landed[table] = duckdb.sql(f"select {columns} from {source} order by all").fetchall()
        set_aside = duckdb.sql(
            f"""select table_name, column_name, reason, detail, source_text
                from read_parquet('{where.quarantine / batch.batch_id}.parquet') order by all"""
        ).fetchall()
        return landed, set_aside, batch


def written(rows: dict[str, tuple[list[str], list[str]]], rest: Files) -> Files:
    files = {
        name: "".join(f"{row}\n" for row in [*head, *body]).encode() for name, (head, body) in rows.items()
    }
    return files | {name: content for name, content in rest.items() if is_control(name)}


def second_name(format: str, name: str) -> str:
    if name in SECOND_NAMES:
        return SECOND_NAMES[name]
    stem, _, ending = name.partition(".")
    return f"{stem}{'-' if format == 'practice' else '_'}2.{ending}"


@pytest.mark.parametrize("format", FORMATS)
@A_FEW
@given(spoiling=SPOILING, seed=st.integers(0, 10_000))
def test_neither_order_nor_threads_change_what_lands(
    format: str, spoiling: list[tuple[int, str, int]], seed: int
) -> None:
    files = SAMPLES[format]()
    if format == "rif":
        spoiling = []  # what a spoilt row of this format does depends on what stood above it, by definition
    rows = {
        name: (head, spoilt(format, body, spoiling)) for name, (head, body) in rows_of(format, files).items()
    }
    landed, set_aside, batch = outcome(format, written(rows, files))
    assert batch.rows_in == batch.rows_landed + batch.rows_quarantined > 0
    draw = random.Random(seed)
    moved = {name: (head, draw.sample(body, len(body))) for name, (head, body) in rows.items()}
    assert outcome(format, written(moved, files), threads=2)[:2] == (landed, set_aside)


# The records of one file of a CCLF delivery are one file by definition: the control file counts them.
@pytest.mark.parametrize("format", [name for name in FORMATS if name != "cclf"])
@A_FEW
@given(spoiling=SPOILING, seed=st.integers(0, 10_000))
def test_splitting_files_changes_nothing(
    format: str, spoiling: list[tuple[int, str, int]], seed: int
) -> None:
    files = SAMPLES[format]()
    rows = {
        name: (head, spoilt(format, body, spoiling)) for name, (head, body) in rows_of(format, files).items()
    }
    landed, set_aside, _ = outcome(format, written(rows, files))
    draw, split = random.Random(seed), {}
    for name, (head, body) in rows.items():
        at = draw.randrange(len(body) + 1)
        split[name], split[second_name(format, name)] = (head, body[:at]), (head, body[at:])
    assert outcome(format, written(split, files))[:2] == (landed, set_aside)


@pytest.mark.parametrize("block", [64, 1_000])
def test_the_size_of_blocks_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {
        name: outcome(name.split()[0], SAMPLES[name]())[:2] for name in ("fhir", "fhir bundle", "rif")
    }
    monkeypatch.setattr(json_resources, "BLOCK", block)
    monkeypatch.setattr(plain_text, "CHUNK", block)
    for name, result in expected.items():
        assert outcome(name.split()[0], SAMPLES[name]())[:2] == result


def test_a_resource_larger_than_any_line_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = outcome("fhir", SAMPLES["fhir"]())[0]
    files = SAMPLES["fhir"]()
    together = b",".join(
        b'{"resource":' + line + b"}" for name in sorted(files) for line in files[name].splitlines()
    )
    bundle = b'{"resourceType":"Bundle","entry":[' + together + b'],"total":1}\n'
    monkeypatch.setattr(json_resources, "BLOCK", 500)
    monkeypatch.setattr(json_resources, "LONGEST", 3_000)
    assert outcome("fhir", {"everything.ndjson": bundle})[0] == expected
