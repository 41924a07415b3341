"""Two publications side by side: every person-month that is told otherwise, its reason, its effect, and what may be shown of it."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.restatement import person_months, release
from pipelines.restatement.run import publish
from pipelines.settings import Settings
from tests.pipelines.restatement.publications import (
    FEB,
    JAN,
    LATER,
    MAR,
    SCHEMA,
    World,
    beside_a_publication,
    claim,
    later,
    set_state,
    with_claim,
    world,
    write,
)


def restated(
    folder: Path, before: World, now: World, **general: bool
) -> dict[tuple[str, date], tuple[Any, ...]]:
    write(folder / "earlier.duckdb", before)
    write(folder / "now.duckdb", now)
    with duckdb.connect(str(folder / "now.duckdb")) as con:
        con.execute(f"attach '{folder / 'earlier.duckdb'}' as before (read_only)")
        assert person_months.lacking(con) == []
        flags = {"policy_changed": False, "models_changed": False, **general}
        found = person_months.compare(con, **flags)
        rows = con.execute(
            "select beneficiary_id, service_month, effect, main_reason, reasons from reports.restated_months"
        ).fetchall()
    assert found == len(rows)
    return {row[:2]: row[2:] for row in rows}


def test_the_same_again_restates_nothing_even_sent_in_another_delivery(tmp_path: Path) -> None:
    now = later(world())
    now["core.core_claims"] = [(*row[:2], "b2", *row[3:]) for row in now["core.core_claims"]]
    now["marts.capture_months"].append(("ann", MAR, "eligible_not_served", [], [], 0, 0, 0))
    assert restated(tmp_path, world(), now) == {}


CAUSES = {
    "a claim that came late": (
        lambda now: with_claim(now, claim("late", "ann", JAN, batch="b2")),
        "new_claim",
    ),
    "a claim that its payer cancelled": (
        lambda now: with_claim(now, claim("ann-01", "ann", JAN, why_not="cancelled_by_another_claim")),
        "cancelled_claim",
    ),
    "a claim stated anew": (
        lambda now: with_claim(now, claim("ann-01", "ann", JAN, batch="b2", paid=70)),
        "adjusted_claim",
    ),
    "a claim replaced by another": (
        lambda now: with_claim(
            with_claim(now, claim("ann-01", "ann", JAN, why_not="replaced_by_another_claim")),
            claim("ann-01b", "ann", JAN, batch="b2", action="replacement"),
        ),
        "adjusted_claim",
    ),
    "a line that says otherwise": (
        lambda now: now | {"core.core_claim_lines": [("ann-01", "b2", "ann", "x", 2), *now["core.core_claim_lines"][1:]]},
        "adjusted_claim",
    ),
    "coverage corrected": (
        lambda now: now | {"core.core_enrollment_months": [("ann", JAN, False), *now["core.core_enrollment_months"][1:]]},
        "enrolment_change",
    ),
    "minutes that came late": (
        lambda now: now | {"core.core_care_management_time": [("a1", "ann", JAN, 1200)]},
        "record_change",
    ),
    "a date of death": (
        lambda now: now | {"core.core_beneficiaries": [("ann", JAN), ("bob", None), ("cyd", None)]},
        "person_change",
    ),
    "a claim of another month": (
        lambda now: with_claim(now, claim("late", "ann", FEB, batch="b2")),
        "new_claim_of_another_month",
    ),
    "somebody else's claim": (
        lambda now: with_claim(now, claim("late", "bob", JAN, batch="b2")),
        "data_of_others",
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CAUSES)
def test_a_month_told_otherwise_names_what_changed(tmp_path: Path, cause: str) -> None:
    change, reason = CAUSES[cause]
    now = change(later(world()))
    set_state(now, "ann", JAN, "eligible_not_served")
    found = restated(tmp_path, world(), now)
    assert found == {("ann", JAN): ("capture_state", reason, [reason])}


def test_the_nearest_cause_is_the_main_one_and_the_others_are_kept(tmp_path: Path) -> None:
    now = with_claim(later(world()), claim("late", "ann", JAN, batch="b2"))
    now["core.core_enrollment_months"][1] = ("ann", FEB, False)
    set_state(now, "ann", JAN, "eligible_not_served")
    found = restated(tmp_path, world(), now, policy_changed=True)
    ((_, main, reasons),) = found.values()
    assert main == "new_claim"
    assert reasons == ["enrolment_change_of_another_month", "new_claim", "policy_change"]


@pytest.mark.parametrize("general", ["policy", "models"])
def test_without_a_cause_of_its_own_a_month_changed_by_what_the_run_was_made_with(
    tmp_path: Path, general: str
) -> None:
    now = later(world())
    set_state(now, "cyd", FEB, "billed_beyond_record")
    found = restated(tmp_path, world(), now, **{f"{general}_changed": True})
    ((_, main, _),) = found.values()
    assert main == {"policy": "policy_change", "models": "model_change"}[general]


def test_every_effect_is_named(tmp_path: Path) -> None:
    before, now = world(), later(world())
    now["marts.eligibility_months"][0] = ("ann", JAN, False, False, ["part_b"], [])
    now["marts.capture_months"][1] = ("ann", FEB, "billed_as_supported", ["x"], ["x"], 70, 60, -10)
    now["flags.findings"].append(("f2", "bob", JAN, "open"))
    del now["marts.capture_months"][3], now["marts.eligibility_months"][3]
    now["marts.capture_months"].append(("dee", FEB, "not_eligible", [], [], 0, 0, 0))
    set_state(now, "cyd", JAN, "eligible_not_served")
    found = {key: row[0] for key, row in restated(tmp_path, before, now).items()}
    assert found == {
        ("ann", JAN): "eligibility", ("ann", FEB): "amounts", ("bob", JAN): "findings", ("bob", FEB): "month_went",
        ("dee", FEB): "month_appeared", ("cyd", JAN): "capture_state",
    }  # fmt: skip


@pytest.fixture
def making(tmp_path: Path) -> Settings:
    return beside_a_publication(tmp_path, world())


def summary(making: Settings) -> tuple[Any, ...]:
    with duckdb.connect(str(making.warehouse), read_only=True) as con:
        return con.execute(
            "select is_compared, new_deliveries, person_months, people from reports.rpt_restatement"
        ).fetchall()[0]


def test_a_run_is_compared_with_what_is_published_and_small_counts_stay_hidden(making: Settings) -> None:
    now = with_claim(later(world()), claim("late", "ann", JAN, batch="b2"))
    set_state(now, "ann", JAN, "eligible_not_served")
    now["reports.rpt_capture_by_month"][0] = (JAN, 7, "billed_as_supported", 19, 0, False, None)
    write(making.warehouse, now)
    assert publish(making, LATER) == 1
    assert summary(making) == (True, 1, None, None)
    with duckdb.connect(str(making.warehouse), read_only=True) as con:
        assert con.execute(
            "select person_months, is_suppressed from reports.rpt_restatement_by_reason"
        ).fetchall() == [(None, True)]
        figures = con.execute(
            "select people_before, people_after, is_suppressed from reports.rpt_restated_capture"
        ).fetchall()
        assert figures == [(30, 19, False), (None, None, True)]
        assert con.execute(
            "select rate_before, rate_after from reports.rpt_restated_measures"
        ).fetchall() == [(0.5, 0.5)]
        assert con.execute("select subjects_before from reports.rpt_restated_findings").fetchall() == [(20,)]


@pytest.mark.parametrize(
    ("people", "told"), [(30, 30), (31, None), (29, None), (20, None), (40, None), (41, 41)]
)
def test_no_figure_differs_by_a_few_people_from_the_one_before(
    making: Settings, people: int, told: int | None
) -> None:
    """Also where the two publications knew nothing of one another."""
    now = later(world())
    now["reports.rpt_capture_by_month"] = [(JAN, 7, "billed_as_supported", people, 0, False, None)]
    now["reports.rpt_flags_by_rule"] = [("F01", "Twice", "fail", people - 10, 100, False, None)]
    now["reports.disparity_measures"] = [("reach", "2025", "everybody", "all", people + 270, 0.5, 150, False)]
    write(making.warehouse, now)
    publish(making, LATER)
    with duckdb.connect(str(making.warehouse), read_only=True) as con:
        for table, column, less in (
            ("rpt_restated_capture", "people_after", 0),
            ("rpt_restated_findings", "subjects_after", -10),
            ("rpt_restated_measures", "denominator_after", 270),
        ):
            rows = con.execute(f"select {column}, is_suppressed from reports.{table}").fetchall()
            assert rows == [(None if told is None else told + less, told is None)], table


def test_a_figure_that_is_held_back_stands_as_it_was_published(making: Settings) -> None:
    now = later(world())
    now["reports.rpt_capture_by_month"] = [(JAN, 7, "billed_as_supported", 30, 0, False, date(2025, 3, 15))]
    write(making.warehouse, now)
    publish(making, LATER)
    with duckdb.connect(str(making.warehouse), read_only=True) as con:
        assert con.execute(
            "select people_before, people_after, is_suppressed, held_from from reports.rpt_restated_capture"
        ).fetchall() == [(30, 30, False, date(2025, 3, 15))]


@pytest.mark.parametrize("what", ["nothing published", "another history", "another version", "damaged"])
def test_what_cannot_be_compared_is_said_and_stops_nothing(making: Settings, what: str) -> None:
    shown = dataclasses.replace(making, in_the_making=False)
    made = LATER
    write(making.warehouse, later(world()))
    if what == "nothing published":
        shown.warehouse.unlink()
    elif what == "another history":
        made = dataclasses.replace(LATER, batches={"b9": "9"})
    elif what == "another version":
        with duckdb.connect(str(shown.warehouse)) as con:
            con.execute("alter table marts.capture_months drop column gap_usd")
    else:
        shown.warehouse.write_bytes(b"no database")
    assert publish(making, made) == 0
    assert summary(making) == (False, 0, 0, 0)
    with duckdb.connect(str(making.warehouse), read_only=True) as con:
        for table in (
            "restated_months",
            "rpt_restatement_by_month",
            "rpt_restated_capture",
            "rpt_restated_measures",
        ):
            assert con.execute(f"select count(*) from reports.{table}").fetchone() == (0,)


CELLS = st.dictionaries(
    st.tuples(
        st.sampled_from(person_months.EFFECTS),
        st.sampled_from(person_months.REASONS),
        st.sampled_from([JAN, FEB, MAR]),
    ),
    st.integers(1, 30),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_no_small_count_can_be_had_from_the_two_tables_together(
    cells: dict[tuple[str, str, date], int],
) -> None:
    with duckdb.connect() as con:
        for table, columns in SCHEMA.items():
            con.execute(f"create schema if not exists {table.partition('.')[0]}")
            con.execute(f"create table {table} ({columns})")
        person_months.nothing_to_compare(con)
        for (effect, reason, month), count in cells.items():
            con.execute(
                "insert into reports.restated_months (beneficiary_id, service_month, effect, main_reason)"
                f" select concat($1, $2, range), $3, $1, $2 from range({count})",
                [effect, reason, month],
            )
        release.publish(
            con, compared_with=None, limit=10, new_deliveries=0, policy_changed=False, models_changed=False
        )
        for effect in person_months.EFFECTS:
            tables = {}
            for table, (column, count) in release.COUNTED.items():
                true = dict(
                    con.execute(
                        f"select {column}, count(*) from reports.restated_months where effect = ? group by all",
                        [effect],
                    ).fetchall()
                )
                shown = dict(
                    con.execute(
                        f"select {column}, {count} from reports.{table} where effect = ?", [effect]
                    ).fetchall()
                )
                assert shown.keys() == true.keys()
                assert all(
                    value is None or (value == true[key] and value > 10) for key, value in shown.items()
                )
                tables[table] = (true, shown)
            # an effect's total is known where one of the tables shows it whole
            if any(None not in shown.values() for _, shown in tables.values()):
                for true, shown in tables.values():
                    hidden = [true[key] for key, value in shown.items() if value is None]
                    assert len(hidden) != 1 and (not hidden or sum(hidden) - (len(hidden) - 1) > 10)
        (people,) = con.execute("select person_months from reports.rpt_restatement").fetchall()[0]
        assert people is None or people == 0 or people > 10
