"""What a person is told about a batch: its format and why, what was set aside, and how to bring that in."""

from __future__ import annotations

import glob
import json
from typing import TYPE_CHECKING

import duckdb

from pipelines.extracts import resolution
from pipelines.extracts.delivery import sql_text
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.extracts.landing import LandedBatch

SHOWN = 5


def told(settings: Settings, batch: LandedBatch) -> list[str]:
    """Lines for a person about a batch: its format and why, what was noticed and what was set aside."""
    manifest = json.loads((batch.folder / "manifest.json").read_text())
    ignored = manifest["ignored_files"]
    state = "was landed before; nothing changed" if batch.already_landed else "landed"
    return [
        f"recognised as {batch.format}: {batch.recognised}",
        *([f"not read: {len(ignored)} other files, listed in the batch's manifest.json"] if ignored else []),
        f"batch {batch.batch_id} {state}: {batch.rows_landed:,} of {batch.rows_in:,} rows",
        *resolution.described(manifest.get("resolved", {})),
        *quarantine_advice(settings, batch.batch_id),
    ]


def quarantine_advice(settings: Settings, batch_id: str) -> list[str]:
    """Lines for a person: what was noticed, what was set aside, and how to bring it in once corrected."""
    manifest = json.loads((settings.landing / batch_id / "manifest.json").read_text())
    noted = [f"note: {note}" for note in manifest.get("notes", [])]
    set_aside = sum(count["rows_quarantined"] for count in manifest["tables"].values())
    if not set_aside:
        return [*noted, f"{batch_id}: every row landed."]
    lines = [*noted, f"{batch_id}: {set_aside} of its rows were set aside and are in no table:"]
    for table, reasons in manifest["quarantine_reasons"].items():
        listed = ", ".join(f"{reason} {rows}" for reason, rows in reasons.items())
        lines.append(f"  {table}: {listed}")
    lines += _first_places(settings, batch_id)
    come_in = _come_in_since(settings, batch_id)
    if come_in:
        lines.append(f"  ({come_in} of them have come in, corrected, with later batches)")
    if any("duplicate_row" in reasons for reasons in manifest["quarantine_reasons"].values()):
        lines.append("  (duplicate_row needs nothing: an identical row landed)")
    lines += [
        f"The rows, with file, line, column and what was expected: {settings.quarantine / batch_id}.parquet "
        "(holds patient data)",
        "To bring them in: correct them at the source and put them into files of the same names in a new "
        "folder (only the corrected rows are needed, for claims with their lines and diagnoses),",
        f"  then: ccm land FOLDER --format {manifest['format']}",
        "They become a batch of their own; the batch above stays as it is.",
    ]
    return lines


def _first_places(settings: Settings, batch_id: str) -> list[str]:
    """Where the first rows are that need a correction: file, line, column and reason, never a value."""
    path = sql_text(glob.escape(str(settings.quarantine / f"{batch_id}.parquet")))
    places = f"from read_parquet({path}) where reason not in {resolution.SETTLED}"
    with duckdb.connect() as con:
        ((waiting,),) = con.execute(f"select count(*) {places}").fetchall()
        first = con.execute(f"""
            select source_file, source_row, column_name, reason {places}
            order by table_name, source_file, source_row, column_name, reason limit {SHOWN}""").fetchall()
    lines = [
        f"    {file}, line {row}{f', {column}' if column else ''}: {reason}"
        for file, row, column, reason in first
    ]
    return [*lines, f"    and {waiting - SHOWN} more"] if waiting > SHOWN else lines


def _come_in_since(settings: Settings, batch_id: str) -> int:
    """Rows that the batch set aside and later batches have."""
    manifests = (json.loads(path.read_text()) for path in settings.landing.glob("batch-*/manifest.json"))
    tables = (manifest.get("resolved", {}).get(batch_id, {}) for manifest in manifests)
    return sum(sum(reasons.values()) for found in tables for reasons in found.values())
