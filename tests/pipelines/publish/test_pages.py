"""The publishable pages show what the report tables hold, hide what they hide, and ask nothing of the network."""

from __future__ import annotations

import csv
import itertools
import json
import re
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.run import Outcome
from pipelines.publish import reference_docs, site
from pipelines.publish.formatting import HIDDEN, as_precise, figure
from pipelines.publish.groups import full_name, place
from pipelines.publish.pages import impact, overview, quality
from pipelines.publish.pages.disparities import answered
from pipelines.publish.sources import Sources
from pipelines.publish.vocabulary import STATES
from pipelines.settings import Settings
from tests.pipelines.publish.page_reading import Page
from tests.pipelines.publish.page_world import (
    DECEMBER,
    HELD,
    HOSTILE,
    JANUARY,
    MONTHS,
    OUTCOMES,
    STEPS,
    TABLES,
    WINDOW,
    as_shown,
    make_warehouse,
)
from tests.pipelines.publish.page_world import (
    PERSONAL as PERSONAL_TABLES,
)

AS_OF_BEFORE = " as of 28 Feb 2026"  # beside a figure of the publication before
PUBLISHABLE = [page for page in site.PAGES if not page.is_personal]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = Settings(out=tmp_path_factory.mktemp("out"))
    make_warehouse(made)
    return made


@pytest.fixture(scope="module")
def texts(settings: Settings) -> dict[str, str]:
    first = site.build(settings, WINDOW, OUTCOMES)
    return {page.path: (first.parent / page.path).read_text(encoding="utf-8") for page in site.PAGES}


@pytest.fixture(scope="module")
def pages(texts: dict[str, str]) -> dict[str, Page]:
    return {path: Page(text) for path, text in texts.items()}


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("reports.")])
def test_the_tables_tried_here_have_the_columns_that_the_models_describe(name: str) -> None:
    described = reference_docs.described_models()[name.removeprefix("reports.")]["columns"]
    assert set(TABLES[name][0]) == set(described)


def test_the_funnel_equals_its_table(pages: dict[str, Page]) -> None:
    for step in STEPS:
        if step["is_main"]:
            figure = (
                pages["index.html"]
                .table("rpt_funnel", step["period"])
                .figure(step["step_code"], column="people")
            )
            assert figure == as_shown(step["people"])


def test_the_attrition_equals_its_table(pages: dict[str, Page]) -> None:
    for row in TABLES["reports.rpt_eligibility_attrition"]:
        table = pages["capture.html"].table("rpt_eligibility_attrition", row["period"])
        assert table.figure(row["criterion"], column="people_left") == as_shown(row["people_left"])
        dropped = "" if row["criterion_order"] == 1 else as_shown(row["people_dropped"])
        assert table.figure(row["criterion"], column="people_dropped") == dropped


def test_capture_by_month_equals_its_table(pages: dict[str, Page]) -> None:
    table = pages["capture.html"].table("rpt_capture_by_month")
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
            expected += AS_OF_BEFORE if state in cells and cells[state]["held_from"] else ""
            assert table.figure(str(month), column="people", state=state) == expected
        for column, states in dollars.items():
            for state in states:
                expected = as_shown(cells[state][column]) if state in cells else "$0.00"
                assert table.figure(str(month), column=column, state=state) == expected
    assert list(table.rows) == [str(DECEMBER), str(JANUARY)]


def test_capture_by_year_equals_its_table(pages: dict[str, Page]) -> None:
    table = pages["capture.html"].table("rpt_capture_by_year")
    for row in TABLES["reports.rpt_capture_by_year"]:
        for column in ("people", "gap_usd"):
            held = row["dollars_held_from" if column == "gap_usd" else "held_from"]
            figure = table.figure(row["state"], column=column, year=str(row["service_year"]))
            assert figure == as_shown(row[column]) + (AS_OF_BEFORE if held else "")
    assert MONTHS[0]["run_out_state"] == "complete"
    assert table.figure("years", column="run_out_state", year="2025") == "2025"
    assert table.figure("years", column="run_out_state", year="2024") == "2024 (provisional)"


