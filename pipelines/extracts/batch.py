"""Writes one batch's files and proves that every row that came in is landed or quarantined."""

from __future__ import annotations

import datetime
import glob
from pathlib import Path

import duckdb

from pipelines.extracts.columnar import DAMAGED, is_intact
from pipelines.extracts.contract import Contract, load_contracts
from pipelines.extracts.delimited import REJECTS, prepare_rejects
from pipelines.extracts.delivery import SET_ASIDE, Delivery, UnreadableExtract, sql_name, sql_text
from pipelines.extracts.validation import judged_duplicates, orphans, repeated_keys, validate

QUARANTINE = "quarantined_rows"
ROW_REASONS = {
    "duplicate_row": "the key once (an identical row landed)",
    "conflicting_key": "one content for each key (no row of this key landed)",
    "parent_missing": "the parent row in the same delivery",
}


class LandingError(Exception):
    """Landing stopped for a reason that is not the delivery's fault; nothing was left behind."""


class BatchWriter:
    """Tables of one batch, written one after another into `folder`; counts are kept as it goes."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        folder: Path,
        batch_id: str,
        received: datetime.date,
        format: str,
    ) -> None:
        self.con, self.folder = con, folder
        self.batch_id, self.received, self.format = batch_id, received, format
        self.counts: dict[str, dict[str, int]] = {}
        self.reasons: dict[str, dict[str, int]] = {}
        self.file_counts: dict[str, dict[str, int]] = {}
        self.contracts = load_contracts()
        prepare_rejects(con)
        con.execute(f"""
            create table {QUARANTINE} (
                table_name varchar, source_file varchar, source_row bigint, column_name varchar,
                reason varchar, detail varchar, source_text varchar, is_source_row boolean)""")

    def write(self, table: str, delivery: Delivery) -> None:
        """Write `<table>.parquet` with the clean rows of `table`; the others go to the quarantine."""
        contract = self.contracts[table]
        target = self.folder / f"{table}.parquet"
        if table not in delivery.tables:
            self._write_empty(contract, target)
            self.counts[table] = {"rows_in": 0, "rows_landed": 0, "rows_quarantined": 0}
            return
        relation = sql_name(delivery.tables[table])
        types = {str(row[0]): str(row[1]) for row in self.con.execute(f"describe {relation}").fetchall()}
        for name in ("source_file", "source_row"):
            del types[name]
        checked = validate(contract, relation, types, self.received)
        try:
            rows_in = self._value(f"select count(*) from {relation}")
            landed = self._copy(contract, checked.clean, target)
            if landed < rows_in:
                self.con.execute(
                    f"""insert into {QUARANTINE}
                        select '{table}', source_file, source_row, column_name, reason, detail, source_text,
                               false
                        from ({checked.faulty})"""
                )
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            self._refuse_damaged(delivery)
            raise
        self._set_aside(contract, target)
        landed = self._value(f"select count(*) from {_read(target)}")
        quarantined = self._value(f"select count(*) from {QUARANTINE} where table_name = '{table}'")
        if rows_in != landed + quarantined:
            raise LandingError(
                f"{table}: {rows_in} rows came in, but {landed} landed and {quarantined} were quarantined"
            )
        self.counts[table] = {
            "rows_in": rows_in,
            "rows_landed": landed,
            "rows_quarantined": quarantined,
        }

    def write_files(self, delivery: Delivery, checksums: dict[str, str]) -> None:
        """Account for every file: its rows in = landed + quarantined; write `batch_files.parquet`."""
        for source in delivery.files:
            if source.name not in delivery.accounting:
                raise LandingError(f"{source.name}: the reader does not say which table accounts for it")
        self._add_unreadable_lines(delivery)
        landed, quarantined = self._count_by_file(delivery)
        for source in delivery.files:
            places = [(table, source.name) for table in delivery.accounting_tables(source.name)]
            counts = {
                "rows_in": source.rows_in,
                "rows_landed": sum(landed.get(place, 0) for place in places),
                "rows_quarantined": sum(quarantined.get(place, 0) for place in places),
            }
            if counts["rows_in"] != counts["rows_landed"] + counts["rows_quarantined"]:
                raise LandingError(
                    f"{source.name}: {counts['rows_in']} rows were read, but {counts['rows_landed']} landed "
                    f"and {counts['rows_quarantined']} were quarantined"
                )
            self.file_counts[source.name] = counts
        self.con.execute("""
            create table batch_files (
                source_file varchar, sha256 varchar, rows_in bigint, rows_landed bigint,
                rows_quarantined bigint)""")
        self.con.executemany(
            "insert into batch_files values (?, ?, ?, ?, ?)",
            [(name, checksums[name], *counts.values()) for name, counts in self.file_counts.items()],
        )
        self._export(
            f"""select {self._batch()}, '{self.format}' as format, source_file, sha256, rows_in, rows_landed,
                       rows_quarantined
                from batch_files order by source_file""",
            self.folder / "batch_files.parquet",
        )

    def write_resolved(self) -> None:
        """Rows that earlier batches set aside and this one brings (`resolution.find`); writes `resolved_rows.parquet`."""
        self._export(
            f"""select {self._batch()}, batch_id as quarantined_batch_id, table_name, source_file, source_row
                from resolved_rows order by all""",
            self.folder / "resolved_rows.parquet",
        )

    def _count_by_file(
        self, delivery: Delivery
    ) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
        """Rows of every file that landed and that were quarantined, by table and file."""
        landed: dict[tuple[str, str], int] = {}
        tables = dict.fromkeys(
            table for source in delivery.files for table in delivery.accounting_tables(source.name)
        )
        for table in tables:
            if table not in delivery.spread_rows:
                landed |= self._by_file(table, _read(self.folder / f"{table}.parquet"))
        quarantined: dict[tuple[str, str], int] = {}
        for table in tables:
            if table in delivery.spread_rows:
                self._count_spread_rows(table, delivery.spread_rows[table], landed, quarantined)
                rows = f"(select * from {QUARANTINE} where table_name = '{table}' and is_source_row)"
            else:
                rows = f"(select * from {QUARANTINE} where table_name = '{table}')"
            for place, count in self._by_file(table, rows).items():
                quarantined[place] = quarantined.get(place, 0) + count
        if delivery.joined_rows is not None:
            self._count_joined_rows(delivery, landed, quarantined)
        return landed, quarantined

    def _by_file(self, table: str, rows: str) -> dict[tuple[str, str], int]:
        counted = self.con.execute(f"select source_file, count(*) from {rows} group by all").fetchall()
        return {(table, name): int(count) for name, count in counted}

    def _count_spread_rows(
        self,
        table: str,
        view: str,
        landed: dict[tuple[str, str], int],
        quarantined: dict[tuple[str, str], int],
    ) -> None:
        """Add rows of which the content is in several rows of `table`: landed if one of those is."""
        place = "spread.head_file = rows.source_file and spread.head_row = rows.source_row"
        target = _read(self.folder / f"{table}.parquet")
        for counts, kind, rows in (
            (landed, "semi", target),
            (quarantined, "anti", target),
        ):
            for name, count in self.con.execute(
                f"""select spread.source_file, count(*) from {sql_name(view)} as spread
                    {kind} join {rows} as rows on {place} group by all"""
            ).fetchall():
                counts[table, name] = counts.get((table, name), 0) + int(count)

    def _count_joined_rows(
        self,
        delivery: Delivery,
        landed: dict[tuple[str, str], int],
        quarantined: dict[tuple[str, str], int],
    ) -> None:
        """Add rows that are part of another row to `landed` or `quarantined`, whichever that row is in."""
        for table in dict.fromkeys(
            table for source in delivery.files for table in delivery.accounting_tables(source.name)
        ):
            for counts, rows in (
                (landed, _read(self.folder / f"{table}.parquet")),
                (quarantined, f"(select * from {QUARANTINE} where table_name = '{table}')"),
            ):
                for name, count in self.con.execute(f"""
                    select joined.source_file, count(*)
                    from {sql_name(str(delivery.joined_rows))} as joined
                    semi join {rows} as heads
                        on joined.head_file = heads.source_file and joined.head_row = heads.source_row
                    group by all""").fetchall():
                    if table in delivery.accounting_tables(name):
                        counts[table, name] = counts.get((table, name), 0) + count

    def write_quarantine(self, delivery: Delivery) -> None:
        """Write `quarantine.parquet` (empty where every row landed) and count its reasons by table."""
        self._export(
            f"""select {self._batch()}, * exclude (is_source_row) from {QUARANTINE}
                order by table_name, source_file, source_row, column_name, reason, source_text""",
            self.folder / "quarantine.parquet",
        )
        for table, reason, rows in self.con.execute(
            f"select table_name, reason, count(*) from {QUARANTINE} group by all order by all"
        ).fetchall():
            self.reasons.setdefault(table, {})[reason] = rows

    def _set_aside(self, contract: Contract, target: Path) -> None:
        """Quarantine rows of `target` with a doubtful key or no parent, and write it again without them."""
        rows = _read(target, numbered=True)
        self.con.execute("create or replace temp table set_aside (file_row_number bigint, reason varchar)")
        self.con.execute(f"create or replace temp table key_hashes as {repeated_keys(contract, rows)}")
        if self._value("select count(*) from key_hashes"):
            self.con.execute(f"insert into set_aside {judged_duplicates(contract, rows, 'key_hashes')}")
        if contract.parent is not None:
            parents = _read(self.folder / f"{contract.parent.table}.parquet")
            self.con.execute(
                f"""insert into set_aside
                    select * from ({orphans(contract, rows, parents)})
                    where file_row_number not in (select file_row_number from set_aside)"""
            )
        if not self._value("select count(*) from set_aside"):
            return
        content = ", ".join(
            f"{sql_text(column.name)}, {sql_name(column.name)}" for column in contract.columns
        )
        expected = " ".join(f"when '{reason}' then {sql_text(text)}" for reason, text in ROW_REASONS.items())
        first = contract.key[0] if contract.parent is None else contract.parent.columns[0]
        self.con.execute(f"""
            insert into {QUARANTINE}
            select '{contract.table}', source_file, source_row,
                   case reason when 'parent_missing' then '{first}' else '{contract.key[-1]}' end,
                   reason, reason || ', expected ' || case reason {expected} end,
                   json_object({content})::varchar, false
            from {rows} inner join set_aside using (file_row_number)""")
        smaller = target.with_suffix(".rewritten")
        self._copy(
            contract,
            f"select * from {rows} where file_row_number not in (select file_row_number from set_aside)",
            smaller,
        )
        smaller.replace(target)

    def _add_unreadable_lines(self, delivery: Delivery) -> None:
        """Add what the reader set aside itself: lines without columns, and rows with a reason of its own."""
        for source in delivery.files:
            self.con.execute(
                f"""insert into {SET_ASIDE}
                    select ?, source_file, source_row, null, reason, detail, source_text
                    from {REJECTS} where source_file = ?""",
                [delivery.accounting_tables(source.name)[0], source.name],
            )
        self.con.execute(f"""
            insert into {QUARANTINE}
            select table_name, source_file, source_row, column_name, reason,
                   concat_ws(': ', column_name, reason) || ', expected ' || expected, source_text, true
            from {SET_ASIDE}""")
        for table, rows in self.con.execute(
            f"select table_name, count(*) from {SET_ASIDE} group by all"
        ).fetchall():
            self.counts[table]["rows_in"] += int(rows)
            self.counts[table]["rows_quarantined"] += int(rows)

    def _copy(self, contract: Contract, select: str, target: Path) -> int:
        columns = ", ".join(sql_name(column.name) for column in contract.columns)
        provenance = f"{self._batch()}, source_file, source_row"
        return self._export(f"select {columns}, {provenance} from ({select})", target)

    def _write_empty(self, contract: Contract, target: Path) -> None:
        columns = ", ".join(
            f"null::{kind} as {sql_name(name)}" for name, kind in contract.landed_types.items()
        )
        self._copy(contract, f"select {columns} where false", target)

    def _export(self, select: str, target: Path) -> int:
        place = sql_text(str(target))
        return self._value(f"copy ({select}) to {place} (format parquet, compression zstd)")

    def _batch(self) -> str:
        return f"'{self.batch_id}' as batch_id, date '{self.received}' as received_date"

    def _value(self, statement: str) -> int:
        return int(self.con.execute(statement).fetchall()[0][0])

    def _refuse_damaged(self, delivery: Delivery) -> None:
        for source in delivery.files:
            if source.encoding == "parquet" and not is_intact(self.con, source.path):
                raise UnreadableExtract(source.name, DAMAGED, expected="a complete Parquet file") from None


def _read(path: Path, *, numbered: bool = False) -> str:
    return f"read_parquet({sql_text(glob.escape(str(path)))}{', file_row_number = true' if numbered else ''})"
