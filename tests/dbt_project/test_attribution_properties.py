"""Attribution against a plain reading of its rule, for any visits in any order of rows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dbt_project.compiled_models import Bench, compile_models

COLUMNS = {
    "policy.eligibility_limits": {
        "criterion": "varchar",
        "limit_value": "integer",
        "effective_from": "date",
        "effective_to": "date",
    },
    "core.core_person_months": {"beneficiary_id": "varchar", "service_month": "date", "month_end": "date"},
    "core.core_visits": {
        "beneficiary_id": "varchar",
        "visit_date": "date",
        "practitioner_npi": "varchar",
        "practice_tin": "varchar",
        "is_primary_care": "boolean",
    },
}


@dataclass(frozen=True)
class Visit:
    npi: str | None
    practice: str
    day: dt.date
    is_primary_care: bool


def _months_back(month: dt.date, months: int) -> dt.date:
    count = month.year * 12 + month.month - 1 - months
    return dt.date(count // 12, count % 12 + 1, 1)


_visits = st.lists(
    st.builds(
        Visit,
        npi=st.sampled_from(["1", "2", "3", None]),
        practice=st.sampled_from(["t1", "t2"]),
        day=st.builds(
            lambda month, day: _months_back(dt.date(2023, 6, 1), month) + dt.timedelta(days=day),
            st.integers(-1, 14),
            st.sampled_from([0, 0, 1, 27]),
        ),
        is_primary_care=st.sampled_from([True, True, True, False]),
    ),
    max_size=12,
)


def _attributed(visits: list[Visit], month: dt.date) -> Iterator[tuple[Any, ...]]:
    """Most visit days in the twelve months that end with the eve of the month; the latest visit; the lowest number."""
    seen = [
        visit
        for visit in visits
        if visit.npi and visit.is_primary_care and _months_back(month, 12) <= visit.day < month
    ]
    days: dict[str, set[dt.date]] = defaultdict(set)
    for visit in seen:
        if visit.npi:
            days[visit.npi].add(visit.day)
    if days:
        npi = min(days, key=lambda npi: (-len(days[npi]), -max(days[npi]).toordinal(), npi))
        last = max(days[npi])
        practices = {visit.practice for visit in seen if visit.npi == npi and visit.day == last}
        share = len(days[npi]) / sum(len(set_of_days) for set_of_days in days.values())
        yield npi, len(days[npi]), round(share, 9), last, max(practices)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compile_models(tmp_path_factory.mktemp("compiled"), "fct_attribution_months")


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench(COLUMNS)
    bench.load_seed("eligibility_limits")
    return bench


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(visits=_visits, shuffled=st.randoms(use_true_random=False))
def test_attribution_is_the_plurality_of_visit_days_whatever_the_order_of_rows(
    bench: Bench, compiled: dict[str, str], visits: list[Visit], shuffled: Any
) -> None:
    months = [_months_back(dt.date(2023, 6, 1), back) for back in range(-2, 15)]
    bench.load(
        "core.core_person_months",
        [("p", month, _months_back(month, -1) - dt.timedelta(days=1)) for month in months],
    )
    results = []
    for _ in range(2):
        shuffled.shuffle(visits)
        bench.load(
            "core.core_visits", [("p", row.day, row.npi, row.practice, row.is_primary_care) for row in visits]
        )
        bench.build("marts.fct_attribution_months", compiled["fct_attribution_months"])
        results.append(
            bench.rows(
                "select service_month, practitioner_npi, visit_days, round(share, 9), last_visit_date, practice_tin "
                "from marts.fct_attribution_months order by service_month"
            )
        )
    expected = [(month, *row) for month in sorted(months) for row in _attributed(visits, month)]
    assert results == [expected, expected]