def test_flags_equal_their_table_and_a_rule_without_subjects_shows_none(pages: dict[str, Page]) -> None:
    table = pages["compliance.html"].table("rpt_flags_by_rule")
    for row in TABLES["reports.rpt_flags_by_rule"]:
        figure = table.figure(row["rule_id"], column="subjects", status=row["status"])
        assert figure == as_shown(row["subjects"]) + (AS_OF_BEFORE if row["held_from"] else "")
    assert table.figure("F15", column="amount_usd") == "$1,606.34" + AS_OF_BEFORE
    assert table.figure("F01", column="amount_usd") == "hidden"
    assert table.figure("F28", column="subjects", status="fail") == "0"


def test_reach_by_group_equals_its_table_and_older_years_stand_beside(pages: dict[str, Page]) -> None:
    shown = pages["disparities.html"]
    table, years = shown.table("disparity_measures"), shown.table("uptake_by_year")
    for row in TABLES["reports.disparity_measures"]:
        key = f"{row['group_kind']}/{row['group_value']}"
        assert years.figure(key, column="rate", year=str(row["period"])) == as_shown(row["rate"])
        if row["period"] == 2025:
            for column in ("numerator", "denominator", "rate"):
                figure = table.figure(f"uptake/{row['group_kind']}/{row['group_value']}", column=column)
                assert figure == as_shown(row[column])
    assert table.figure("uptake/sex/female", column="gap") == "-0.2"
    assert table.figure("uptake/sex/male", column="gap") == ""


def test_places_equal_their_table_and_those_outside_the_limits_come_first(pages: dict[str, Page]) -> None:
    shown = pages["disparities.html"]
    rows = [row for row in TABLES["reports.disparity_places"] if row["place_kind"] == "practice"]
    table = shown.table("places_practice")
    assert list(table.rows) == ["practice/c3d4", "practice/a1b2"], "the hidden one is not listed"
    for row in rows:
        if not row["is_suppressed"]:
            for column in ("numerator", "denominator", "rate"):
                assert table.figure(f"practice/{row['place']}", column=column) == as_shown(row[column])
    assert list(shown.table("places_county").rows) == ["county/48201"]


@pytest.mark.parametrize(
    ("meaningful", "lower", "upper", "q", "says"),
    [
        (True, 0.02, 0.06, 0.01, "real, and large enough to matter."),
        (True, 0.02, 0.06, 0.2, "Less sure among so many comparisons"),
        (False, 0.001, 0.06, 0.01, "unlikely to be chance, but small."),
        (False, -0.01, 0.06, 0.4, "chance could explain it."),
    ],
)
def test_a_gap_is_answered_in_words(
    meaningful: bool, lower: float, upper: float, q: float, says: str
) -> None:
    row = {**TABLES["reports.disparity_measures"][1], "is_meaningful": meaningful, "q_value": q}
    told = answered({**row, "gap": 0.03, "gap_lower": lower, "gap_upper": upper}, True)["answer"]
    assert says in told and told.startswith("+3.0 points (95 % ")


def test_the_reference_group_is_told_from_one_that_cannot_be_compared() -> None:
    row = {**TABLES["reports.disparity_measures"][2], "gap": None}
    assert answered(row, True)["answer"] == "The group that others are compared with."
    assert answered(row, False)["answer"].startswith("Not compared")
    assert answered({**row, "is_suppressed": True}, True)["answer"] == "Hidden: few people."


