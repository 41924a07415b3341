"""The page shows what the report tables hold, hides what they hide, and asks nothing of the network."""

from __future__ import annotations

import itertools
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from expectations.run import Outcome
from pipelines.publish import page, reference_docs
from pipelines.publish.page import QUERIES, STATES, build, rows
from pipelines.settings import Settings
from pipelines.window import RunWindow
from tests.pipelines.publish.page_reading import Page

HOSTILE = "<script>alert('1')</script>&\"x\".csv"
JANUARY, DECEMBER = date(2025, 1, 1), date(2025, 12, 1)
WINDOW = RunWindow(as_of=date(2026, 3, 31), through=DECEMBER)


def capture(month: date, state: str, people: int | None, gap: str | None = "0.00") -> dict[str, Any]:
    dollars = None if gap is None else Decimal(gap)
    return {
        "service_month": month,
        "state_order": list(STATES).index(state) + 1,
        "state": state,
        "people": people,
        "people_in_month": 3100,
        "gap_usd": dollars,
        "potential_usd": Decimal("60490.00") if state == "eligible_not_served" else dollars,
        "billed_usd": dollars,
        "paid_usd": dollars,
        "run_out_state": "provisional" if month == JANUARY else "complete",
        "is_suppressed": people is None,
    }


def funnel(period: str, step: int, code: str, people: int | None, dropped: int | None) -> dict[str, Any]:
    return {
        "period": period,
        "first_month": JANUARY if period == "window" else DECEMBER,
        "last_month": DECEMBER,
        "step": step,
        "step_code": code,
        "step_name": f"Step {code}",
        "criterion_name": f"Criterion {code}" if code in ("part_b", "alive") else None,
        "is_main": code != "part_b",
        "people": people,
        "dropped": dropped,
        "is_suppressed": people is None,
    }


def flag(rule: str, status: str, subjects: int | None, amount: str | None = None) -> dict[str, Any]:
    return {
        "rule_id": rule,
        "title": f"What {rule} finds",
        "severity": "payment_not_supported",
        "certainty": "needs_record",
        "citation": "Source <1> & others",
        "status": status,
        "subjects": subjects,
        "amount_usd": None if amount is None else Decimal(amount),
        "is_suppressed": subjects is None,
    }


def measured(
    kind: str, group: str, year: int, numerator: int | None, denominator: int | None
) -> dict[str, Any]:
    rate = numerator / denominator if numerator is not None and denominator else None
    is_compared = group == "female"
    return {
        "measure": "uptake",
        "period": year,
        "group_kind": kind,
        "group_value": group,
        "numerator": numerator,
        "denominator": denominator,
        "rate": rate,
        "lower": None if rate is None else rate - 0.005,
        "upper": None if rate is None else rate + 0.006,
        "gap": -0.0022 if is_compared else None,
        "gap_lower": -0.013 if is_compared else None,
        "gap_upper": 0.0081 if is_compared else None,
        "ratio": 0.94 if is_compared else None,
        "ratio_lower": 0.7 if is_compared else None,
        "ratio_upper": 1.27 if is_compared else None,
        "p_value": 0.68 if is_compared else None,
        "q_value": 0.68 if is_compared else None,
        "is_meaningful": False if is_compared else None,
        "is_suppressed": numerator is None,
    }


def rule(rule_id: str) -> dict[str, Any]:
    return {
        **{
            key: flag(rule_id, "pass", 1)[key]
            for key in ("rule_id", "title", "severity", "certainty", "citation")
        },
        "effective_from": JANUARY,
        "effective_to": date(9999, 12, 31),
        "confidence": "high",
        "evidence": "Lines",
        "does_not_cover": "Nothing else",
        "reviewed": "2026-11-23",
    }


