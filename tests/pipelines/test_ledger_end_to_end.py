"""The findings ledger over two deliveries: a bill is reviewed, the second delivery cancels it, and the first day is built again."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines import ledger
from pipelines.explain import story
from pipelines.explain_text import render
from pipelines.review import CannotReview, review, reviews
from pipelines.settings import Settings
from tests.dbt_project.built_warehouse import Built, build
from tests.dbt_project.named_patients import patients, write_delivery

FEBRUARY, MAY = dt.date(2024, 2, 29), dt.date(2024, 5, 31)
WITHOUT_TESTS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
COLUMNS = (
    "finding_id, rule_id, beneficiary_id, service_month, claim_line_ids, amount_usd, review_state, first_seen_as_of,"
    " last_seen_as_of, reopened_as_of, closed_as_of, closed_reason, continued_by"
)
CHANGED_ID = "bruno_since_may"


@dataclass(frozen=True)
class Told:
    """The findings after each of three builds, the one that was reviewed, and its month before and after the second delivery."""

    settings: Settings
    reviewed: str
    month: dt.date
    february: list[tuple[Any, ...]]
    may: list[tuple[Any, ...]]
    february_again: list[tuple[Any, ...]]
    at_once: dict[str, Any]
    afterwards: dict[str, Any]


def _findings(built: Built) -> list[tuple[Any, ...]]:
    return built.rows(f"select {COLUMNS} from flags.findings order by finding_id")


def _build(out: Path, delivery: Path, day: dt.date) -> Built:
    built = build(out, delivery, day, "2023-12", *WITHOUT_TESTS)
    assert built.failures == []
    ledger.remember_findings(Settings(out=out))
    return built


def _write(folder: Path, tables: dict[str, Sequence[dict[str, Any]]]) -> Path:
    folder.mkdir(parents=True)
    for table, rows in tables.items():
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    out = tmp_path_factory.mktemp("ledger") / "out"
    write_delivery(out / "first", patients())
    built = _build(out, out / "first", FEBRUARY)
    february = _findings(built)
    settings = Settings(out=out)
    reviewed, lines, month = built.rows(
        "select finding_id, claim_line_ids, service_month from flags.findings"
        " where beneficiary_id = 'bruno' and rule_id = 'F01' order by service_month"
    )[0]
    review(settings, reviewed, "confirmed", "one service, two bills", "Dana")
    at_once = story(settings, "bruno", month)
    cancelled = {
        **{"claim_id": lines[0].rsplit("-", 1)[0], "claim_version": 2, "beneficiary_id": "bruno"},
        **{"claim_type": "carrier", "nch_claim_type_code": "71", "from_date": month, "through_date": month},
        **{"action": "cancellation", "processed_date": "2024-04-01"},
    }
    renamed = {"previous_beneficiary_id": "bruno", "current_beneficiary_id": CHANGED_ID}
    second = _write(out / "second", {"claims": [cancelled], "beneficiary_xref": [renamed]})
    may = _findings(_build(out, second, MAY))
    afterwards = story(settings, "bruno", month)
    february_again = _findings(_build(out, out / "first", FEBRUARY))
    return Told(settings, reviewed, month, february, may, february_again, at_once, afterwards)


def _by_id(rows: list[tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    names = [name.strip() for name in COLUMNS.split(",")]
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def test_in_the_first_run_every_finding_is_open_and_new(told: Told) -> None:
    february = _by_id(told.february)
    assert len(february) > 20
    assert {(row["review_state"], row["first_seen_as_of"]) for row in february.values()} == {
        ("open", FEBRUARY)
    }


def test_a_review_shows_at_once_and_says_by_when_to_act(told: Told) -> None:
    (finding,) = (row for row in told.at_once["findings"] if row["finding_id"] == told.reviewed)
    assert finding["review_state"] == "confirmed"
    assert [(one["state"], one["by"], one["note"]) for one in finding["reviews"]] == [
        ("confirmed", "Dana", "one service, two bills")
    ]
    assert dt.date.fromisoformat(finding["return_by"]) - dt.date.fromisoformat(
        finding["identified_on"]
    ) == dt.timedelta(60)
    assert "confirmed by Dana: one service, two bills" in render(told.at_once)


def test_the_cancelled_bill_closes_its_finding_and_keeps_it_with_its_review(told: Told) -> None:
    row = _by_id(told.may)[told.reviewed]
    assert (row["review_state"], row["closed_reason"], row["closed_as_of"]) == (
        "closed",
        "claim_cancelled",
        MAY,
    )
    assert (row["first_seen_as_of"], row["last_seen_as_of"]) == (FEBRUARY, FEBRUARY)
    assert row["beneficiary_id"] == CHANGED_ID
    (finding,) = (one for one in told.afterwards["findings"] if one["finding_id"] == told.reviewed)
    assert (finding["review_state"], finding["reviewed_as"]) == ("closed", "confirmed")
    assert "closed as of 2024-05-31: claim cancelled" in render(told.afterwards)


def test_every_other_finding_keeps_its_id_whatever_the_person_is_called_now(told: Told) -> None:
    february, may = _by_id(told.february), _by_id(told.may)
    assert set(february) <= set(may)
    renamed = {key for key, row in february.items() if row["beneficiary_id"] == "bruno"}
    assert len(renamed) > 1
    for key in set(february) - {told.reviewed}:
        if may[key]["review_state"] == "closed":
            # what the cancelled bill alone had broken
            assert key in renamed and may[key]["closed_reason"] in ("other_claims_changed", "claim_cancelled")
        else:
            assert (may[key]["first_seen_as_of"], may[key]["last_seen_as_of"]) == (FEBRUARY, MAY)
    assert {may[key]["beneficiary_id"] for key in renamed} == {CHANGED_ID}


def test_building_the_first_day_again_gives_the_same_findings_but_for_the_review(told: Told) -> None:
    expected = [
        {**row, "review_state": "confirmed"} if key == told.reviewed else row
        for key, row in _by_id(told.february).items()
    ]
    assert list(_by_id(told.february_again).values()) == expected


def test_the_log_is_private_and_nothing_in_it_was_overwritten(told: Told) -> None:
    folder = told.settings.ledger / ledger.REVIEWS
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["000000.parquet", "000001.parquet"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert [one.number for one in reviews(told.settings)] == [1]


@pytest.mark.parametrize(
    ("state", "note", "said"),
    [("dismissed", " ", "needs a note"), ("refunded", "x", "open: it can become confirmed or dismissed")],
)
def test_a_review_that_cannot_be_is_refused_and_not_logged(
    told: Told, state: str, note: str, said: str
) -> None:
    another = next(key for key in _by_id(told.february_again) if key != told.reviewed)
    with pytest.raises(CannotReview, match=said):
        review(told.settings, another, state, note)
    assert [one.number for one in reviews(told.settings)] == [1]
