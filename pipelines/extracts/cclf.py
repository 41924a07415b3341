"""Claim and Claim Line Feed files, which an accountable care organisation gets every month.

Fixed-width text, one file a kind (CCLF1 to 9, A, B) and a control file CCLF0 that states how many records
each holds and how long they are. A folder may hold several deliveries (months, run-out files).
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extracts import alignment, cclf_claims, cclf_people
from pipelines.extracts.cclf_layout import current_length, known_length, positions
from pipelines.extracts.delivery import Delivery, SourceFile, UnreadableExtract, sql_name
from pipelines.extracts.fixed_width import open_fixed_width

NAME = "cclf"
LOOKS_FOR = "files called like P.A1234.ACO.ZC1Y24.D240801.T0102030, ZC5 or CCLF8 (and the control file ZC0)"
FILE_NAME = re.compile(
    r"(?P<before>^|.*[^A-Za-z0-9])(?P<token>(ZC|CCLF)(?P<number>[0-9AB])(?P<suffix>WY|[YWR])?(?P<year>\d\d)?)"
    r"(?P<after>$|[^A-Za-z0-9].*)",
    re.IGNORECASE,
)
CUT_ON = re.compile(r"\.D(\d{6})(?![0-9])", re.IGNORECASE)
# Kinds that are read; A only for the day of admission.
READ = ("1", "2", "4", "5", "6", "8", "9", "A")
IGNORED = {
    "3": "procedures: the contract has no table for them",
    "7": "drug events: the contract has no table for them",
    "B": "benefit enhancements and demonstrations of lines: the contract has no place for them",
}
# What each file's rows are accounted for by.
TABLE_OF = {
    "1": "claims",
    "2": "claim_lines",
    "4": "claim_diagnoses",
    "5": "claim_lines",
    "6": "claim_lines",
    "8": "beneficiaries",
    "9": "beneficiary_xref",
    "A": "claims",
}


@dataclass(frozen=True)
class Named:
    """What the name of a file tells: kind, the delivery it belongs to, the day that the delivery was cut."""

    path: Path
    number: str
    delivery: str
    cut_on: datetime.date | None


@dataclass(frozen=True)
class Stated:
    """What a control file says of one kind."""

    where: str
    line: int
    records: int
    length: int


def sources(folder: Path) -> list[Path]:
    """Control files, files of the kinds that are read, and alignment reports."""
    named = [file.path for file in _named(folder) if file.number in ("0", *READ)]
    return sorted([*named, *(alignment.reports(folder) if named else [])])


def recognises(folder: Path) -> str | None:
    """The reason why `folder` is in this format, or None."""
    found = [file for file in _named(folder) if file.number in READ]
    if not found:
        return None
    return f"{found[0].path.name} is named like file {found[0].number} of a Claim and Claim Line Feed"


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> Delivery:
    """Views of every contract table in `folder`; raises `UnreadableExtract`.

    A delivery without a day in its names is described as of the day when it was received, which landing tells
    in the variable `received_date` of `con`.
    """
    named = _named(folder)
    if not any(file.number in READ for file in named):
        raise UnreadableExtract(str(folder), "no file to read", expected=LOOKS_FOR)
    deliveries = sorted(
        {(file.cut_on or datetime.date.min, file.delivery) for file in named if file.number in READ}
    )
    order = {delivery: place for place, (_, delivery) in enumerate(deliveries, 1)}
    stated, notes = _controls(named)
    files: list[SourceFile] = []
    accounting: dict[str, str] = {}
    views: dict[str, list[str]] = defaultdict(list)
    read_rows: dict[tuple[str, str], int] = defaultdict(int)
    for place, file in enumerate(file for file in named if file.number in READ):
        said = _statement_for(stated, file)
        view = f"cclf_{file.number}_{place}"
        source = open_fixed_width(
            con,
            file.path,
            fields=positions(file.number),
            length=said.length if said else current_length(file.number),
            view=view,
        )
        cut_on = f"date '{file.cut_on}'" if file.cut_on else "getvariable('received_date')::date"
        views[file.number].append(
            f"select *, {order[file.delivery]} as delivery, {place} as file_place, {cut_on} as cut_on "
            f"from {sql_name(view)}"
        )
        files.append(source)
        accounting[source.name] = TABLE_OF[file.number]
        read_rows[file.delivery, file.number] += source.rows_in
    _reconcile(stated, read_rows)
    for number, selects in views.items():
        con.execute(f"create or replace view cclf_{number} as {' union all '.join(selects)}")
    for number in set(READ) - set(views):
        none = ", ".join(f"null::varchar as {sql_name(name)}" for name in positions(number))
        con.execute(f"""
            create or replace view cclf_{number} as
            select {none}, null::varchar as source_file, null::bigint as source_row, 1 as delivery,
                   0 as file_place, null::date as cut_on where false""")
    spans, opened, passed_over = alignment.open_reports(con, folder)
    files += opened
    accounting |= {source.name: "beneficiaries" for source in opened}
    tables, claims_joined = cclf_claims.tables(con, views, several=len(order) > 1)
    people, people_joined = cclf_people.tables(con, views, spans)
    con.execute(f"""
        create or replace view cclf_joined_rows as
        {" union all by name ".join([claims_joined, *people_joined])}""")
    unread = {
        file.path.name: IGNORED.get(file.number, "the control file: held against the files that it describes")
        for file in named
        if file.number not in READ
    }
    return Delivery(
        tables=tables | people,
        files=files,
        accounting=accounting,
        joined_rows="cclf_joined_rows",
        ignored={
            str(path.relative_to(folder)): unread.get(path.name)
            or passed_over.get(path.name, "not named like a file of a Claim and Claim Line Feed")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in accounting
        },
        notes=[*notes, *_without_control(named, stated), *cclf_people.notes(con, spans)],
    )


def _named(folder: Path) -> list[Named]:
    found = []
    for path in sorted(folder.iterdir()):
        match = FILE_NAME.fullmatch(path.name.removesuffix(".gz").removesuffix(".txt"))
        if match is None or not path.is_file():
            continue
        day = CUT_ON.search(match["after"])
        cut_on = None
        if day is not None:
            try:
                cut_on = datetime.datetime.strptime(day[1], "%y%m%d").date()
            except ValueError:
                raise UnreadableExtract(
                    path, "the day in the file name is none", expected="DYYMMDD"
                ) from None
        # The time of day differs between the files of one delivery.
        until_day = match["after"][: day.end()] if day else ""
        kind = f"{match['suffix'] or ''}{match['year'] or ''}"
        found.append(
            Named(path, match["number"].upper(), f"{match['before']}{kind}{until_day}".upper(), cut_on)
        )
    return found


def _controls(named: Sequence[Named]) -> tuple[dict[str, dict[str, Stated]], list[str]]:
    """What each delivery's control file states, by delivery and kind of file."""
    stated: dict[str, dict[str, Stated]] = {}
    for control in (file for file in named if file.number == "0"):
        if control.delivery in stated:
            raise UnreadableExtract(control.path, "a second control file for one delivery", expected="one")
        stated[control.delivery] = _control(control.path)
    deliveries = {file.delivery for file in named if file.number != "0"}
    if len(stated) == 1 and len(deliveries) == 1:
        stated = {deliveries.pop(): next(iter(stated.values()))}
    notes = []
    for delivery, kinds in stated.items():
        present = {file.number for file in named if file.delivery == delivery}
        absent = [number for number, said in kinds.items() if said.records and number not in present]
        if absent:
            where = next(iter(kinds.values())).where
            notes.append(f"{where} lists files that are not here: CCLF{', CCLF'.join(sorted(absent))}")
    return stated, notes


