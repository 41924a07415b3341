"""The main job from extract files to pages, through Dagster in one process, and the record of the run."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from pipelines import faults, run_records
from pipelines.extracts.landed import manifests
from pipelines.lineage import code_version, policy_version
from pipelines.progress import Progress
from pipelines.publish import publication
from pipelines.run_lock import only_writer
from pipelines.settings import Settings
from pipelines.window import NothingLanded

# The embedded default: small enough for a minute, large enough that every state and rule occurs.
DEFAULT_POPULATION = {"people": 5_000, "months": 36, "seed": 1}
DAGSTER = """\
telemetry:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
run_monitoring:
  enabled: true
  start_timeout_seconds: 600
"""
TOOLS = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "polars", "pyarrow")


@dataclass(frozen=True)
class Request:
    """One call of `ccm run`: `extracts` None means the simulated population, or with `landed` what is landed and nothing new."""

    settings: Settings
    extracts: Path | None = None
    format: str = "auto"
    as_of: date | None = None
    through: date | None = None
    received: date | None = None
    landed: bool = False


def run(request: Request) -> int:
    """Run the main job; returns the exit status (0 done, 1 stopped) and writes `run.json` and `quality.json`.

    Raises `UnreadableExtract` when the delivery cannot be read, `LandingError` when it cannot be landed in this folder,
    `NothingLanded` when nothing was received by `as_of` and `Busy` when another run holds the folder.
    """
    from pipelines.extracts.delivery import UnreadableExtract
    from pipelines.extracts.landing import LandingError

    settings = request.settings
    with only_writer(settings, "run"):
        try:
            return run_alone(request)
        except (UnreadableExtract, NothingLanded, LandingError) as problem:
            run_records.stopped_early(settings, "step landing", problem)
            raise
        except Exception as problem:
            if not faults.is_from_outside(problem):
                raise
            fault = run_records.stopped_early(settings, "the run itself", problem)["fault"]
            says = fault["says"] if fault else faults.where(problem)
            print(f"ccm: the run stopped: {says}", file=sys.stderr)
            return 1


def run_alone(request: Request) -> int:
    """`run` for who already holds the output folder."""
    settings = request.settings
    prepare_folders(settings)
    progress = Progress()
    catch_up(settings)
    making = publication.begin(settings)
    extracts, received, format_ = request.extracts, request.received, request.format
    if extracts is None and not request.landed:
        with progress.step("simulated population"):
            extracts, received = simulated_delivery(settings)
        format_ = "practice"
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with progress.step("start"):
        import dagster as dg

        from pipelines.definitions import JOB, RunContext, build

        context = RunContext(
            settings=making,
            extracts=extracts,
            format=format_,
            received=received,
            as_of=request.as_of,
            through=request.through,
            progress=progress,
        )
        job = build(context).resolve_job_def(JOB)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet)
    if context.unreadable is not None:
        raise context.unreadable
    if context.batch is not None:
        from pipelines.extracts.landing import told

        for line in told(settings, context.batch):
            print(line)
    write_quality(settings, context.outcomes)
    record = run_record(context, result, what_failed(result, settings))
    run_records.keep(settings, record)
    if context.published:
        publication.write_record(settings.published_record, record)
    for line in summary(settings, record) if result.success else stopped(record):
        print(line, file=sys.stdout if result.success else sys.stderr)
    return 0 if result.success else 1


def remember(settings: Settings) -> bool:
    """Add to the ledger what the publication that stands showed; whether there was anything new."""
    from pipelines import ledger
    from pipelines.disparity import reach

    standing = replace(settings, in_the_making=False)
    added = ledger.remember_findings(standing)
    reach.remember(standing)
    publication.remembered(standing)
    return added is not None


def catch_up(settings: Settings) -> None:
    """Enter what the last publication showed into the ledger, where the run that made it was cut off before it could."""
    if publication.is_remembered(settings):
        return
    try:
        remember(settings)
    except duckdb.Error:
        print(
            f"ccm: {settings.warehouse} is damaged: what the last run showed is missing in the ledger; the warehouse is built anew",
            file=sys.stderr,
        )
        publication.remembered(settings)


def prepare_folders(settings: Settings) -> None:
    """Make the folders of a run, and drop what an interrupted one left in `tmp/`; for who holds the output folder."""
    shutil.rmtree(settings.temporary, ignore_errors=True)
    (settings.dbt_target / "run_results.json").unlink(missing_ok=True)
    settings.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    prepare_dagster(settings)


def prepare_dagster(settings: Settings) -> None:
    """Make Dagster's home under the output folder: its storage, and one monthly run at a time."""
    for database in settings.dagster_home.rglob("*.db"):
        if not is_sound(database):
            print("ccm: Dagster's history is damaged and begins anew; no data are concerned", file=sys.stderr)
            shutil.rmtree(settings.dagster_home)
            break
    settings.dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (settings.dagster_home / "dagster.yaml").write_text(DAGSTER)