def test_conditions_files_and_quarantine_equal_their_tables(pages: dict[str, Page]) -> None:
    for row in TABLES["reports.rpt_condition_prevalence"]:
        table = pages["capture.html"].table("rpt_condition_prevalence")
        assert table.figure(row["condition"], column="people") == as_shown(row["people"])
        assert table.figure(row["condition"], column="share") == as_shown(row["share"])
    shown = pages["quality.html"]
    for row in TABLES["reports.rpt_load_summary"]:
        for column in ("rows_in", "rows_landed", "rows_quarantined"):
            figure = shown.table("rpt_load_summary").figure(f"{row['batch_id']}/{HOSTILE}", column=column)
            assert figure == as_shown(row[column])
    quarantined = shown.table("quarantine_summary")
    assert quarantined.figure("0123456789ab/claims/conflicting_key", column="rows") == "25"
    assert quarantined.figure("0123456789ab/claims/conflicting_key", column="rows_resolved") == "hidden"
    months = shown.table("run_out")
    assert months.figure(str(JANUARY), column="run_out_state").startswith("Provisional")
    assert months.figure(str(DECEMBER), column="run_out_state") == "Complete"


def test_changes_since_last_month_are_differences_of_numbers_shown(pages: dict[str, Page]) -> None:
    table = pages["index.html"].table("changes")
    assert table.figure("eligible_not_served", column="people_before") == "1,050"
    assert table.figure("eligible_not_served", column="people_now") == "1,000"
    assert table.figure("eligible_not_served", column="people_change") == "-50"
    assert table.figure("billed_beyond_record", column="gap_change") == "-$312.50"
    assert table.figure("billable_not_billed", column="people_change") == "hidden"


def test_the_figures_at_the_top_are_those_of_the_tables(pages: dict[str, Page]) -> None:
    assert pages["index.html"].glance == {
        "unserved": "1,000",
        "potential": "$60,490.00",
        "not_billed": "hidden",
        "findings": "$4,922.99",
    }


def test_expectations_are_counted_by_suite_and_failures_named(
    pages: dict[str, Page], texts: dict[str, str]
) -> None:
    table = pages["quality.html"].table("quality")
    assert table.figure("contract_claims", column="expectations") == "2"
    assert table.figure("contract_claims", column="failed") == "1"
    assert "Values &lt;ordered&gt; on from_date: 1 to 10 rows, not blocking." in texts["quality.html"]


def test_rows_that_fail_are_counted_from_the_limit_on() -> None:
    failed = [
        Outcome("suite", "claims", "from_date", "expectation", "says", False, False, 50, unexpected)
        for unexpected in (1, 10, 11, 0)
    ]
    assert [rows for _, rows in quality.quality(failed, 10)[0]["failed"]] == ["1 to 10", "1 to 10", "11", "0"]
    assert {rows for _, rows in quality.quality(failed, None)[0]["failed"]} == {HIDDEN}


