"""A study from its protocol to the report, on small marts with a planted effect and on their twin."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from pipelines.cli import main
from pipelines.impact import cohort, study
from pipelines.impact.designs import DESIGNS, estimate, weights_of
from pipelines.impact.protocol import Protocol
from pipelines.settings import REPOSITORY, Settings
from tests.pipelines.impact.small_warehouse import EFFECT, write

PROTOCOL = Protocol(
    name="small", question="Does it?", subgroups=("dual_status", "race_ethnicity"), also=("G", "C2", "B")
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("study") / "out")


@pytest.fixture(scope="module")
def members(warehouse: Settings) -> cohort.Cohort:
    with duckdb.connect(str(warehouse.warehouse), read_only=True) as con:
        return cohort.build(con, PROTOCOL)


@pytest.fixture(scope="module")
def made(warehouse: Settings) -> study.Study:
    return study.run(warehouse, PROTOCOL, "study: small\n")


def test_the_flow_only_loses_people(members: cohort.Cohort) -> None:
    for arm in ("users", "comparison"):
        counts = [step.people for step in members.flow if step.arm == arm]
        assert counts == sorted(counts, reverse=True) and counts[-1] > 0
    users = [step.people for step in members.flow if step.arm == "users"][-1]
    assert users == int(members.people.treated.sum())


def test_nobody_enters_without_look_back_or_after_complete_claims(
    members: cohort.Cohort, warehouse: Settings
) -> None:
    assert members.data_through.isoformat() == "2024-04-01"  # the last two months are provisional
    keys = members.keys
    with duckdb.connect(str(warehouse.warehouse), read_only=True) as con:
        con.register("keys", keys)
        rows = con.execute("""
            select count(*) filter (where k.index_month < s.first_month + interval 12 month),
                   count(*) filter (where k.index_month >= least(s.last_month, date '2024-04-01'))
            from keys k join marts.fct_observed_spans s using (beneficiary_id)
        """).fetchone()
    assert rows == (0, 0)
    assert members.people.followed.min() >= 1


def test_comparison_people_are_unexposed_at_their_month_and_may_start_later(
    members: cohort.Cohort, warehouse: Settings
) -> None:
    others = members.keys.filter(pl.Series(~members.people.treated))
    with duckdb.connect(str(warehouse.warehouse), read_only=True) as con:
        con.register("others", others)
        early, later = con.execute("""
            select count(*) filter (where first_paid_month <= index_month), count(*) filter (where first_paid_month > index_month)
            from others join marts.fct_ccm_exposures using (beneficiary_id)
        """).fetchone() or (None, None)
    assert early == 0
    assert later > 0  # whoever starts later is not thrown out for it


def test_the_cohort_does_not_hang_on_the_order_of_rows(
    members: cohort.Cohort, warehouse: Settings, tmp_path: Path
) -> None:
    shuffled = tmp_path / "w.duckdb"
    with duckdb.connect(str(shuffled)) as con:
        con.execute(f"attach '{warehouse.warehouse}' as old (read_only); create schema marts")
        for (name,) in con.execute(
            "select table_name from duckdb_tables() where database_name = 'old' and schema_name = 'marts'"
        ).fetchall():
            con.execute(f"create table marts.{name} as select * from old.marts.{name} order by random()")
        again = cohort.build(con, PROTOCOL)
    assert again.keys.equals(members.keys)
    assert np.array_equal(again.people.before["total_usd"], members.people.before["total_usd"])


def test_twins_differ_by_the_planted_effect_in_every_design(members: cohort.Cohort, tmp_path: Path) -> None:
    twin = write(tmp_path / "twin", effect=0.0)
    with duckdb.connect(str(twin.warehouse), read_only=True) as con:
        other = cohort.build(con, PROTOCOL)
    assert other.keys.equals(members.keys)
    for name, design in DESIGNS.items():
        if design.pool != "never_adopting":
            continue  # people of adopting practices may start later, so their twin differs too
        weights = weights_of(members.people, design).values
        assert np.array_equal(weights, weights_of(other.people, design).values)
        here = estimate(members.people, "total_usd", design, weights, wild=False)
        there = estimate(other.people, "total_usd", design, weights, wild=False)
        assert here.estimate - there.estimate == pytest.approx(EFFECT, abs=1e-6), name


def test_the_published_table_has_the_promised_columns_and_finds_the_effect(
    made: study.Study, warehouse: Settings
) -> None:
    table = pl.read_parquet(warehouse.tables / "impact_estimates.parquet")
    assert set(study.ESTIMATES) | {"study"} == set(table.columns)
    main_row = table.filter(
        (pl.col("design") == "H") & (pl.col("outcome") == "total_usd") & (pl.col("term") == "att") & (pl.col("group_kind") == "everybody")
    ).to_dicts()[0]  # fmt: skip
    assert main_row["lower"] < EFFECT < main_row["upper"]
    assert json.loads(main_row["diagnostics"])["moments_met"] is True
    terms = set(table["term"])
    assert {
        "att_adjusted",
        "rate_ratio",
        "e_value",
        "minimal_detectable",
        "pre_trend",
        "honest_1",
        "triple_difference",
    } <= terms
    assert {"quarter_-4", "quarter_+4", "negative_control", "att_winsorised", "att_all_months"} <= terms
    practice = table.filter(pl.col("design") == "practice_itt")
    assert {"att", "att_imputation", "att_sun_abraham", "att_two_way_fixed_effects"} <= set(practice["term"])
    assert practice.filter(pl.col("term") == "att")["estimate"][0] < 0


def test_no_group_of_few_people_is_told(made: study.Study) -> None:
    table = made.tables["impact_estimates"]
    for column in ("n_treated", "n_comparison"):
        assert not table.filter(pl.col(column).is_between(1, 10)).height
    hidden = table.filter("is_suppressed")
    assert "american_indian_alaska_native" in set(hidden["group_value"])
    numbers = ["estimate", "std_error", "lower", "upper", "p_value", "q_value", "n_treated", "n_comparison"]
    assert hidden.select(pl.all_horizontal(pl.col(name).is_null() for name in numbers).all()).item()
    assert set(hidden["diagnostics"]) == {"{}"}
    # with one small group hidden, another of its kind is hidden with it
    races = table.filter((pl.col("group_kind") == "race_ethnicity") & (pl.col("term") == "att"))
    assert races["is_suppressed"].sum() >= 2
    balance = made.tables["balance"].filter(pl.col("level") == "american_indian_alaska_native")
    assert balance["is_suppressed"].all() and balance["treated_mean"].is_null().all()


def test_balance_is_told_in_dollars_and_logs(made: study.Study) -> None:
    rows = made.tables["balance"].filter(~pl.col("is_suppressed"))
    names = set(rows["covariate"])
    assert {"total_usd_12_to_7", "log_total_usd_12_to_7", "total_usd_3_to_1"} <= names
    met = rows.filter(
        pl.col("covariate").is_in(["total_usd_12_to_7", "total_usd_6_to_4", "total_usd_3_to_1"])
    )
    assert met["smd"].abs().max() < 1e-3
    assert met["treated_p95"].min() > 0


def test_the_folder_holds_tables_figures_and_a_page_of_its_own(made: study.Study) -> None:
    assert made.folder is not None
    for name in ("flow", "impact_estimates", "balance", "validation", "code_lists"):
        assert (made.folder / "tables" / f"{name}.parquet").exists() and (
            made.folder / "tables" / f"{name}.csv"
        ).exists()
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    assert not [
        word
        for word in ("http://", "https://", "<script", "src=")
        if word in page.replace("http://www.w3.org", "")
    ]
    assert "american" not in page.lower() or "hidden" in page
    for item in ("Effect by quarter", "Reporting", "RECORD", "wild bootstrap", "Known truth"):
        assert item in page
    assert "B0" not in page  # no identifier
    assert (made.folder / "figures" / "balance.svg").exists()


def test_a_study_is_read_again_until_protocol_or_warehouse_change(
    made: study.Study, warehouse: Settings
) -> None:
    before = (warehouse.out / "studies" / "small" / "study.json").stat().st_mtime_ns
    again = study.read(warehouse, PROTOCOL)
    assert again.tables["impact_estimates"].equals(made.tables["impact_estimates"])
    assert (warehouse.out / "studies" / "small" / "study.json").stat().st_mtime_ns == before


def test_the_command_runs_the_example(warehouse: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(REPOSITORY / "studies" / "ccm-spending.yml"), "--out", str(warehouse.out)]) == 0
    said = capsys.readouterr().out
    assert "report  " in said and "95 % interval" in said


def test_nobody_to_study_is_said(tmp_path: Path) -> None:
    settings = write(tmp_path / "out", people=200)
    with (
        duckdb.connect(str(settings.warehouse), read_only=True) as con,
        pytest.raises(cohort.NothingToStudy, match="users"),
    ):
        cohort.build(con, Protocol(name="x", question="y", observed_months_before=36))