STEPS = [
    *(funnel("month", 1, "enrolled", 3100, None), funnel("month", 2, "part_b", 3000, 100)),
    *(funnel("month", 3, "alive", None, None), funnel("month", 4, "billed", 40, 2960)),
    *(funnel("window", 1, "enrolled", 5000, None), funnel("window", 2, "part_b", 4900, 100)),
    *(funnel("window", 3, "alive", 4900, 0), funnel("window", 4, "billed", None, None)),
]
MONTHS = [
    *(capture(DECEMBER, "not_eligible", 2000), capture(DECEMBER, "eligible_not_served", 1000)),
    *(
        capture(DECEMBER, "billable_not_billed", None, None),
        capture(DECEMBER, "billed_beyond_record", 40, "-312.50"),
    ),
    *(capture(JANUARY, "not_eligible", 2050), capture(JANUARY, "eligible_not_served", 1050)),
]
TABLES: dict[str, list[dict[str, Any]]] = {
    "reports.rpt_load_summary": [
        {
            "batch_id": "0123456789ab",
            "received_date": date(2026, 3, 31),
            "format": "practice",
            "source_file": HOSTILE,
            "rows_in": 12345,
            "rows_landed": 12343,
            "rows_quarantined": 2,
        }
    ],
    "reports.quarantine_summary": [
        {
            "batch_id": "0123456789ab",
            "table_name": "claims",
            "reason": "conflicting_key",
            "rows": 2,
            "rows_resolved": 1,
        }
    ],
    "reports.rpt_funnel": STEPS,
    "reports.rpt_eligibility_attrition": [
        {
            "period": step["period"],
            "first_month": step["first_month"],
            "last_month": step["last_month"],
            "criterion_order": step["step"],
            "criterion": step["step_code"],
            "criterion_name": step["criterion_name"] or step["step_name"],
            "people_left": step["people"],
            "people_dropped": step["dropped"],
            "is_suppressed": step["is_suppressed"],
        }
        for step in STEPS
        if step["step"] < 4
    ],
    "reports.rpt_capture_by_month": MONTHS,
    "reports.rpt_capture_by_year": [
        {
            "service_year": 2025,
            "dollars_are_suppressed": row["is_suppressed"],
            **{key: row[key] for key in row if key not in ("service_month", "people_in_month")},
        }
        for row in MONTHS[:4]
    ]
    + [
        {
            "service_year": 2024,
            "state_order": 1,
            "state": "not_eligible",
            "people": 900,
            **dict.fromkeys(("gap_usd", "potential_usd", "billed_usd", "paid_usd"), Decimal("0")),
            "is_suppressed": False,
            "dollars_are_suppressed": False,
            "run_out_state": "provisional",
        }
    ],
    "reports.rpt_flags_by_rule": [
        *(flag("F01", "fail", None), flag("F01", "pass", None), flag("F01", "cannot_assess", 83)),
        *(flag("F15", "fail", 18, "1606.34"), flag("F15", "pass", 1400)),
    ],
    "reports.rpt_findings_total": [
        {
            "people": 72,
            "claim_lines": 117,
            "amount_usd": Decimal("4922.99"),
            "not_supported_usd": Decimal("3352.14"),
            "is_suppressed": False,
        }
    ],
    "reports.rpt_condition_prevalence": [
        {
            "service_month": DECEMBER,
            "definition": "CCW30-2022-02",
            "condition": name,
            "is_counted": True,
            "people": people,
            "base_people": 3000,
            "share": None if people is None else people / 3000,
            "is_suppressed": people is None,
        }
        for name, people in (("Diabetes", 744), ("Stroke & co", None))
    ],
    "flags.rule_catalogue": [rule("F01"), rule("F15"), rule("F28")],
}
TABLES["reports.disparity_measures"] = [
    measured("everybody", "everybody", 2025, 171, 5000),
    measured("sex", "female", 2025, 100, 3000),
    measured("sex", "male", 2025, 71, 2000),
    measured("sex", "unknown", 2025, None, None),
    measured("sex", "female", 2024, 60, 2900),
]
OUTCOMES = [
    Outcome("contract_claims", "claims", "claim_id", "expect_x", "values to be set", True, True, 10, 0),
    Outcome("contract_claims", "claims", "from_date", "expect_y", "values <ordered>", False, False, 10, 3),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = Settings(out=tmp_path_factory.mktemp("out"))
    with duckdb.connect(str(made.warehouse)) as con:
        con.execute("create schema reports; create schema flags")
        for name, content in TABLES.items():
            frame = pl.DataFrame(content, infer_schema_length=None)
            con.register("frame", frame)
            con.execute(f"create table {name} as select * from frame")
            con.unregister("frame")
    return made


@pytest.fixture(scope="module")
def text(settings: Settings) -> str:
    return build(settings, WINDOW, OUTCOMES).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(text: str) -> Page:
    return Page(text)


def as_shown(value: Any) -> str:
    """How a value of a report table is written on the page; written apart from the page's own filters."""
    if value is None:
        return "hidden"
    if isinstance(value, Decimal):
        sign = "-" if value < 0 else ""
        return f"{sign}${abs(value):,.2f}"
    if isinstance(value, float):
        return f"{value * 100:.1f}%"
    return f"{value:,}"


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("reports.")])
def test_the_tables_tried_here_have_the_columns_that_the_models_describe(name: str) -> None:
    described = reference_docs.described_models()[name.removeprefix("reports.")]["columns"]
    assert set(TABLES[name][0]) == set(described)


