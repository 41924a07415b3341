"""The notebooks: kept without outputs, reading publishable tables only, and executed on a run into pages that need no network."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.built import NoWarehouse
from pipelines.cli import main
from pipelines.notebooks import execute, reporting, show
from pipelines.notebooks.opened import NotPublishable, Run
from pipelines.settings import Settings

READS_BY_ITSELF = re.compile(
    r"duckdb|read_parquet|scan_parquet|read_csv|open\(|marts\.|core\.|requests|urllib"
)


def notebooks() -> dict[str, dict[str, Any]]:
    return {name: json.loads((execute.FOLDER / f"{name}.ipynb").read_text()) for name in execute.names()}


@pytest.mark.parametrize("name", execute.names())
def test_a_notebook_is_kept_without_outputs(name: str) -> None:
    cells = notebooks()[name]["cells"]
    kept = [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count") is not None]
    assert kept == [], "strip the outputs before committing: they can hold patients' data"


@pytest.mark.parametrize("name", execute.names())
def test_a_notebook_takes_the_output_folder_and_reads_only_what_may_be_shown(name: str) -> None:
    cells = notebooks()[name]["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert 'out = "out"' in "".join(tagged[0]["source"])
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert READS_BY_ITSELF.findall(code) == []
    assert re.search(r"^# .+\?$", "".join(cells[0]["source"]), re.M), "the title is the question"


@pytest.fixture
def small(tmp_path: Path) -> Settings:
    """A warehouse of one report table, one person-level table and one before suppression."""
    settings = Settings(out=tmp_path / "out")
    settings.out.mkdir()
    settings.run_record.write_text(json.dumps({"through": "2025-12", "as_of": "2026-03-31"}))
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema reports; create schema marts; create schema policy")
        con.execute(
            "create table reports.rpt_x as select 'a' as name, null::bigint as people, true as is_suppressed"
        )
        con.execute(
            "create table reports.worklist as select 'P1' as practice_id, 'someone' as beneficiary_id"
        )
        con.execute("create table marts.fct_measure_counts as select 3 as people")
    return settings


def test_a_notebook_cannot_read_persons_or_numbers_before_suppression(small: Settings) -> None:
    run = Run(small.out)
    assert run.table("rpt_x").height == 1
    for name, schema in (("worklist", "reports"), ("fct_measure_counts", "marts"), ("x; drop", "reports")):
        with pytest.raises(NotPublishable):
            run.table(name, schema)
    assert run.has("rpt_x") and not run.has("rpt_y")
    with pytest.raises(NoWarehouse):
        run.table("rpt_y")


def test_a_hidden_number_is_a_mark_in_a_table_and_absent_from_a_figure(small: Settings) -> None:
    rows = pl.DataFrame(
        {
            "group": ["a", "b"],
            "people": [None, 1200],
            "usd": [None, Decimal("3.50")],
            "month": [dt.date(2025, 1, 1)] * 2,
            "is_suppressed": [True, False],
        },
        schema_overrides={"people": pl.Int64},
    )
    text = show.Table(rows, "A <caption>")._repr_html_()
    assert text.count("hidden</abbr>") == 2
    assert "1,200" in text and "&lt;caption&gt;" in text and "2025-01" in text
    assert show.records(rows).values == [
        {"group": "b", "people": 1200, "usd": 3.5, "month": "2025-01-01", "is_suppressed": False}
    ]


def test_a_study_that_leaves_an_item_out_is_refused() -> None:
    answers = {one.item: "said" for one in reporting.items()}
    assert len(answers) > 20
    assert "said" in reporting.reported(answers)._repr_html_()
    with pytest.raises(reporting.UnansweredItems, match="9"):
        reporting.reported({**answers, "9": " "})


def test_only_parameters_that_a_notebook_has_are_set() -> None:
    import nbformat

    cell = nbformat.v4.new_code_cell('out = "out"\nyear = None', metadata={"tags": ["parameters"]})
    cells = execute.parametrised(
        "x", nbformat.v4.new_notebook(cells=[cell]), {"out": "/a", "year": 2024, "b": 1}
    )
    assert cells[1].source == "out = '/a'\nyear = 2024"
    with pytest.raises(execute.NotebookFailed, match="parameters"):
        execute.parametrised("x", nbformat.v4.new_notebook(), {})


def test_a_notebook_that_fails_is_named_with_its_cell_and_without_its_message(
    small: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One kernel runs both notebooks; the second sees nothing of the first, and what it raises is not told."""
    import nbformat

    parameters = nbformat.v4.new_code_cell('out = "out"', metadata={"tags": ["parameters"]})
    good = [parameters, nbformat.v4.new_code_cell("left_behind = 1\nprint(out)")]
    bad = [parameters, nbformat.v4.new_code_cell("print('left_behind' in dir())"),
           nbformat.v4.new_code_cell("raise KeyError('someone')")]  # fmt: skip
    monkeypatch.setattr(execute, "FOLDER", tmp_path)
    for name, cells in (("good", good), ("later", bad[:2]), ("worse", bad)):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    done = execute.executed(small, ["good", "later"], {"out": str(small.out)})
    assert done[0].cells[-1].outputs[0].text.strip() == str(small.out)
    assert done[1].cells[-1].outputs[0].text.strip() == "False"
    with pytest.raises(execute.NotebookFailed, match=r"^worse, cell 4: KeyError$"):
        execute.run(small, ["worse"])
    assert not list(small.reports.rglob("*.html"))


def test_the_command_lists_notebooks_and_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], small: Settings, tmp_path: Path
) -> None:
    assert main(["notebooks", "--list"]) == 0
    assert capsys.readouterr().out.split() == execute.names()
    assert main(["notebooks", "no_such", "--out", str(small.out)]) == 2
    assert "no notebook named no_such" in capsys.readouterr().err
    assert main(["notebooks", "--out", str(tmp_path / "none")]) == 2
