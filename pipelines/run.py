"""The main job from extract files to pages, through Dagster in one process, and the record of the run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.progress import Progress
from pipelines.settings import POLICY_SEEDS, REPOSITORY, Settings

# The embedded default: small enough for a minute, large enough that every state and rule occurs.
DEFAULT_POPULATION = {"people": 5_000, "months": 36, "seed": 1}
TOOLS = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "polars", "pyarrow")


@dataclass(frozen=True)
class Request:
    """One call of `ccm run`: `extracts` None means the simulated population."""

    settings: Settings
    extracts: Path | None = None
    format: str = "auto"
    as_of: date | None = None
    through: date | None = None
    received: date | None = None


def run(request: Request) -> int:
    """Run the main job; returns the exit status (0 done, 1 stopped) and writes `run.json` and `quality.json`.

    Raises `UnreadableExtract` when the delivery cannot be read, `LandingError` when it cannot be landed in this folder and
    `NothingLanded` when nothing was received by `as_of`.
    """
    settings = request.settings
    prepare_folders(settings)
    progress = Progress()
    extracts, received, format_ = request.extracts, request.received, request.format
    if extracts is None:
        with progress.step("simulated population"):
            extracts, received = simulated_delivery(settings)
        format_ = "practice"
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with progress.step("start"):
        import dagster as dg

        from pipelines.definitions import JOB, RunContext, build

        context = RunContext(
            settings=settings,
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
    failures = what_failed(result, settings)
    write_quality(settings, context.outcomes)
    record = run_record(context, result, failures)
    settings.run_record.write_text(json.dumps(record, indent=1, default=str) + "\n")
    for line in summary(settings, record) if result.success else stopped(failures):
        print(line, file=sys.stdout if result.success else sys.stderr)
    return 0 if result.success else 1


def prepare_folders(settings: Settings) -> None:
    """Make the output folder private and Dagster's home in it, and drop what an interrupted run left in `tmp/`."""
    settings.out.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.rmtree(settings.temporary, ignore_errors=True)
    (settings.dbt_target / "run_results.json").unlink(missing_ok=True)
    for folder in (settings.temporary, settings.dagster_home):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (settings.dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")


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


def stopped(failures: list[str]) -> list[str]:
    return ["The run stopped; nothing was published.", *(f"  failed: {name}" for name in failures)]


def write_quality(settings: Settings, outcomes: list[Any]) -> None:
    """Every expectation's outcome as counts, for the data-quality page."""
    text = json.dumps([outcome.as_dict() for outcome in outcomes], indent=1)
    (settings.out / "quality.json").write_text(text + "\n")


def policy_version() -> str:
    """SHA-256 over the policy seeds, shortened: two runs with one value used the same policy."""
    digest = hashlib.sha256()
    for path in sorted(POLICY_SEEDS.glob("*.csv")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def code_version() -> str:
    """Git commit of the checkout, or the package's version outside one."""
    git = shutil.which("git")
    if git:
        found = subprocess.run(
            [git, "-C", str(REPOSITORY), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            return found.stdout.strip()
    return version("ccm-warehouse")


def peak_memory_bytes() -> int:
    """Largest resident size of this process or any one child, in bytes (Linux reports kilobytes)."""
    own, children = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(own, children) * 1024


def run_record(context: Any, result: Any, failures: list[str]) -> dict[str, Any]:
    """Everything `run.json` holds: enough to build the same rows again from landing."""
    settings = context.settings
    manifests = sorted(settings.landing.glob("batch-*/manifest.json"))
    batches = [json.loads(path.read_text()) for path in manifests]
    window = context.window() if batches else None
    evaluations = result.get_asset_check_evaluations()
    return {
        "success": result.success,
        "failed": failures,
        "as_of": window.as_of if window else None,
        "through": window.through.isoformat()[:7] if window else None,
        "policy_version": policy_version(),
        "versions": {
            "code": code_version(),
            "python": platform.python_version(),
            **{tool: version(tool) for tool in TOOLS},
        },
        "dagster_run_id": result.run_id,
        "inputs": [
            {key: batch.get(key) for key in ("batch_id", "format", "received_date", "files")}
            for batch in batches
        ],
        "rows": row_counts(settings) if result.success else {},
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
    import duckdb

    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        names = con.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('core', 'marts', 'flags', 'reports') and table_type = 'BASE TABLE' order by all"
        ).fetchall()
        union = " union all ".join(f"select '{s}.{t}', count(*) from {s}.{t}" for s, t in names)
        return dict(con.execute(union).fetchall()) if names else {}


def summary(settings: Settings, record: dict[str, Any]) -> list[str]:
    """The last lines on the terminal: what the run found, and where it is."""
    import duckdb

    with duckdb.connect(str(settings.warehouse), read_only=True) as con:

        def one(query: str) -> Any:
            row = con.execute(query).fetchone()
            return row[0] if row and row[0] is not None else 0

        month = f"date '{record['through']}-01'"
        states = f"from marts.capture_months where service_month = {month}"
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