def test_results_of_dbt_are_counted_and_their_messages_left_out(tmp_path: Path) -> None:
    results = [
        {"unique_id": "test.ccm.one", "status": "pass", "message": None},
        {"unique_id": "test.ccm.two", "status": "warn", "message": "Got 3 results for P01"},
        {"unique_id": "model.ccm.three", "status": "success", "message": "OK"},
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    found = {row["kind"]: row for row in quality.dbt_results(tmp_path)}
    assert (found["test"]["total"], found["test"]["pass"], found["test"]["warn"]) == (2, 1, 1)
    assert found["model"]["pass"] == 1
    assert "P01" not in str(found)


def test_figures_of_an_earlier_publication_are_explained_once_on_the_page_that_has_some(
    texts: dict[str, str],
) -> None:
    noted = {path: text.count('data-note="held"') for path, text in texts.items()}
    assert {path: count for path, count in noted.items() if count} == {
        "index.html": 1,
        "capture.html": 2,
        "compliance.html": 1,
    }
    assert 'href="definitions.html#held"' in texts["capture.html"]
    assert 'id="held"' in texts["definitions.html"]


@pytest.mark.parametrize("column", ["gap_usd", "gap_usd_after", "people"])
def test_a_figure_is_written_by_its_column_and_marked_with_its_day(column: str) -> None:
    written = {"people": "40"}.get(column, "$40.00")
    assert figure({column: 40, "held_from": None}, column) == written
    marked = figure({column: 40, "held_from": HELD}, column)
    assert marked == f'{written}<span class="held"> as of 28 Feb 2026</span>'
    assert figure({column: None, "held_from": None}, column) == HIDDEN
    assert figure(None, column) == {"people": "0"}.get(column, "$0.00")


@pytest.mark.parametrize(("days", "change"), [((None, None), -2), ((HELD, HELD), -2), ((HELD, None), None)])
def test_a_change_is_of_two_figures_of_one_publication(days: tuple[Any, Any], change: int | None) -> None:
    now, before = (
        {"cells": {"not_eligible": {"people": people, "gap_usd": 0, "held_from": day}}}
        for people, day in zip((38, 40), days, strict=True)
    )
    row = next(row for row in overview.changes(now, before) if row["state"] == "not_eligible")
    assert row["people_change"] == change


def test_a_hidden_number_is_never_shown_as_zero(pages: dict[str, Page]) -> None:
    assert pages["index.html"].table("rpt_funnel", "month").figure("alive", column="people") == "hidden"
    month = pages["capture.html"].table("rpt_capture_by_month")
    assert month.figure(str(DECEMBER), column="people", state="billable_not_billed") == "hidden"
    assert month.figure(str(DECEMBER), column="gap_usd", state="billable_not_billed") == "hidden"


def test_every_download_equals_its_table_with_hidden_cells_empty(
    settings: Settings, texts: dict[str, str]
) -> None:
    # parts of the reports can be left out of a run
    offered = {table for page in PUBLISHABLE for table in page.downloads if f"reports.{table}" in TABLES}
    assert {path.stem for path in (settings.reports / "data").iterdir()} == offered
    for name in offered:
        with (settings.reports / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        expected = TABLES[f"reports.{name}"]
        assert len(found) == len(expected) and set(found[0]) == set(expected[0])
        for column in expected[0]:
            empty = sum(row[column] == "" for row in found)
            assert empty == sum(row[column] is None for row in expected), (name, column)
        assert any(f'href="data/{name}.csv"' in text for text in texts.values()), name


@pytest.mark.parametrize("page", site.PAGES, ids=lambda page: page.path)
def test_text_from_data_is_escaped(page: site.Page, texts: dict[str, str]) -> None:
    assert "<script>alert(" not in texts[page.path].lower()


def test_hostile_text_is_shown_as_text(texts: dict[str, str]) -> None:
    assert "&lt;script&gt;alert(" in texts["quality.html"]


@pytest.mark.parametrize("page", site.PAGES, ids=lambda page: page.path)
def test_nothing_is_requested_from_the_network(
    page: site.Page, pages: dict[str, Page], texts: dict[str, str]
) -> None:
    shown, text = pages[page.path], texts[page.path]
    assert not re.search(r"""(?:src|href|data|action|poster)\s*=\s*["']?\s*(?:https?:)?//""", text, re.I)
    assert not re.search(r"@import|url\s*\(", text)
    assert {tag for tag, _ in shown.elements} & {"link", "img", "iframe", "object", "embed", "base"} == set()
    assert all("src" not in attributes for tag, attributes in shown.elements if tag == "script")
    policy = next(
        attributes["content"]
        for _, attributes in shown.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert re.search(r"script-src 'sha256-[^']+'; ", policy) and "script-src 'unsafe" not in policy
    assert "connect-src" not in policy


def test_every_link_leads_somewhere_and_no_id_stands_twice(
    pages: dict[str, Page], settings: Settings
) -> None:
    ids = {path: [a["id"] for _, a in page.elements if "id" in a] for path, page in pages.items()}
    for path, mine in ids.items():
        assert len(mine) == len(set(mine)), path
        links = [attributes["href"] for tag, attributes in pages[path].elements if tag == "a"]
        assert len(links) > 15
        for link in links:
            file, _, place = link.partition("#")
            target = (settings.reports / path).parent / file if file else settings.reports / path
            assert target.exists(), (path, link)
            # a place with = in it is a filter of a grid
            if place and "=" not in place:
                assert place in ids[str(target.resolve().relative_to(settings.reports.resolve()))], (
                    path,
                    link,
                )


def test_every_table_has_a_caption_and_heads_with_a_scope(pages: dict[str, Page]) -> None:
    for page in pages.values():
        for table in page.tables:
            assert table.caption.strip()
            assert table.heads and all(head.get("scope") for head in table.heads)


@pytest.mark.parametrize("page", site.PAGES, ids=lambda page: page.path)
def test_landmarks_and_headings_are_in_order(page: site.Page, pages: dict[str, Page]) -> None:
    shown = pages[page.path]
    tags = [tag for tag, _ in shown.elements]
    assert [tags.count(tag) for tag in ("h1", "main", "header", "footer")] == [1] * 4
    assert ("html", {"lang": "en"}) in shown.elements
    main = tags.index("main")
    levels = [int(tag[1]) for tag in tags[main:] if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    ids = {attributes["id"] for _, attributes in shown.elements if "id" in attributes}
    assert all(attributes["aria-labelledby"] in ids for tag, attributes in shown.elements if tag == "section")
    assert shown.title == f"{page.title}: chronic care management through December 2025"


class Watched(Sources):
    """Sources that keep what they are asked."""

    def rows(self, query: str) -> list[dict[str, Any]]:
        self.asked = [*getattr(self, "asked", []), query]
        return super().rows(query)


def test_publishable_pages_read_report_tables_and_the_catalogue_only(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        sources = Watched(con, settings, WINDOW, OUTCOMES)
        for page in PUBLISHABLE:
            page.view(sources)
    tables = {name for query in sources.asked for name in re.findall(r"\b\w+\.\w+\b", query)}
    assert tables == set(TABLES)


def test_person_level_pages_are_private_and_say_what_they_are(
    settings: Settings, texts: dict[str, str]
) -> None:
    folder = settings.reports / site.PERSONAL
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(settings.reports.stat().st_mode) == 0o700
    for page in site.PAGES:
        is_marked = "Not for publication" in texts[page.path]
        assert is_marked == page.is_personal, page.path
        if page.is_personal:
            assert stat.S_IMODE((settings.reports / page.path).stat().st_mode) == 0o600


def test_publishable_pages_name_nobody(texts: dict[str, str]) -> None:
    for page in PUBLISHABLE:
        assert not re.search(r"\bP\d\d\b", texts[page.path]), page.path
        assert "C1-1" not in texts[page.path]


def test_equal_runs_give_equal_pages(settings: Settings, texts: dict[str, str]) -> None:
    first = site.build(settings, WINDOW, OUTCOMES)
    assert {page.path: (first.parent / page.path).read_text(encoding="utf-8") for page in site.PAGES} == texts


def test_pages_of_an_earlier_run_do_not_stay_behind(settings: Settings) -> None:
    (settings.reports / "old.html").write_text("old")
    site.build(settings, WINDOW, OUTCOMES)
    assert not (settings.reports / "old.html").exists()


def test_a_run_that_found_nothing_still_has_pages(settings: Settings, tmp_path: Path) -> None:
    empty = Settings(out=tmp_path)
    with duckdb.connect(str(empty.warehouse)) as con:
        con.execute(f"attach '{settings.warehouse}' as full_one (read_only)")
        for name in (*TABLES, *PERSONAL_TABLES):
            con.execute(f"create schema if not exists {name.split('.')[0]}")
            con.execute(f"create table {name} as select * from full_one.{name} where false")
        con.execute(
            "insert into flags.oig_audit (audit, period, test_id, ccm_lines) values ('A', 'all', 'total', 0)"
        )
    first = site.build(empty, WINDOW, [])
    found = {page.path: Page((first.parent / page.path).read_text(encoding="utf-8")) for page in site.PAGES}
    assert found["index.html"].glance == {}
    for page in PUBLISHABLE:
        assert all(not table.rows or set(table.rows) == set(STATES) for table in found[page.path].tables)


def test_the_fairness_report_equals_its_table_and_counts_what_fails(pages: dict[str, Page]) -> None:
    page = pages["outreach.html"]
    table = page.table("outreach_observed_over_expected")
    for row in TABLES["reports.outreach_fairness"]:
        if row["measure"] == "observed_over_expected" and row["group_kind"] != "tenth_of_score":
            key = f"{row['group_kind']}/{row['group_value']}"
            assert table.figure(key, column="people") == as_shown(row["people"])
            assert table.figure(key, column="counted") == as_shown(row["counted"])
    tenths = page.table("outreach_reliability")
    assert tenths.figure("10", column="counted") == as_shown(180)


def test_the_page_of_outreach_says_what_is_not_foretold(texts: dict[str, str]) -> None:
    assert "1 of the figures below lie outside" in " ".join(texts["outreach.html"].split())
    assert "Not foretold: too little is known." in texts["outreach.html"]


@pytest.mark.parametrize(
    ("outcome", "figures", "says"),
    [
        ("total_usd", (-403.4, -939.4, 106.3), "-$403 a person-month (95 % -$939 to +$106); chance could explain it."),
        ("acute_admissions", (-0.02, -0.03, -0.01), "-0.020 events a person-month (95 % -0.030 to -0.010); chance alone does not explain it."),
    ],
)  # fmt: skip
def test_the_answer_of_a_study_is_a_sentence(
    outcome: str, figures: tuple[float, float, float], says: str
) -> None:
    row = dict(zip(("estimate", "lower", "upper"), figures, strict=True))
    told = impact.readable({"design": "H", "outcome": outcome, "term": "att", "group_kind": "everybody", "group_value": "everybody", **row})  # fmt: skip
    assert impact.headline([told]).endswith(says)
    assert impact.headline([{**told, "estimate": None}]) == ""


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ((-154.7, -426.9, 116.8), ["-155", "-427", "117"]),
        ((-0.004948, -0.01364, 0.004546), ["-0.0049", "-0.0136", "0.0045"]),
        ((1234.5, 100.0, 5000.0), ["1,234", "100", "5,000"]),
        ((1.346, None, None), ["1.35", HIDDEN, HIDDEN]),
        ((0.0, 0.0, 0.0), ["0", "0", "0"]),
    ],
)
def test_estimates_are_written_to_the_digits_that_their_intervals_bear(
    figures: tuple[float, float | None, float | None], shown: list[str]
) -> None:
    assert [as_precise(value, *figures[1:]) for value in figures] == shown


def test_what_a_study_balances_is_told_in_words() -> None:
    assert impact.covariate("log_total_usd_12_to_7", None) == "Spending (logarithm), months -12 to -7"
    assert impact.covariate("total_usd_month_2", None) == "Spending, month -2"
    assert impact.covariate("dual_status", "not_dual") == "Medicaid: none"
    assert impact.term("quarter_-2") == "Quarter -2" and impact.term("att") == "Effect"


def test_groups_stand_in_one_order_with_unknown_ones_last() -> None:
    names = [("sex", "unknown"), ("age_band", "65_to_69"), ("age_band", "under_65"), ("everybody", "everybody"), ("sex", "female")]  # fmt: skip
    rows = [{"group_kind": kind, "group_value": value} for kind, value in names]
    ordered = [full_name(row["group_kind"], row["group_value"]) for row in sorted(rows, key=place)]
    assert ordered == ["Everybody", "Sex: female", "Sex: unknown", "Age: under 65", "Age: 65 to 69"]