def _control(path: Path) -> dict[str, Stated]:
    try:
        text = path.read_bytes()[: 1 << 20].decode("utf-8-sig", "replace")
    except OSError as fault:
        raise UnreadableExtract(path, f"cannot be opened ({fault.strerror})") from None
    kinds: dict[str, Stated] = {}
    for line, record in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in record.split("|")]
        match = re.fullmatch(r"(?:CCLF|ZC)([0-9AB])", cells[0].upper())
        if match is None:
            if line > 1 and record.strip():
                raise UnreadableExtract(
                    path,
                    "not a line of a control file",
                    line=line,
                    column="File Number",
                    expected="CCLF1 ...",
                )
            continue
        number = match[1]
        if number == "0":
            continue
        if len(cells) < 4:
            raise UnreadableExtract(
                path,
                "not a line of a control file",
                line=line,
                expected="file number, description, record count and record length between pipes",
                actual=f"{len(cells)} values",
            )
        amounts = [cell.replace(",", "") for cell in cells[2:4]]
        for column, amount in zip(("Total Records Count", "Record Length"), amounts, strict=True):
            if not re.fullmatch(r"[0-9]{1,12}", amount):
                raise UnreadableExtract(
                    path, "not a number", line=line, column=column, expected="a whole number"
                )
        if number in kinds:
            raise UnreadableExtract(path, f"states CCLF{number} twice", line=line, expected="one line a file")
        kinds[number] = Stated(path.name, line, int(amounts[0]), int(amounts[1]))
    if not kinds:
        raise UnreadableExtract(path, "the control file states nothing", expected="a line for each file")
    return kinds


def _statement_for(stated: dict[str, dict[str, Stated]], file: Named) -> Stated | None:
    if file.delivery not in stated:
        return None
    said = stated[file.delivery].get(file.number)
    if said is None:
        where = next(iter(stated[file.delivery].values())).where
        raise UnreadableExtract(where, f"does not state CCLF{file.number}", expected=f"{file.path.name}")
    known_length(file.number, said.length, f"{said.where}, line {said.line}")
    return said


def _reconcile(stated: dict[str, dict[str, Stated]], read_rows: dict[tuple[str, str], int]) -> None:
    for (delivery, number), rows in read_rows.items():
        said = stated.get(delivery, {}).get(number)
        if said is not None and said.records != rows:
            raise UnreadableExtract(
                said.where,
                f"CCLF{number} is not complete, or is here twice",
                line=said.line,
                column="Total Records Count",
                expected=f"{said.records} records",
                actual=f"{rows} records",
            )


def _without_control(named: Sequence[Named], stated: dict[str, dict[str, Stated]]) -> list[str]:
    deliveries = {file.delivery for file in named if file.number in READ} - set(stated)
    if not deliveries:
        return []
    count = len(deliveries)
    return [f"{count} of the deliveries has no control file (CCLF0): read by the current layout, not counted"]