def is_sound(database: Path) -> bool:
    """Whether SQLite can read a database; one without tables may be in the making by a daemon that runs."""
    try:
        with closing(sqlite3.connect(database)) as con:
            return bool(con.execute("pragma quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True  # it is locked, or cannot be read just now: Dagster will say
    except sqlite3.Error:
        return False


def simulated_delivery(settings: Settings) -> tuple[Path, date]:
    """The embedded default's extracts (made once) and the day they count as received: the day they were extracted."""
    from pipelines.simulate import simulate

    folder = settings.out / "simulated"
    wanted = json.dumps(DEFAULT_POPULATION, sort_keys=True)
    mark = folder / "population.json"
    if not (mark.exists() and mark.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        simulate(out=folder, **DEFAULT_POPULATION)
        mark.write_text(wanted)
    truth = json.loads((folder / "truth" / "truth.json").read_text())
    return folder / "extracts", date.fromisoformat(truth["extract_date"])


def what_failed(result: Any, settings: Settings) -> list[str]:
    """Names of failed steps, blocking checks and dbt nodes; never their messages, which can quote rows."""
    failed = [
        f"check {evaluation.check_name} on {evaluation.asset_key.to_user_string()}"
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.severity.value == "ERROR"
    ]
    failed += [f"step {event.step_key}" for event in result.all_events if event.is_step_failure]
    # A dbt test of several models belongs to no one asset, so only dbt itself names it.
    results = settings.dbt_target / "run_results.json"
    if results.exists():
        failed += [
            f"dbt {node['unique_id']}"
            for node in json.loads(results.read_text())["results"]
            if node["status"] in {"error", "fail"}
        ]
    return failed


def stopped(record: dict[str, Any]) -> list[str]:
    """What is said of a run that stopped: what is published, the fault and what to do where it is known, and what failed."""
    what = "what it made is published" if record["published"] else "nothing was published"
    fault = record["fault"]
    return [
        f"The run stopped; {what}." + (f" {fault['says'][:1].upper()}{fault['says'][1:]}." if fault else ""),
        *(f"  failed: {name}" for name in record["failed"]),
    ]


def fault_behind(result: Any, settings: Settings) -> faults.Fault | None:
    """The fault of the machine that made steps or dbt's nodes fail, if it was one; their texts are searched and not kept."""
    if result.success:
        return None
    texts = [
        event.step_failure_data.error.to_string()
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.error
    ]
    results = settings.dbt_target / "run_results.json"
    if results.exists():
        nodes = json.loads(results.read_text())["results"]
        texts += [str(node.get("message")) for node in nodes if node["status"] == "error"]
    for log in ("build.log", "proposals.log"):
        if (settings.dbt_target / log).exists():
            texts.append((settings.dbt_target / log).read_text(errors="replace")[-20_000:])
    return faults.diagnose(texts)


def write_quality(settings: Settings, outcomes: list[Any]) -> None:
    """What was checked and found, as counts: every expectation's outcome, and dbt's results by node."""
    results = settings.dbt_target / "run_results.json"
    nodes = json.loads(results.read_text())["results"] if results.exists() else []
    found = {
        "expectations": [outcome.as_dict() for outcome in outcomes],
        "dbt": [
            {"node": node["unique_id"], "status": node["status"], "failures": node.get("failures")}
            for node in nodes
        ],
    }
    (settings.out / "quality.json").write_text(json.dumps(found, indent=1) + "\n")


def peak_memory_bytes() -> int:
    """Largest resident size of this process or any one child, in bytes (Linux reports kilobytes)."""
    own, children = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(own, children) * 1024


def what_was_asked(context: Any) -> dict[str, Any]:
    """What a run was made from: enough to build the same rows again from landing."""
    batches = manifests(context.settings)
    window = context.window() if batches else None
    made_from = context.lineage() if batches else None
    return {
        "as_of": window.as_of if window else None,
        "through": window.through.isoformat()[:7] if window else None,
        "policy_version": policy_version(),
        "versions": {
            "code": code_version(),
            "python": platform.python_version(),
            **{tool: version(tool) for tool in TOOLS},
        },
        "lineage": asdict(made_from) if made_from else None,
        "inputs": [
            {
                **{key: batch.get(key) for key in ("batch_id", "format", "received_date", "files")},
                "is_read": made_from is not None and batch["batch_id"] in made_from.batches,
            }
            for batch in batches
        ],
    }


def run_record(context: Any, result: Any, failures: list[str]) -> dict[str, Any]:
    """Everything `run.json` holds: what was asked, what came of it and what it took."""
    evaluations = result.get_asset_check_evaluations()
    return {
        "success": result.success,
        "published": context.published,
        "failed": failures,
        "fault": run_records.as_fact(fault_behind(result, context.settings)),
        "breaches": run_records.breaches(context.outcomes),
        **what_was_asked(context),
        "dagster_run_id": result.run_id,
        "rows": row_counts(replace(context.settings, in_the_making=False)) if result.success else {},
        "checks": {
            "passed": sum(one.passed for one in evaluations),
            "failed": sum(not one.passed for one in evaluations),
            "expectations": len(context.outcomes),
            "expectations_failed": sum(not one.success for one in context.outcomes),
        },
        "seconds_by_step": context.progress.seconds_by_step,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def row_counts(settings: Settings) -> dict[str, int]:
    """Rows of every table and view of the warehouse outside staging, by `schema.table`."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        names = con.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('core', 'marts', 'flags', 'reports') and table_type = 'BASE TABLE' order by all"
        ).fetchall()
        union = " union all ".join(f"select '{s}.{t}', count(*) from {s}.{t}" for s, t in names)
        return dict(con.execute(union).fetchall()) if names else {}


def summary(settings: Settings, record: dict[str, Any]) -> list[str]:
    """The last lines on the terminal: what the run found, and where it is."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:

        def one(query: str) -> Any:
            row = con.execute(query).fetchone()
            return row[0] if row and row[0] is not None else 0

        month = f"date '{record['through']}-01'"
        states = f"from marts.capture_months where has_coverage_row and service_month = {month}"
        findings = con.execute(
            "select severity, count(*), sum(amount_usd) from flags.findings where review_state <> 'closed'"
            " group by severity order by severity"
        ).fetchall()
        lines = [
            "",
            f"Through {record['through']}, as of {record['as_of']}, policy {record['policy_version']}",
            f"  people with coverage in {record['through']}: {one(f'select count(*) {states}'):,}",
            "  eligible and served by nobody:      "
            f"{one(f'''select count(*) {states} and state = 'eligible_not_served' '''):,}",
            f"  billed:                             {one(f'select count(*) {states} and billed_usd > 0'):,}",
            "  supported but not billed, all months: "
            f"${one('select sum(gap_usd) from marts.capture_months where gap_usd > 0'):,.2f}",
            "    of it ready to be billed, no rule objects: "
            f"${one('''select sum(gap_usd) from reports.billing_proposals where proposal = 'ready' '''):,.2f}",
            *(
                f"  findings, {severity}: {count:,} (${amount or 0:,.2f} paid)"
                for severity, count, amount in findings
            ),
            f"  rows quarantined: {one('select sum(rows) from reports.quarantine_summary'):,}"
            f" ({one('select sum(rows_resolved) from reports.quarantine_summary'):,} of them since corrected)",
            "",
            f"  pages       {settings.reports / 'index.html'}",
            f"  worklists   {settings.worklists}/",
            f"  tables      {settings.tables}/",
            f"  warehouse   {settings.warehouse}",
            f"  quarantine  {settings.quarantine}/",
            f"  record      {settings.run_record}",
        ]
    return lines
