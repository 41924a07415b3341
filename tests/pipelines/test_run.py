"""The main job as a user calls it: what it leaves behind, that it repeats, and that it stops when it should."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import polars.selectors as cs
import pytest

from pipelines.ledger import SIGHTINGS
from pipelines.publish.tables import PUBLISHED
from pipelines.review import review
from pipelines.settings import DBT_PROJECT, Settings
from tests.engines.held_work import held, works, worse
from tests.pipelines.canary import PUBLISHABLE_TABLES, leaks, leaks_in_tables, plant

PEOPLE, MONTHS = 1_000, 12


def ccm_run(extracts: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        "--extracts",
        str(extracts),
        "--out",
        str(out),
        *more,
    ]
    # Its own home and place for temporary files, so that what is left there is seen as well.
    left = out.parent / "left_behind"
    places = {name: str(left / name) for name in ("TMPDIR", "HOME")}
    for place in places.values():
        Path(place).mkdir(parents=True, exist_ok=True)
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **places})


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipelines.simulate import simulate

    folder = tmp_path_factory.mktemp("simulated")
    simulate(PEOPLE, MONTHS, 3, folder)
    plant(folder / "extracts")
    return folder / "extracts"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("main_job") / "out"


@pytest.fixture(scope="module")
def first(extracts: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return ccm_run(extracts, out, "--received", "2026-03-31")


def published(out: Path) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(out / "tables" / f"{name}.parquet") for name in PUBLISHED}


def test_a_run_ends_with_exit_status_0_and_says_where_everything_is(
    first: subprocess.CompletedProcess[str], out: Path
) -> None:
    assert first.returncode == 0, first.stderr
    for path in ("reports/index.html", "worklists", "tables", "warehouse.duckdb", "quarantine", "run.json"):
        assert str(out / path) in first.stdout
        assert (out / path).exists()
    assert "Traceback" not in first.stderr


def test_no_model_does_more_than_it_is_known_to(first: subprocess.CompletedProcess[str], out: Path) -> None:
    """Tables read, rows and pairs (`tests/engines/held_work.py`): counts that are the same on every machine."""
    assert first.returncode == 0
    known = held()
    done, rows = works(out)
    found = {work.model: says for work in done if (says := worse(known.get(work.model), work, rows))}
    assert found == {}, "change the model, or hold what it has to do (tests/engines/held_work.py)"
    assert set(known) <= {work.model for work in done}, "nothing is held of models that are gone"


def test_every_published_table_has_the_rows_that_the_run_record_says(
    first: subprocess.CompletedProcess[str], out: Path
) -> None:
    record = json.loads((out / "run.json").read_text())
    for name, rows in published(out).items():
        assert rows.height == record["rows"][f"{PUBLISHED[name][0]}.{name}"], name
    assert record["success"] is True and record["failed"] == []
    assert record["as_of"] == "2026-03-31" and record["through"] == "2025-12"
    assert record["checks"]["failed"] == 0 and record["checks"]["expectations"] > 50
    assert {"landing", "contract checks", "warehouse", "release checks", "pages"} <= set(
        record["seconds_by_step"]
    )


def test_every_row_that_came_in_is_landed_or_quarantined(
    first: subprocess.CompletedProcess[str], extracts: Path, out: Path
) -> None:
    record = json.loads((out / "run.json").read_text())
    counted = {item["name"]: item for batch in record["inputs"] for item in batch["files"]}
    for path in extracts.glob("*.parquet"):
        item = counted[path.name]
        assert item["rows_in"] == pl.scan_parquet(path).select(pl.len()).collect().item()
        assert item["rows_in"] == item["rows_landed"] + item["rows_quarantined"]


def test_contract_checks_run_before_the_warehouse_is_built(
    first: subprocess.CompletedProcess[str],
) -> None:
    steps = [line.split(":")[0] for line in first.stderr.splitlines() if line.endswith(" s")]
    assert steps.index("landing") < steps.index("contract checks") < steps.index("warehouse")
    assert steps.index("warehouse") < steps.index("release checks") < steps.index("tables")


def test_the_run_and_its_checks_are_recorded_in_dagster(
    first: subprocess.CompletedProcess[str], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((out / "run.json").read_text())
    assert list((out / "dagster").rglob("*.db"))
    with sqlite3.connect(out / "dagster" / "history" / "runs.db") as runs:
        statuses = dict(runs.execute("select run_id, status from runs").fetchall())
    assert statuses[record["dagster_run_id"]] == "SUCCESS"
    # Counts stand beside the tables: what the UI shows of the asset is what the record says.
    monkeypatch.setenv("DAGSTER_HOME", str(out / "dagster"))
    with dg.DagsterInstance.get() as instance:
        for table in ("marts.capture_months", "flags.findings", "reports.rpt_funnel"):
            key = dg.AssetKey(table.split("."))
            (seen,) = instance.fetch_observations(key, limit=1).records
            assert seen.asset_observation is not None
            assert seen.asset_observation.metadata["dagster/row_count"].value == record["rows"][table]


def test_no_planted_value_reaches_a_log_a_record_a_page_or_a_file_left_behind(
    first: subprocess.CompletedProcess[str], out: Path
) -> None:
    people = pl.read_parquet(out / "tables" / "eligibility_months.parquet")["beneficiary_id"]
    assert people.str.starts_with("CANARY").all() and people.n_unique() > 100
    quarantined = pl.read_parquet(out / "quarantine")["source_text"].str.join("").item()
    assert "CANARY_BAD_birth_date" in quarantined and "CANARY_BAD_paid_usd" in quarantined
    assert leaks(first.stdout, first.stderr, folders=(out, out.parent / "left_behind")) == []
    assert leaks_in_tables(out / "warehouse.duckdb") == []


# Report table -> the numbers before suppression, its keys, and the column of people.
HIDING = {
    "rpt_capture_by_month": ("reports_internal.int_capture_cells", ("service_month", "state"), "people"),
    "rpt_attrition_by_month": (
        "reports_internal.int_attrition_cells",
        ("service_month", "state", "criterion"),
        "people",
    ),
    "rpt_capture_by_year": (
        "(select cast(extract(year from service_month) as integer) as service_year, state,"
        " count(distinct beneficiary_id) as people from marts.capture_months where has_coverage_row group by all)",
        ("service_year", "state"),
        "people",
    ),
    "rpt_funnel": (
        "(select chain as period, step, people from reports_internal.int_funnel_counts)",
        ("period", "step"),
        "people",
    ),
    "rpt_condition_prevalence": (
        "reports_internal.int_condition_cells",
        ("definition", "condition"),
        "people",
    ),
    "rpt_flags_by_rule": (
        "(select rule_id, status, count(*) as subjects from flags.rule_results group by all)",
        ("rule_id", "status"),
        "subjects",
    ),
    "shown_measure_counts": (
        "(unpivot (select year(period_start) as year, * exclude (period, period_start) from marts.fct_measure_counts"
        " where period = 'year') on columns(* exclude (year, group_kind, group_value)) into name count value value"
        " union all unpivot (select service_year as year, cell_kind as group_kind, cell as group_value, eligible_people, paid_people"
        " from marts.fct_uptake_cells where group_kind = 'everybody' and cell_kind in ('practice', 'county'))"
        " on eligible_people, paid_people into name count value value)",
        ("year", "group_kind", "group_value", "count"),
        "value",
    ),
}


def test_what_a_run_shows_passes_the_audit_of_everything_together(
    first: subprocess.CompletedProcess[str], out: Path
) -> None:
    from pipelines.quality import disclosure

    with duckdb.connect(str(out / "warehouse.duckdb"), read_only=True) as con:
        (shown,) = disclosure.outcomes(con)
    assert shown.success and shown.blocking and shown.rows > 100 and shown.unexpected == 0


@pytest.mark.parametrize("table", HIDING)
def test_a_table_that_hides_too_little_stops_the_run(
    table: str, first: subprocess.CompletedProcess[str], out: Path, tmp_path: Path
) -> None:
    """Every hidden number of one table is shown: the audit of everything together tells, and says no number. What a run
    hides before the audit hides as much again: tried on two of them, as it takes a while."""
    from pipelines.disparity import closing
    from pipelines.quality import disclosure

    truth, keys, column = HIDING[table]
    shutil.copy(out / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    same = " and ".join(f"shown.{key} = cells.{key}" for key in keys)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        row = con.execute(
            "select table_type from information_schema.tables where table_name = ?", [table]
        ).fetchone()
        rows = f"select shown.* replace (cells.{column} as {column}) from reports.{table} as shown join {truth} as cells on {same}"
        con.execute(f"create table leaking as {rows}")
        con.execute(f"drop {'view' if row == ('VIEW',) else 'table'} reports.{table}")
        con.execute(f"create table reports.{table} as from leaking")
        after = disclosure.outcomes(con)[0]
        assert not after.success and after.unexpected > 0
        if table in ("rpt_capture_by_month", "rpt_funnel"):
            assert closing.close(con, 10) >= 1
            assert disclosure.outcomes(con)[0].success


def test_files_hold_what_the_tables_show(first: subprocess.CompletedProcess[str], out: Path) -> None:
    """Downloads beside the pages and the publishable Parquet files: row by row the tables that the audit asked about."""
    with duckdb.connect(str(out / "warehouse.duckdb"), read_only=True) as con:
        files = sorted((out / "reports" / "data").glob("*.csv"))
        assert len(files) > 8
        for path in files:
            told = con.execute(f"select * from read_csv('{path}', all_varchar = true)").fetchall()
            held = con.execute(f"select columns(*)::varchar from reports.{path.stem}").fetchall()
            assert len(told) == len(held), path.name
            for column in con.execute(f"select * from read_csv('{path}', all_varchar = true)").pl().columns:
                hidden = f"select count(*) filter (where {column} is null or {column}::varchar = '')"
                assert (
                    con.execute(f"{hidden} from reports.{path.stem}").fetchone()
                    == con.execute(f"{hidden} from read_csv('{path}', all_varchar = true)").fetchone()
                ), (path.name, column)
        for name in PUBLISHABLE_TABLES:
            path = out / "tables" / name
            changed = con.execute(
                f"(from '{path}' except all from reports.{path.stem}) union all (from reports.{path.stem} except all from '{path}')"
            ).fetchall()
            assert changed == [], name


def test_nothing_is_left_in_temporary_folders(first: subprocess.CompletedProcess[str], out: Path) -> None:
    assert not (out / "building").exists()
    left = [
        path for place in (out / "tmp", out.parent / "left_behind" / "TMPDIR") for path in place.rglob("*")
    ]
    assert [path for path in left if path.is_file()] == []


def test_everything_written_is_its_owners_only(first: subprocess.CompletedProcess[str], out: Path) -> None:
    written = [path for path in [out, *out.rglob("*")] if not path.is_symlink()]
    assert len(written) > 100
    assert [str(path.relative_to(out)) for path in written if path.stat().st_mode & 0o077] == []


def test_every_notebook_runs_on_the_population_and_becomes_a_page(
    first: subprocess.CompletedProcess[str], out: Path
) -> None:
    """All of them, with an argument; no page names a person or asks the network for anything."""
    from pipelines.notebooks.execute import names

    command = [sys.executable, "-m", "pipelines.cli", "notebooks", "--out", str(out), "--set", "year=2025"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    pages = sorted((out / "reports" / "notebooks").glob("*.html"))
    assert [path.stem for path in pages] == names()
    people = set(pl.read_parquet(out / "tables" / "eligibility_months.parquet")["beneficiary_id"])
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "<table" in text or "<svg" in text, path.name
        assert not re.search(r"(src|href)=[\"']?https?:", text), path.name
        assert not people & set(re.findall(r"\w+", text)), path.name


def test_faults_are_survived(first: subprocess.CompletedProcess[str], out: Path, tmp_path: Path) -> None:
    """A few trials of the harness on what the first run built; docs/operations.md counts all of them."""
    to = tmp_path / "counts.json"
    command = [sys.executable, "-m", "tests.faults.harness", "--quick", "--people", "20"]
    command += [
        "--template",
        str(out / "warehouse.duckdb"),
        "--place",
        str(tmp_path / "place"),
        "--to",
        str(to),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    total = json.loads(to.read_text())["total"]
    assert total["tried"] == total["survived"] >= 3


def test_a_second_run_on_the_same_input_gives_the_same_rows_and_carries_a_review(
    first: subprocess.CompletedProcess[str], extracts: Path, out: Path
) -> None:
    before = published(out)
    sightings = sorted((out / "ledger" / SIGHTINGS).iterdir())
    assert [path.name for path in sightings] == ["000000.parquet", "2026-03-31.000001.parquet"]
    reviewed = before["findings"]["finding_id"][0]
    review(Settings(out=out), reviewed, "dismissed", "looked at")
    again = ccm_run(extracts, out)
    assert again.returncode == 0, again.stderr
    after = published(out)
    # the run showed the same, so it adds nothing to the ledger
    assert sorted((out / "ledger" / SIGHTINGS).iterdir()) == sightings
    states = dict(after["findings"].select("finding_id", "review_state").iter_rows())
    assert {state for finding, state in states.items() if finding != reviewed} == {"open"}
    assert states[reviewed] == "dismissed"
    for rows in (before, after):
        rows["findings"] = rows["findings"].select(~cs.starts_with("review"))
    for name, rows in before.items():
        assert rows.equals(after[name]), name
    assert len(list((out / "landing").glob("batch-*"))) == 1


def test_an_unreadable_file_is_exit_status_2_and_leaves_what_was_published(
    first: subprocess.CompletedProcess[str], tmp_path: Path, out: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "claims-CANARY_Smith.csv").write_bytes(b"\x00\x01\x02" * 5000)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (out / "tables").iterdir())
    done = ccm_run(broken, out, "--format", "practice")
    assert done.returncode == 2
    assert "claims-CANARY_Smith.csv" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert leaks(folders=(out,)) == []
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in (out / "tables").iterdir())


def test_a_month_without_policy_stops_the_run_and_publishes_nothing(extracts: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    shutil.copytree(extracts, later)
    months = pl.read_parquet(later / "enrollment_months.parquet")
    extra = months.filter(pl.col("service_month").cast(pl.String) == "2025-12-01").with_columns(
        pl.lit(date(2027, 1, 1)).cast(months.schema["service_month"]).alias("service_month")
        if months.schema["service_month"] == pl.Date
        else pl.lit("2027-01-01").alias("service_month")
    )
    pl.concat([months, extra]).write_parquet(later / "enrollment_months.parquet")
    done = ccm_run(later, tmp_path / "out", "--received", "2027-03-31")
    assert done.returncode == 1
    assert "every_month_has_a_policy_in_force" in done.stderr
    assert not (tmp_path / "out" / "tables").exists()
    assert not (tmp_path / "out" / "reports" / "index.html").exists()
    assert leaks(done.stdout, done.stderr, folders=(tmp_path / "out", tmp_path / "left_behind")) == []


def test_a_delivery_without_claims_fails_its_contract_before_anything_is_built(
    extracts: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(extracts, empty)
    for name in ("claims", "claim_lines", "claim_diagnoses"):
        pl.read_parquet(empty / f"{name}.parquet").clear().write_parquet(empty / f"{name}.parquet")
        (empty / f"{name}-more.csv").unlink()
    done = ccm_run(empty, tmp_path / "out", "--received", "2026-03-31")
    assert done.returncode == 1
    assert "contract_claims" in done.stderr
    assert not (tmp_path / "out" / "warehouse.duckdb").exists()
    assert leaks(done.stdout, done.stderr, folders=(tmp_path / "out", tmp_path / "left_behind")) == []


# The run with one more model, which asks a number of every identifier; the build ends with it.
WITH_A_BAD_MODEL = """
import sys
from pathlib import Path
import pipelines.settings
pipelines.settings.DBT_PROJECT = Path(sys.argv[1])
from pipelines import warehouse
from pipelines.cli import main
warehouse.BUILD = [*warehouse.BUILD, "--fail-fast"]
sys.exit(main(["run", "--extracts", sys.argv[2], "--received", "2026-03-31", "--out", sys.argv[3]]))
"""


def test_an_error_of_the_engine_that_quotes_a_row_is_kept_nowhere(extracts: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    broken = project / "models" / "staging" / "stg_broken.sql"
    broken.write_text(
        "{{ config(materialized='table') }}"
        "select cast(beneficiary_id as integer) as number from {{ source('landing', 'beneficiaries') }}"
    )
    left = {name: str(tmp_path / "left_behind" / name) for name in ("TMPDIR", "HOME")}
    for place in left.values():
        Path(place).mkdir(parents=True)
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_BAD_MODEL, str(project), str(extracts), str(out)],
        capture_output=True, text=True, check=False, env={**os.environ, **left},
    )  # fmt: skip
    assert done.returncode == 1
    # what is told is enough to find the place: the model, and the kind of error beside it
    assert "dbt model.ccm.stg_broken" in done.stderr
    results = json.loads((out / "dbt" / "run_results.json").read_text())["results"]
    (told,) = [node["message"] for node in results if node["unique_id"] == "model.ccm.stg_broken"]
    assert "Conversion Error" in told
    assert leaks(done.stdout, done.stderr, folders=(out, tmp_path / "left_behind")) == []