def test_the_funnel_equals_its_table(shown: Page) -> None:
    for step in STEPS:
        if step["is_main"]:
            figure = shown.table("rpt_funnel", step["period"]).figure(step["step_code"], column="people")
            assert figure == as_shown(step["people"])


def test_the_attrition_equals_its_table(shown: Page) -> None:
    for row in TABLES["reports.rpt_eligibility_attrition"]:
        table = shown.table("rpt_eligibility_attrition", row["period"])
        assert table.figure(row["criterion"], column="people_left") == as_shown(row["people_left"])
        dropped = "" if row["criterion_order"] == 1 else as_shown(row["people_dropped"])
        assert table.figure(row["criterion"], column="people_dropped") == dropped


def test_capture_by_month_equals_its_table(shown: Page) -> None:
    table = shown.table("rpt_capture_by_month")
    dollars = {
        "gap_usd": ("billable_not_billed", "billed_below_record", "billed_beyond_record"),
        "potential_usd": ("eligible_not_served",),
    }
    for month in (JANUARY, DECEMBER):
        cells = {row["state"]: row for row in MONTHS if row["service_month"] == month}
        assert table.figure(str(month), column="people_in_month") == "3,100"
        assert (
            table.figure(str(month), column="run_out_state")
            == cells["not_eligible"]["run_out_state"].capitalize()
        )
        for state in STATES:
            expected = as_shown(cells[state]["people"]) if state in cells else "0"
            assert table.figure(str(month), column="people", state=state) == expected
        for column, states in dollars.items():
            for state in states:
                expected = as_shown(cells[state][column]) if state in cells else "$0.00"
                assert table.figure(str(month), column=column, state=state) == expected
    assert list(table.rows) == [str(DECEMBER), str(JANUARY)]


def test_capture_by_year_equals_its_table(shown: Page) -> None:
    table = shown.table("rpt_capture_by_year")
    for row in TABLES["reports.rpt_capture_by_year"]:
        for column in ("people", "gap_usd"):
            assert table.figure(row["state"], column=column, year=str(row["service_year"])) == as_shown(
                row[column]
            )
    assert MONTHS[0]["run_out_state"] == "complete"
    assert table.figure("years", column="run_out_state", year="2025") == "2025"
    assert table.figure("years", column="run_out_state", year="2024") == "2024 (provisional)"


def test_flags_equal_their_table_and_a_rule_without_subjects_shows_none(shown: Page) -> None:
    table = shown.table("rpt_flags_by_rule")
    for row in TABLES["reports.rpt_flags_by_rule"]:
        assert table.figure(row["rule_id"], column="subjects", status=row["status"]) == as_shown(
            row["subjects"]
        )
    assert table.figure("F15", column="amount_usd") == "$1,606.34"
    assert table.figure("F01", column="amount_usd") == "hidden"
    assert table.figure("F28", column="subjects", status="fail") == "0"


def test_reach_by_group_equals_its_table_and_older_years_stand_beside(shown: Page) -> None:
    table, years = shown.table("disparity_measures"), shown.table("uptake_by_year")
    for row in TABLES["reports.disparity_measures"]:
        key = f"{row['group_kind']}/{row['group_value']}"
        assert years.figure(key, column="rate", year=str(row["period"])) == as_shown(row["rate"])
        if row["period"] == 2025:
            for column in ("numerator", "denominator", "rate"):
                assert table.figure(key, column=column) == as_shown(row[column])
    assert table.figure("sex/female", column="gap") == "-0.2"
    assert table.figure("sex/male", column="gap") == ""


