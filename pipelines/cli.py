"""The `ccm` command. Imports what a call needs when it needs it, so that `--help` and `rules` start at once.

Exit status: 0 done, 1 the run stopped on a bad table or a failed step, 2 bad arguments or unreadable input.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.extracts.detect import FORMATS as READERS

if TYPE_CHECKING:
    from pipelines.settings import Settings

FORMATS = ("auto", *READERS)
TARGETS = ("duckdb", "spark")


class Usage(Exception):
    """Bad arguments or unreadable input: one clear line, exit status 2."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # Whatever is written holds patients' data or stands beside it: its owner's only.
    os.umask(0o077)
    parser = make_parser()
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.call(chosen))
    except Usage as problem:
        print(f"ccm: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ccm: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who read the output has gone, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as problem:
        from pipelines.faults import of_error, where
        from pipelines.settings import Locked

        if isinstance(problem, Locked):
            print(f"ccm: {problem}", file=sys.stderr)
            return 2
        # Never the message: engines quote rows in theirs.
        fault = of_error(problem)
        print(
            f"ccm: {fault.says if fault else f'stopped by a fault of the program: {where(problem)}'}",
            file=sys.stderr,
        )
        return 1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ccm", description="Chronic Care Management warehouse")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, call: object, says: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says, description=says)
        made.set_defaults(call=call)
        return made

    def out(made: argparse.ArgumentParser) -> None:
        made.add_argument("--out", type=Path, help="output folder (default: out)")

    run = command("run", do_run, "the whole main job, from extract files to pages")
    run.add_argument(
        "--extracts",
        type=Path,
        help="folder or zip archive of one delivery (default: a simulated population)",
    )
    run.add_argument("--landed", action="store_true", help="no delivery: build from what is landed")
    run.add_argument("--wait", action="store_true", help="wait for another run of the folder to end")
    run.add_argument("--format", choices=FORMATS, default="auto", help="format of the delivery")
    run.add_argument(
        "--as-of", type=day, help="read only what was received by then (default: the newest delivery)"
    )
    run.add_argument("--through", type=month, help="last service month (default: the last enrolment month)")
    run.add_argument("--received", type=day, help="day the delivery was received (default: today)")
    run.add_argument(
        "--target", choices=TARGETS, default="duckdb", help="engine that builds the models (docs/scale.md)"
    )
    run.add_argument("--conditions", help="published variant of two chronic conditions to screen by")
    run.add_argument(
        "--compare-conditions", action="store_true", help="build every variant, to lie side by side"
    )
    out(run)

    backfill = command(
        "backfill",
        do_backfill,
        "the runs of a range of months again, each from landing into a folder of its own",
    )
    backfill.add_argument("--from", dest="first", required=True, type=month, metavar="YYYY-MM")
    backfill.add_argument("--to", dest="last", required=True, type=month, metavar="YYYY-MM")
    backfill.add_argument(
        "--as-of",
        type=day,
        help="what was known on that day (default: for each month, when it was first covered)",
    )
    backfill.add_argument("--jobs", type=positive, default=1, help="so many months at a time (default: 1)")
    out(backfill)

    simulate = command("simulate", do_simulate, "a synthetic Medicare population with known truth")
    simulate.add_argument("--people", type=positive, default=5_000)
    simulate.add_argument("--months", type=positive, default=36)
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument("--last-month", type=month, help="last service month, YYYY-MM (default: 2025-12)")
    simulate.add_argument("--error-scale", type=float, help="multiplies the rates of planted billing errors")
    simulate.add_argument("--error-rate", type=float, help="share of CCM dollars to put at fault, about")
    simulate.add_argument("--format", choices=("practice", "rif", "cclf", "fhir"), default="practice")
    simulate.add_argument(
        "--deliveries", choices=("single", "monthly"), default="single", help="one folder, or one a month"
    )
    simulate.add_argument("--twin", action="store_true", help="the same draws without CCM's effect")
    simulate.add_argument("--parameters", type=Path, help="parameter file instead of the built-in one")
    simulate.add_argument("--out", type=Path, required=True)

    land = command("land", do_land, "one delivery into landing, nothing else")
    land.add_argument("extracts", type=Path, metavar="DIR")
    land.add_argument("--format", choices=FORMATS, default="auto")
    land.add_argument("--mapping", type=Path, help="columns of an export (docs/formats.md)")
    land.add_argument("--received", type=day, help="day the delivery was received (default: today)")
    out(land)

    explain = command(
        "explain", do_explain, "one person-month: every criterion, minute, line and rule behind it"
    )
    explain.add_argument("--beneficiary", required=True, metavar="ID", help="identifier, current or former")
    explain.add_argument("--month", required=True, type=month, metavar="YYYY-MM")
    explain.add_argument("--json", action="store_true", help="the same facts as JSON (docs/explain.md)")
    out(explain)

    rules = command("rules", do_rules, "the rule catalogue, or one rule with its citation, dates and tests")
    rules.add_argument("rule_id", nargs="?", metavar="RULE_ID")
    rules.add_argument("--json", action="store_true", help="the same as JSON")

    audit = command("audit", do_audit, "the tests of the OIG's audits of CCM payments, on your own data")
    audit.add_argument("which", choices=("oig",), metavar="oig")
    audit.add_argument("--json", action="store_true", help="the same figures as JSON")
    out(audit)

    review = command("review", do_review, "say what became of a finding; the next run carries it")
    review.add_argument("finding_id", metavar="FINDING_ID")
    review.add_argument("--state", required=True, choices=("confirmed", "dismissed", "refunded"))
    review.add_argument("--note", required=True, help="why, in a sentence")
    review.add_argument("--by", metavar="NAME", help="who decided (default: the login name)")
    out(review)

    worklist = command("worklist", do_worklist, "people who qualify and nobody serves, a practice at a time")
    worklist.add_argument("--practice", metavar="ID", help="one practice (default: all)")
    worklist.add_argument("--top", type=positive, help="the first so many of each practice")
    worklist.add_argument(
        "--format",
        choices=("xlsx", "csv"),
        default="csv",
        help="csv is printed, xlsx is saved (default: csv)",
    )
    worklist.add_argument(
        "--to", type=Path, metavar="FILE", help="where to save it (xlsx: default worklist.xlsx in worklists/)"
    )
    worklist.add_argument(
        "--read", type=Path, metavar="FILE", help="read status and notes back from a workbook that returned"
    )
    out(worklist)

    notebooks = command(
        "notebooks", do_notebooks, "the analyses of notebooks/, executed and written as pages"
    )
    notebooks.add_argument("names", nargs="*", metavar="NAME", help="notebooks (default: all)")
    notebooks.add_argument(
        "--set",
        type=assignment,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="value of a parameter",
    )
    notebooks.add_argument("--list", action="store_true", help="the notebooks that there are")
    out(notebooks)

    pages = command("open", do_open, "serve the pages on this machine only")
    pages.add_argument("--port", type=int, default=8600)
    out(pages)

    study = command("study", do_study, "an evaluation of CCM from a protocol file, and its report")
    study.add_argument("protocol", type=Path, metavar="FILE.yml", help="protocol (docs/impact.md)")
    out(study)

    out(command("dagster", do_dagster, "the Dagster UI over the main job"))
    out(command("doctor", do_doctor, "what is wrong with this set-up"))
    out(
        command(
            "unlock",
            do_unlock,
            "show an output folder that is encrypted at rest, or make one (docs/operations.md)",
        )
    )
    out(command("lock", do_lock, "hide it again"))
    return parser


def day(text: str) -> date:
    """YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-03-31") from None


def month(text: str) -> date:
    """YYYY-MM, as its first day."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month like 2026-01") from None


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def assignment(text: str) -> tuple[str, object]:
    """KEY=VALUE, the value read as YAML: numbers, true, null or text."""
    import yaml

    key, sign, value = text.partition("=")
    if not (sign and key.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, yaml.safe_load(value)


def delivery(path: Path) -> Path:
    if not path.is_dir() and not (path.is_file() and path.suffix.lower() == ".zip"):
        raise Usage(f"{path} is neither a folder nor a zip archive")
    return path


def do_run(chosen: argparse.Namespace) -> int:
    from pipelines import spark
    from pipelines.extracts.delivery import UnreadableExtract
    from pipelines.extracts.landing import LandingError
    from pipelines.ledger import LedgerDamaged
    from pipelines.run import Request, run
    from pipelines.run_lock import Busy
    from pipelines.settings import UnknownVariant, from_environment
    from pipelines.window import NothingLanded

    try:
        settings = from_environment(chosen.out, chosen.conditions, chosen.compare_conditions, chosen.target)
        if settings.target == "spark":
            spark.check()
    except (UnknownVariant, spark.NoSpark) as problem:
        raise Usage(str(problem)) from None
    request = Request(
        settings=settings,
        extracts=delivery(chosen.extracts) if chosen.extracts else None,
        format=chosen.format,
        as_of=chosen.as_of,
        through=chosen.through,
        received=chosen.received,
        landed=chosen.landed,
        wait=chosen.wait,
    )
    if chosen.landed and chosen.extracts:
        raise Usage("--landed builds from what is landed; leave out --extracts")
    try:
        return run(request)
    except (UnreadableExtract, NothingLanded) as problem:
        raise Usage(str(problem)) from None
    except (LandingError, LedgerDamaged, Busy) as problem:
        print(f"ccm: {problem}", file=sys.stderr)
        return 1


def do_backfill(chosen: argparse.Namespace) -> int:
    from pipelines.backfill import CannotBackfill, backfill
    from pipelines.settings import from_environment

    if chosen.last < chosen.first:
        raise Usage("--to lies before --from")
    try:
        return backfill(
            from_environment(chosen.out), chosen.first, chosen.last, as_of=chosen.as_of, jobs=chosen.jobs
        )
    except CannotBackfill as problem:
        raise Usage(str(problem)) from None


def do_simulate(chosen: argparse.Namespace) -> int:
    from pipelines.simulate import simulate

    if chosen.parameters and not chosen.parameters.is_file():
        raise Usage(f"{chosen.parameters} is not a file")
    try:
        made = simulate(
            chosen.people,
            chosen.months,
            chosen.seed,
            chosen.out,
            format=chosen.format,
            parameters=chosen.parameters,
            twin=chosen.twin,
            last_month=chosen.last_month,
            error_scale=chosen.error_scale,
            error_rate=chosen.error_rate,
            deliveries=chosen.deliveries,
        )
    except ValueError as problem:
        raise Usage(str(problem)) from None
    for table, rows in made["rows"].items():
        print(f"{table}: {rows:,} rows")
    print(f"extracts  {chosen.out / 'extracts'}\ntruth     {chosen.out / 'truth'}")
    return 0


def do_land(chosen: argparse.Namespace) -> int:
    from pipelines.extracts.delivery import UnreadableExtract
    from pipelines.extracts.landing import LandingError, land, told
    from pipelines.run_lock import Busy, only_writer
    from pipelines.settings import from_environment

    settings = from_environment(chosen.out)
    if chosen.mapping and not chosen.mapping.is_file():
        raise Usage(f"{chosen.mapping} is not a file")
    try:
        # A run reads landing more than once and must find it the same.
        with only_writer(settings, "landing", wait=True):
            batch = land(
                delivery(chosen.extracts),
                settings,
                format=chosen.format,
                received=chosen.received,
                mapping=chosen.mapping,
            )
    except UnreadableExtract as problem:
        raise Usage(str(problem)) from None
    except (LandingError, Busy) as problem:
        print(f"ccm: {problem}", file=sys.stderr)
        return 1
    for line in told(settings, batch):
        print(line)
    return 0


def do_explain(chosen: argparse.Namespace) -> int:
    from pipelines.built import NoWarehouse
    from pipelines.explain import CannotExplain, as_json, story
    from pipelines.explain_text import render
    from pipelines.settings import from_environment

    try:
        told = story(from_environment(chosen.out), chosen.beneficiary, chosen.month)
    except (CannotExplain, NoWarehouse) as problem:
        raise Usage(str(problem)) from None
    print(as_json(told) if chosen.json else render(told))
    return 0


def do_rules(chosen: argparse.Namespace) -> int:
    from pipelines.rules import (
        ELSEWHERE,
        UnknownRule,
        as_json,
        catalogue,
        find,
        render_elsewhere,
        render_list,
        render_rule,
    )

    if flag := ELSEWHERE.get((chosen.rule_id or "").upper()):
        print(as_json([flag]) if chosen.json else render_elsewhere(flag))
        return 0
    try:
        found = [find(chosen.rule_id)] if chosen.rule_id else catalogue(with_tests=chosen.json)
    except UnknownRule as problem:
        raise Usage(str(problem)) from None
    if chosen.json:
        print(as_json(found))
    else:
        print(render_rule(found[0]) if chosen.rule_id else render_list(found))
    return 0


def do_audit(chosen: argparse.Namespace) -> int:
    from pipelines.audit import as_json, oig, render
    from pipelines.built import NoWarehouse
    from pipelines.settings import from_environment

    try:
        found = oig(from_environment(chosen.out))
    except NoWarehouse as problem:
        raise Usage(str(problem)) from None
    print(as_json(found) if chosen.json else render(found))
    return 0


def do_review(chosen: argparse.Namespace) -> int:
    from pipelines.built import NoWarehouse
    from pipelines.ledger import LedgerDamaged
    from pipelines.review import CannotReview, review
    from pipelines.settings import from_environment

    settings = from_environment(chosen.out)
    try:
        made = review(settings, chosen.finding_id, chosen.state, chosen.note, chosen.by)
    except (CannotReview, NoWarehouse) as problem:
        raise Usage(str(problem)) from None
    except LedgerDamaged as problem:
        print(f"ccm: {problem}", file=sys.stderr)
        return 1
    print(
        f"review {made.number}: {made.finding_id} is {made.state}, by {made.by} at {made.at:%Y-%m-%d %H:%M} UTC"
    )
    return 0


def do_worklist(chosen: argparse.Namespace) -> int:
    from pipelines.publish.worklist import UnknownPractice, file_name, print_csv, save_workbook
    from pipelines.settings import from_environment

    settings = from_environment(chosen.out)
    if chosen.read:
        return read_worklist(settings, chosen.read)
    if not (settings.tables / "worklist.parquet").exists():
        raise Usage(f"{settings.tables} holds no worklist: run `ccm run` first")
    try:
        if chosen.format == "xlsx":
            name = file_name(chosen.practice, "xlsx") if chosen.practice else "worklist.xlsx"
            path = chosen.to or settings.worklists / name
            settings.worklists.mkdir(exist_ok=True, mode=0o700)
            rows = save_workbook(settings, path, practice=chosen.practice, top=chosen.top)
            print(f"{rows:,} people in {path}")
        elif chosen.to:
            with chosen.to.open("w", encoding="utf-8", newline="") as stream:
                print_csv(settings, stream, practice=chosen.practice, top=chosen.top)
        else:
            print_csv(settings, sys.stdout, practice=chosen.practice, top=chosen.top)
    except UnknownPractice as problem:
        raise Usage(str(problem)) from None
    return 0


def do_notebooks(chosen: argparse.Namespace) -> int:
    from pipelines.built import NoWarehouse
    from pipelines.notebooks import execute
    from pipelines.settings import from_environment

    if chosen.list:
        print("\n".join(execute.names()))
        return 0
    try:
        pages = execute.run(from_environment(chosen.out), chosen.names, dict(chosen.set))
    except (NoWarehouse, execute.UnknownNotebook) as problem:
        raise Usage(str(problem)) from None
    except execute.NotebookFailed as problem:
        print(f"ccm: {problem}", file=sys.stderr)
        return 1
    for page in pages:
        print(page)
    return 0


def read_worklist(settings: Settings, path: Path) -> int:
    from pipelines.publish import notes

    if not path.is_file():
        raise Usage(f"{path} is not a file")
    made = notes.read_back(settings, path)
    if made.unread:
        raise Usage(f"{path} is not a worklist that a run wrote")
    print(f"{made.added:,} new statuses and notes; the next run heeds them")
    return 0


def do_study(chosen: argparse.Namespace) -> int:
    from pipelines.built import NoWarehouse
    from pipelines.impact.cohort import NothingToStudy
    from pipelines.impact.protocol import ProtocolError
    from pipelines.impact.release import Leak
    from pipelines.impact.report import headline
    from pipelines.impact.study import load, run
    from pipelines.settings import from_environment

    try:
        protocol, text = load(chosen.protocol)
        made = run(from_environment(chosen.out), protocol, text)
    except (ProtocolError, NoWarehouse, NothingToStudy) as problem:
        raise Usage(str(problem)) from None
    except Leak as problem:
        print(f"ccm: {problem}", file=sys.stderr)
        return 1
    print(headline(made))
    print(f"report  {made.folder}/report.html\ntables  {made.folder}/tables")
    return 0


def do_open(chosen: argparse.Namespace) -> int:
    from pipelines.publish.serve import serve
    from pipelines.settings import from_environment

    settings = from_environment(chosen.out)
    if not (settings.reports / "index.html").exists():
        raise Usage(f"{settings.reports} holds no page: run `ccm run` first")
    serve(settings.reports, chosen.port)
    return 0


def do_dagster(chosen: argparse.Namespace) -> int:
    from pipelines.settings import from_environment
    from pipelines.ui import start

    start(from_environment(chosen.out))


def do_doctor(chosen: argparse.Namespace) -> int:
    from pipelines.doctor import examine
    from pipelines.settings import from_environment

    findings = examine(from_environment(chosen.out))
    for finding in findings:
        print(("ok    " if finding.fine else "WRONG ") + finding.says)
    return 0 if all(finding.fine for finding in findings) else 1


def do_unlock(chosen: argparse.Namespace) -> int:
    from pipelines.encryption import CannotUnlock, unlock
    from pipelines.settings import encryption_key, from_environment

    settings = from_environment(chosen.out, may_be_locked=True)
    try:
        done = unlock(settings, encryption_key())
    except CannotUnlock as problem:
        raise Usage(str(problem)) from None
    print(
        f"{settings.out} {'is unlocked' if done else 'was unlocked already'}; on the disk lies {settings.encrypted}"
    )
    return 0


def do_lock(chosen: argparse.Namespace) -> int:
    from pipelines.encryption import CannotUnlock, lock
    from pipelines.settings import from_environment

    settings = from_environment(chosen.out, may_be_locked=True)
    try:
        done = lock(settings)
    except CannotUnlock as problem:
        raise Usage(str(problem)) from None
    print(f"{settings.out} {'is locked' if done else 'was not unlocked'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
