"""Every page as a person opens it: from a file, wide and narrow, by keyboard and by screen reader, with its filters and drill-downs."""

from __future__ import annotations

import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.publish import site
from pipelines.publish.pages import restatement
from pipelines.publish.serve import server
from pipelines.restatement.run import publish
from pipelines.settings import Settings
from tests.pipelines.publish.page_world import (
    HOSTILE,
    LISTED,
    OUTCOMES,
    PEOPLE,
    PERSONAL,
    PRACTICES,
    RANKS,
    TABLES,
    WINDOW,
    make_warehouse,
    practice_of,
)
from tests.pipelines.restatement.publications import (
    JAN,
    LATER,
    beside_a_publication,
    claim,
    later,
    set_state,
    with_claim,
    world,
    write,
)

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 380, "height": 800}
MANY = 100_000


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings(out=tmp_path_factory.mktemp("out"))
    make_warehouse(settings)
    return site.build(settings, WINDOW, OUTCOMES).parent


@pytest.fixture
def opened(browser: Any, reports: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page of the site; what its console says, and whatever it asks for beside itself, fails the test."""
    contexts, said = [], []

    def open_page(path: str, viewport: dict[str, int] = WIDE, folder: Path = reports) -> Any:
        context = browser.new_context(viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on(
            "request", lambda asked: asked.url.startswith("file:") or said.append(f"request: {asked.url}")
        )
        file, mark, place = path.partition("#")
        page.goto((folder / file).as_uri() + mark + place)
        ready(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def ready(page: Any) -> None:
    """Wait until every long table of the page is filled."""
    for place in page.query_selector_all("[data-grid]"):
        page.wait_for_selector(f'[data-grid="{place.get_attribute("data-grid")}"][data-ready]')


def column(page: Any, grid: str, key: str) -> list[str]:
    """The shown cells of one column of a long table."""
    cells = page.locator(f'[data-grid="{grid}"] tbody tr[data-row] td[data-column="{key}"]')
    return [text.strip() for text in cells.all_inner_texts()]


def status(page: Any, grid: str) -> str:
    return str(page.locator(f'[data-grid="{grid}"] [role=status]').inner_text())


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("page", site.PAGES, ids=lambda page: page.path)
def test_a_page_opens_without_a_fault_and_is_accessible(
    page: site.Page, viewport: dict[str, int], opened: Callable[..., Any]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    shown = opened(page.path, viewport)
    assert shown.locator("h1").inner_text() == page.title
    found = Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_worklist_of_a_practice_is_its_people_in_their_order(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/worklist.html")
    page.get_by_label("Practice", exact=True).first.select_option(PRACTICES[1])
    mine = sorted((person for person in LISTED if practice_of(person) == PRACTICES[1]), key=RANKS.__getitem__)
    assert column(page, "worklist", "beneficiary_id") == mine
    assert column(page, "worklist", "rank") == [str(number) for number in range(1, len(mine) + 1)]
    assert status(page, "worklist") == f"{len(mine)} of {len(LISTED)} rows"
    assert "practice_id=222222222" in page.url


def test_filters_of_a_long_table_narrow_together_and_are_cleared(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/worklist.html")
    grid = page.locator('[data-grid="worklist"]')
    grid.get_by_label("Condition", exact=True).select_option("Asthma")
    grid.get_by_label("Missing to start", exact=True).select_option("care plan")
    wanted = [
        row
        for row in PERSONAL["reports.worklist"]
        if "Asthma" in row["conditions"] and "care plan" in row["missing_to_start"]
    ]
    assert status(page, "worklist") == f"{len(wanted)} of {len(LISTED)} rows"
    grid.get_by_role("button", name="Clear").click()
    assert status(page, "worklist") == f"{len(LISTED)} of {len(LISTED)} rows"


def test_a_long_table_is_sorted_and_paged_by_keyboard(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/person.html")
    page.locator('[data-grid="person"]').get_by_label("Practice", exact=True).select_option(PRACTICES[0])
    head = page.get_by_role("columnheader", name="Person")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    first = column(page, "person", "beneficiary_id")
    assert first == sorted(first, reverse=True) and len(first) <= 25
    page.get_by_label("Practice", exact=True).first.select_option("")
    page.get_by_label("State", exact=True).select_option("eligible_not_served")
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    assert "Page 2 of" in page.locator(".pager").inner_text()


def test_hostile_text_is_shown_and_never_run(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/worklist.html")
    page.get_by_label("Person", exact=True).first.fill(HOSTILE)
    page.locator('[data-grid="worklist"] [role=status]', has_text=re.compile("^1 of")).wait_for()
    assert column(page, "worklist", "beneficiary_id") == [HOSTILE]
    page.locator('[data-grid="worklist"] td[data-column="beneficiary_id"] a').click()
    ready(page)
    assert set(column(page, "person", "beneficiary_id")) == {HOSTILE}


def test_details_open_under_their_row_and_say_so(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/findings.html#rule_id=F15")
    rules = [row for row in PERSONAL["flags.findings"] if row["rule_id"] == "F15"]
    assert status(page, "findings") == f"{len(rules)} of {len(PERSONAL['flags.findings'])} rows"
    button = page.get_by_role("button", name="Details of this row").first
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator("tr.detail:not([hidden])").inner_text()
    dearest = max((row for row in rules if row["review_state"] == "open"), key=lambda row: row["amount_usd"])
    line = dearest["claim_line_ids"][0]
    assert f"{line}: 2025-12-09, 99490 x1, $43.10 paid, NPI 1000000001" in detail
    assert "C99-1 (no longer among the claims)" in detail
    assert f"ccm review {dearest['finding_id']}" in detail


def test_findings_come_dearest_first_whatever_their_severity(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/findings.html")
    open_ones = [row for row in PERSONAL["flags.findings"] if row["review_state"] == "open"]
    assert len({row["severity"] for row in open_ones}) > 1
    paid = sorted((row["amount_usd"] for row in open_ones), reverse=True)
    shown = column(page, "findings", "amount_usd")
    assert shown[: len(paid)] == [f"${amount:,.2f}" for amount in paid][: len(shown)]


def test_a_count_of_failures_leads_to_its_findings(opened: Callable[..., Any]) -> None:
    page = opened("compliance.html")
    page.get_by_label("Found", exact=True).select_option("yes")
    visible = page.locator("#flags tbody tr:visible").count()
    assert visible == len(
        {row["rule_id"] for row in TABLES["reports.rpt_flags_by_rule"] if row["status"] == "fail"}
    )
    page.get_by_role("link", name="18: findings of F15").click()
    ready(page)
    assert set(column(page, "findings", "rule_id")) == {"F15"}


def test_who_came_started_lapsed_and_left_is_told_with_the_reason(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/worklist.html")
    moved = dict(
        zip(
            column(page, "changes", "beneficiary_id"),
            zip(column(page, "changes", "change"), column(page, "changes", "reason"), strict=True),
            strict=True,
        )
    )
    assert moved == {
        PEOPLE[4]: ("Lapsed", "Care management of the month before has not gone on"),
        PEOPLE[8]: ("New", "No longer: In Medicare Advantage, not fee-for-service"),
        PEOPLE[12]: ("Started", "Billed"),
        PEOPLE[16]: ("Gone", "Died"),
    }


def test_dollars_of_practices_are_those_of_the_months(opened: Callable[..., Any]) -> None:
    page = opened(f"{site.PERSONAL}/practices.html")
    months = PERSONAL["marts.capture_months"]
    for practice in PRACTICES:
        page.locator('[data-grid="practices"]').get_by_label("Practice", exact=True).select_option(practice)
        mine = [row for row in months if row["practice_id"] == practice]
        gap = sum(row["gap_usd"] for row in mine if row["state"] == "billable_not_billed")
        potential = sum(row["potential_usd"] or 0 for row in mine)
        assert column(page, "practices", "not_billed_usd") == [f"${gap:,.2f}"]
        assert column(page, "practices", "potential_usd") == [f"${potential:,.2f}"]


class Visit:
    """A new user's way from the first page: counts clicks and choices, and the seconds until the answer stands there."""

    def __init__(self, page: Any) -> None:
        self.page, self.clicks, self.started = page, 0, time.perf_counter()

    def click(self, name: str) -> None:
        self.page.get_by_role("link", name=name).first.click()
        ready(self.page)
        self.clicks += 1

    def choose(self, label: str, value: str) -> None:
        self.page.get_by_label(label, exact=True).first.select_option(value)
        self.clicks += 1

    def ends(self, task: str) -> None:
        seconds = time.perf_counter() - self.started
        print(f"{task}: {self.clicks} clicks, {seconds:.1f} s")
        assert self.clicks <= 3 and seconds < 60


def test_five_questions_are_answered_from_the_first_page(opened: Callable[..., Any]) -> None:
    visit = Visit(opened("index.html"))
    visit.click("Whom should this practice ask first?")
    visit.choose("Practice", PRACTICES[0])
    assert column(visit.page, "worklist", "rank")[:10] == [str(number) for number in range(1, 11)]
    visit.ends("the ten best candidates of a practice")

    visit = Visit(opened("index.html"))
    visit.click("Why is this person not eligible?")
    visit.page.get_by_label("Person (whole identifier)", exact=True).fill(PEOPLE[3])
    visit.page.keyboard.press("Enter")
    visit.clicks += 1
    assert (
        column(visit.page, "person", "failed_criteria")[0] == "Fewer chronic conditions on claims than needed"
    )
    visit.ends("why a person is not eligible")

    visit = Visit(opened("index.html"))
    visit.click("Which bills would the OIG question?")
    visit.click("Two payments for one month")
    assert column(visit.page, "oig", "beneficiary_id") == [PEOPLE[1], PEOPLE[2]]
    visit.ends("bills that the OIG would question")

    visit = Visit(opened("index.html"))
    visit.click("Is the gap between two groups real?")
    visit.choose("Kind of group", "sex")
    row = visit.page.locator('[data-key="uptake/sex/female"] [data-column="answer"]')
    assert "chance could explain it" in row.inner_text()
    visit.ends("whether a gap is real")

    visit = Visit(opened("index.html"))
    visit.click("What changed since last month?")
    cell = visit.page.locator(
        '[data-source="changes"] [data-key="eligible_not_served"] [data-column="people_change"]'
    )
    assert cell.inner_text() == "-50" and cell.is_visible()
    visit.ends("what changed since last month")

    visit = Visit(opened("index.html"))
    visit.click("What did this run restate?")
    assert "no earlier publication to compare with" in visit.page.locator("main").inner_text()
    visit.ends("what this run restated")


def test_what_a_late_delivery_restated_is_answered_from_the_first_page(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    """Of 40 people published before, a late claim makes 25 told otherwise, compared by what a run compares with."""
    people = tuple(f"person{number:02}" for number in range(40))
    making = beside_a_publication(tmp_path, world(people))
    now = later(world(people))
    for person in people[:25]:
        now = with_claim(now, claim(f"late-{person}", person, JAN, batch="b2"))
        set_state(now, person, JAN, "billed_beyond_record")
    now["reports.rpt_capture_by_month"][0] = (JAN, 7, "billed_as_supported", 15, 0, False, None)
    write(making.warehouse, now)
    assert publish(making, LATER) == 25
    shown = Settings(out=tmp_path / "pages")
    shown.out.mkdir()
    make_warehouse(shown)
    with duckdb.connect(str(shown.warehouse)) as con:
        con.execute(f"attach '{making.warehouse}' as made (read_only)")
        for table in restatement.TABLES:
            con.execute(f"create or replace table reports.{table} as from made.reports.{table}")
    visit = Visit(opened("index.html", folder=site.build(shown, WINDOW, OUTCOMES).parent))
    visit.click("What did this run restate?")
    reason = visit.page.locator('[data-key="new_claim/capture_state"]')
    assert reason.inner_text().split("\t") == ["New claim", "Capture state", "25"] and reason.is_visible()
    figure = visit.page.locator('[data-key="2025-01-01/billed_as_supported"]')
    assert [
        figure.locator(f'[data-column="people_{when}"]').inner_text() for when in ("before", "after")
    ] == [
        "30",
        "15",
    ]
    visit.ends("what this run restated of an earlier publication")


def test_served_on_loopback_the_pages_work_under_both_policies(browser: Any, reports: Path) -> None:
    with server(reports, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{running.server_address[1]}"
            page = browser.new_page()
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            page.goto(f"{address}/{site.PERSONAL}/worklist.html")
            ready(page)
            assert status(page, "worklist") == f"{len(LISTED)} of {len(LISTED)} rows"
            page.close()
            # the browser asks for an icon, which there is none of; nothing else may fail
            assert [line for line in said if "404" not in line] == []
            asked = urllib.request.Request(f"{address}/index.html", headers={"Host": "elsewhere.example"})  # noqa: S310
            with pytest.raises(urllib.error.HTTPError, match="421"):
                urllib.request.urlopen(asked, timeout=10)  # noqa: S310
        finally:
            running.shutdown()
            thread.join()


def test_a_hundred_thousand_rows_are_painted_within_a_second_and_stay_usable(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    settings = Settings(out=tmp_path)
    make_warehouse(settings)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "create or replace table reports.worklist as select worklist.* replace ("
            " 'PR' || (i % 300) as practice_id, 'B' || lpad(i::varchar, 7, '0') as beneficiary_id, (i // 300 + 1)::integer as rank,"
            " '1' || lpad((i % 900)::varchar, 9, '0') as practitioner_npi)"
            f" from range({MANY}) as numbers(i) inner join reports.worklist as worklist"
            f" on worklist.rank = 1 + i % 10 and worklist.practice_id = '{PRACTICES[0]}'"
        )
    folder = site.build(settings, WINDOW, OUTCOMES).parent
    path = folder / site.PERSONAL / "worklist.html"
    assert path.stat().st_size < 6_000_000
    paints, answers = [], []
    # the best of three: another process may hold the machine for a moment
    for _ in range(3):
        page = opened(f"{site.PERSONAL}/worklist.html", folder=folder)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        started = time.perf_counter()
        page.get_by_label("Practice", exact=True).first.select_option("PR7")
        assert status(page, "worklist").endswith(f" of {MANY:,} rows")
        answers.append(time.perf_counter() - started)
    assert column(page, "worklist", "rank")[:3] == ["1", "2", "3"]
    print(
        f"first paint {min(paints):.0f} ms, filter {1000 * min(answers):.0f} ms, {path.stat().st_size:,} bytes"
    )
    assert min(paints) < 1000
    assert min(answers) < 1
