"""A warehouse that a command cannot read is answered by what to do, not by a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.built import NoWarehouse, open_built
from pipelines.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(out=tmp_path)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema flags")
        con.execute("create table flags.findings as select 1 as finding_id")
    return settings


def test_a_folder_without_a_warehouse_says_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoWarehouse, match="run `ccm run` first"), open_built(Settings(out=tmp_path)):
        pass


def test_a_table_that_is_there_is_read(settings: Settings) -> None:
    with open_built(settings, "flags.findings") as con:
        assert con.execute("select finding_id from flags.findings").fetchall() == [(1,)]


def test_a_missing_table_means_another_version(settings: Settings) -> None:
    with pytest.raises(NoWarehouse, match="another version"), open_built(settings, "flags.oig_audit"):
        pass


def test_a_missing_column_means_another_version(settings: Settings) -> None:
    with pytest.raises(NoWarehouse, match="another version"), open_built(settings, "flags.findings") as con:
        con.execute("select review_state from flags.findings")


def test_pages_that_are_not_what_they_were_mean_damage(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "create table flags.large as select range as number, hash(range) as noise from range(200000)"
        )
    content = settings.warehouse.read_bytes()
    third = len(content) // 3
    # opening reads the header alone, which stays as it was
    settings.warehouse.write_bytes(content[:third] + bytes(third) + content[2 * third :])
    with pytest.raises(NoWarehouse, match="is damaged: `ccm run --landed`"), open_built(settings) as con:
        con.execute("select sum(number), max(noise) from flags.large").fetchall()


def test_a_warehouse_that_another_process_writes_says_to_wait(settings: Settings) -> None:
    hold = f"import duckdb; con = duckdb.connect({str(settings.warehouse)!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == "held"
        with pytest.raises(NoWarehouse, match="try again later"), open_built(settings):
            pass
        writer.communicate("done\n")