def test_conditions_files_and_quarantine_equal_their_tables(shown: Page) -> None:
    for row in TABLES["reports.rpt_condition_prevalence"]:
        table = shown.table("rpt_condition_prevalence")
        assert table.figure(row["condition"], column="people") == as_shown(row["people"])
        assert table.figure(row["condition"], column="share") == as_shown(row["share"])
    for row in TABLES["reports.rpt_load_summary"]:
        for column in ("rows_in", "rows_landed", "rows_quarantined"):
            figure = shown.table("rpt_load_summary").figure(f"{row['batch_id']}/{HOSTILE}", column=column)
            assert figure == as_shown(row[column])
    quarantined = shown.table("quarantine_summary")
    assert quarantined.figure("0123456789ab/claims/conflicting_key", column="rows") == "2"
    assert quarantined.figure("0123456789ab/claims/conflicting_key", column="rows_resolved") == "1"


def test_the_figures_at_the_top_are_those_of_the_tables(shown: Page) -> None:
    assert shown.glance == {
        "unserved": "1,000",
        "potential": "$60,490.00",
        "not_billed": "hidden",
        "findings": "$4,922.99",
    }


def test_expectations_are_counted_by_suite_and_failures_named(shown: Page, text: str) -> None:
    table = shown.table("quality")
    assert table.figure("contract_claims", column="expectations") == "2"
    assert table.figure("contract_claims", column="failed") == "1"
    assert "Values &lt;ordered&gt; on from_date: 3 rows, not blocking." in text


def test_a_hidden_number_is_never_shown_as_zero(shown: Page) -> None:
    assert shown.table("rpt_funnel", "month").figure("alive", column="people") == "hidden"
    month = shown.table("rpt_capture_by_month")
    assert month.figure(str(DECEMBER), column="people", state="billable_not_billed") == "hidden"
    assert month.figure(str(DECEMBER), column="gap_usd", state="billable_not_billed") == "hidden"


def test_text_from_data_is_escaped(text: str) -> None:
    assert "<script" not in text.lower()
    assert "&lt;script&gt;alert(" in text
    assert "Source &lt;1&gt; &amp; others" in text


def test_nothing_is_requested_from_the_network(shown: Page, text: str) -> None:
    assert not re.search(r"""(?:src|href|data|action|poster)\s*=\s*["']?\s*(?:https?:)?//""", text, re.I)
    assert not re.search(r"@import|url\s*\(", text)
    assert {tag for tag, _ in shown.elements} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
    } == set()
    policy = next(
        attributes["content"]
        for _, attributes in shown.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


def test_every_link_leads_somewhere_and_no_id_stands_twice(shown: Page) -> None:
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in shown.elements if tag == "a"]
    assert len(links) > 15
    assert [link for link in links if not (link.startswith("#") and link[1:] in ids)] == []


def test_every_table_has_a_caption_and_heads_with_a_scope(shown: Page) -> None:
    assert len(shown.tables) == 13
    for table in shown.tables:
        assert table.caption.strip()
        assert table.heads and all(head.get("scope") for head in table.heads)


def test_landmarks_and_headings_are_in_order(shown: Page) -> None:
    tags = [tag for tag, _ in shown.elements]
    assert [tags.count(tag) for tag in ("h1", "main", "header", "footer", "nav")] == [1] * 5
    assert ("html", {"lang": "en"}) in shown.elements
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = {attributes["id"] for _, attributes in shown.elements if "id" in attributes}
    assert all(attributes["aria-labelledby"] in ids for tag, attributes in shown.elements if tag == "section")
    assert shown.title == "Chronic Care Management through December 2025"


def test_the_page_reads_report_tables_and_the_catalogue_only() -> None:
    tables = {name for query in QUERIES.values() for name in re.findall(r"\b\w+\.\w+\b", query)}
    assert tables == set(TABLES)


def test_a_run_that_found_nothing_still_has_a_page(settings: Settings, tmp_path: Path) -> None:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        empty = {name: rows(con, f"select * from ({query}) where false") for name, query in QUERIES.items()}
    found = Page(page.render(empty, WINDOW, [], {}))
    assert found.glance == {}
    assert all(not table.rows or set(table.rows) == set(STATES) for table in found.tables)
