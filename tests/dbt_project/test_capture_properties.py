"""Minutes, readings and capture states against plain readings of the rules, for any mixture of records and bills."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import POLICY_SEEDS
from tests.dbt_project.compiled_models import Bench, compile_models

MONTHS = [
    dt.date.fromisoformat(f"{month}-01")
    for month in (
        *("2015-03", "2016-05", "2017-05", "2018-06", "2019-06", "2020-06"),
        *("2021-06", "2022-06", "2023-06", "2024-03", "2025-06", "2026-02"),
    )
]
PRACTITIONERS = ["1000000001", "1000000002"]
CODES = {
    "99490": ("CCM", "base"),
    "G2058": ("CCM", "addon"),
    "99439": ("CCM", "addon"),
    "99487": ("CCM", "base"),
    "99489": ("CCM", "addon"),
    "99491": ("CCM", "base"),
    "99437": ("CCM", "addon"),
    "G0181": ("CPO", "base"),
    "G0511": ("RHC_FQHC", "base"),
}
# In the order in which they read each other.
MODELS = [
    *("fct_record_months", "fct_month_prices", "fct_billable_readings"),
    *("fct_capture_practitioner_months", "capture_months"),
]
POLICY = [
    *("decision_making_levels", "billable_readings", "time_ladder", "unit_limits"),
    *("fee_schedule_groups", "fee_schedule", "clinic_bundles", "practitioner_payment_shares"),
]
TYPES = {
    "effective_from": "date",
    "effective_to": "date",
    "level_rank": "integer",
}
TYPES |= dict.fromkeys(
    ("percent_of_schedule", "first_minute", "block_minutes", "units_per_month", "preference"), "integer"
)
TYPES |= dict.fromkeys(("nonfacility_usd", "facility_usd"), "decimal(12, 2)")
TYPES |= dict.fromkeys(("needs_complex", "is_complex", "is_only_way"), "boolean")


def _seed(name: str) -> list[dict[str, str]]:
    with (POLICY_SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


COLUMNS = {
    **{
        f"policy.{name}": {column: TYPES.get(column, "varchar") for column in _seed(name)[0]}
        for name in POLICY
    },
    "core.core_care_management_time": {
        "activity_id": "varchar",
        "beneficiary_id": "varchar",
        "service_month": "date",
        "practitioner_npi": "varchar",
        "practice_tin": "varchar",
        "performer_role": "varchar",
        "activity_date": "date",
        "seconds": "integer",
        "decision_making_level": "varchar",
        "programme": "varchar",
        "is_voided": "boolean",
    },
    "core.core_beneficiaries": {"beneficiary_id": "varchar", "death_date": "date"},
    "core.core_stays": {
        "beneficiary_id": "varchar",
        "stay_kind": "varchar",
        "start_date": "date",
        "end_date": "date",
    },
    "core.core_person_months": {"beneficiary_id": "varchar", "service_month": "date", "month_end": "date"},
    "core.core_practices": {"practice_tin": "varchar", "practice_type": "varchar"},
    "core.core_practice_records": {"practice_tin": "varchar", "keeps_time": "boolean"},
    "marts.fct_billed_lines": {
        "beneficiary_id": "varchar",
        "service_month": "date",
        "practitioner_npi": "varchar",
        "practice_tin": "varchar",
        "claim_type": "varchar",
        "hcpcs_code": "varchar",
        "family": "varchar",
        "code_role": "varchar",
        "units": "decimal(12, 3)",
        "setting": "varchar",
        "paid_usd": "decimal(12, 2)",
        "is_denied": "boolean",
    },
    "marts.fct_run_out_months": {
        "service_month": "date",
        "run_out_state": "varchar",
        "completion_factor": "double",
    },
    # prices by locality have tests of their own: here everybody is paid nationally
    "marts.fct_billing_terms": {
        "practice_tin": "varchar",
        "practitioner_npi": "varchar",
        "practice_type": "varchar",
        "pricing_locality": "varchar",
        "participation": "varchar",
        "credential": "varchar",
    },
    "marts.fct_local_prices": {
        "price_region": "varchar",
        "participation": "varchar",
        "hcpcs_code": "varchar",
        "effective_from": "date",
        "effective_to": "date",
        "nonfacility_usd": "decimal(12, 2)",
        "facility_usd": "decimal(12, 2)",
    },
    "marts.eligibility_months": {
        "beneficiary_id": "varchar",
        "service_month": "date",
        "screen_eligible": "boolean",
        "practice_tin": "varchar",
        "practitioner_npi": "varchar",
    },
}


@dataclass(frozen=True)
class Activity:
    npi: str
    role: str | None
    day: int
    seconds: int
    level: str | None
    programme: str
    is_voided: bool


@dataclass(frozen=True)
class Line:
    npi: str
    code: str
    units: int
    claim_type: str
    setting: str
    is_denied: bool


@dataclass(frozen=True)
class Story:
    """One person's month."""

    month: dt.date
    is_clinic: bool
    screen_eligible: bool | None
    activities: list[Activity]
    lines: list[Line]
    stays: list[tuple[int, int]]
    death: int | None

    @property
    def tin(self) -> str:
        return "clinic" if self.is_clinic else "t1"

    def date(self, day: int) -> dt.date:
        return self.month + dt.timedelta(days=day - 1)

    @property
    def month_end(self) -> dt.date:
        return (self.month + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


@dataclass(frozen=True)
class Record:
    staff: int
    practitioner: int
    unknown: int
    excluded: int
    is_complex: bool

    @property
    def total(self) -> int:
        return self.staff + self.practitioner + self.unknown


# Whole minutes at the edges of blocks, and a second to either side of them.
_seconds = st.builds(
    lambda minutes, off: max(0, minutes * 60 + off),
    st.sampled_from([0, 10, 19, 20, 25, 30, 40, 45, 60, 90, 120]),
    st.sampled_from([-1, 0, 0, 0, 1]),
)
_activities = st.builds(
    Activity,
    npi=st.sampled_from(PRACTITIONERS),
    role=st.sampled_from(["clinical_staff", "clinical_staff", "practitioner", "practitioner", None]),
    day=st.integers(1, 28),
    seconds=_seconds,
    level=st.sampled_from([None, None, "straightforward", "low", "moderate", "high"]),
    programme=st.sampled_from(["CCM", "CCM", "CCM", "PCM"]),
    is_voided=st.sampled_from([False, False, False, True]),
)
_lines = st.builds(
    Line,
    npi=st.sampled_from(PRACTITIONERS),
    code=st.sampled_from(sorted(CODES)),
    units=st.integers(1, 3),
    claim_type=st.sampled_from(["professional", "professional", "outpatient"]),
    setting=st.sampled_from(["nonfacility", "nonfacility", "facility"]),
    is_denied=st.sampled_from([False, False, False, True]),
)
_stories = st.builds(
    Story,
    month=st.sampled_from(MONTHS),
    is_clinic=st.sampled_from([False, False, True]),
    screen_eligible=st.sampled_from([True, True, True, False, None]),
    activities=st.lists(_activities, max_size=5),
    lines=st.lists(_lines, max_size=3),
    stays=st.lists(st.tuples(st.integers(-3, 28), st.integers(0, 10)), max_size=2),
    death=st.none() | st.integers(-2, 28),
)


def _counts(story: Story, activity: Activity) -> bool:
    """Not after death; not in a stay, whose first day is lost and whose last day counts unless it is the first as well."""
    lost = any(
        activity.day == start or start < activity.day < start + length for start, length in story.stays
    )
    return not lost and not (story.death is not None and activity.day > story.death)


def _record(story: Story, npi: str) -> Record | None:
    rows = [
        row for row in story.activities if row.npi == npi and row.programme == "CCM" and not row.is_voided
    ]
    if not rows:
        return None
    counted = [row for row in rows if _counts(story, row)]

    def seconds(role: str | None) -> int:
        return sum(row.seconds for row in counted if row.role == role)

    return Record(
        staff=seconds("clinical_staff"),
        practitioner=seconds("practitioner"),
        unknown=seconds(None),
        excluded=sum(row.seconds for row in rows) - sum(row.seconds for row in counted),
        is_complex=any(row.level in {"moderate", "high"} for row in rows),
    )


def _readings(record: Record, year: int, is_clinic: bool) -> dict[str, dict[str, int]]:
    """Legal readings of a record, the preferred one first: the published table of blocks, written out."""
    pool, own = record.total // 60, record.practitioner // 60
    found = {}
    if record.is_complex and year >= 2017 and pool >= 60:
        found["complex_pooled"] = {"99487": 1, "99489": min(10, (pool - 60) // 30)}
    personal = {}
    if year >= 2019 and own >= 30:
        personal = {"99491": 1, "99437": min(2, (own - 30) // 30) if year >= 2022 else 0}
    if personal and record.practitioner == record.total:
        found["practitioner_only"] = personal
    if pool >= 20:
        further = min(2, (pool - 20) // 20)
        found["pooled"] = {"99490": 1, "G2058": further if year == 2020 else 0}
        found["pooled"]["99439"] = further if year >= 2021 else 0
    if personal and "practitioner_only" not in found:
        found["practitioner_only"] = personal
    # June of 2025 is in the transition, when either way was open
    if is_clinic and found and 2018 <= year <= 2025:
        found = (found if year == 2025 else {}) | {"clinic_bundle": {"G0511": 1}}
    return {name: {code: n for code, n in codes.items() if n > 0} for name, codes in found.items()}


PRICES = _seed("fee_schedule")


def _dollars(codes: dict[str, int], story: Story, setting: str) -> Decimal:
    total = Decimal(0)
    for code, units in codes.items():
        for row in PRICES:
            if (row["hcpcs_code"], row["conversion_factor_group"]) == (code, "other") and (
                row["effective_from"] <= story.month_end.isoformat() <= row["effective_to"]
            ):
                total += units * Decimal(row[f"{setting}_usd"])
    return total


@dataclass(frozen=True)
class Compared:
    npi: str
    record: Record | None
    billed: dict[str, int]
    supported: dict[str, int]
    billed_usd: Decimal
    supported_usd: Decimal
    is_beyond: bool
    is_below: bool


def _compared(story: Story, npi: str) -> Compared | None:
    record = _record(story, npi)
    lines = [line for line in story.lines if line.npi == npi and CODES[line.code][0] in {"CCM", "RHC_FQHC"}]
    lines = [line for line in lines if not line.is_denied] or lines
    if record is None and not lines:
        return None
    # What a hospital bills beside the practitioner is the same service, not a further one.
    by_kind: Counter[tuple[str, str]] = Counter()
    for line in lines:
        by_kind[line.code, line.claim_type] += line.units
    billed: dict[str, int] = {}
    for (code, _), units in by_kind.items():
        billed[code] = max(units, billed.get(code, 0))
    setting = min((line.setting for line in lines), default="nonfacility")
    readings = _readings(record, story.month.year, story.is_clinic) if record else {}
    bases = sorted(code for code in billed if CODES[code][1] == "base")
    supported = next(
        (codes for codes in readings.values() if bases and bases[0] in codes),
        next(iter(readings.values()), {}),
    )
    return Compared(
        npi,
        record,
        dict(billed),
        supported,
        _dollars(dict(billed), story, setting),
        _dollars(supported, story, setting),
        is_beyond=any(units > supported.get(code, 0) for code, units in billed.items()),
        is_below=any(units > billed.get(code, 0) for code, units in supported.items()),
    )


def _expected(story: Story) -> tuple[Any, ...]:
    candidates = [row for npi in PRACTITIONERS if (row := _compared(story, npi))]
    one = min(
        candidates,
        key=lambda row: (
            not row.billed,
            -max(row.billed_usd, row.supported_usd),
            -(row.record.total if row.record else 0),
            row.npi,
        ),
        default=None,
    )
    if one and one.billed:
        # what a clinic's code stood for is told by nothing but a record that supports it
        if one.record is None or ("G0511" in one.billed and "G0511" not in one.supported):
            state = "billed_record_missing"
        elif one.is_beyond:
            state = "billed_beyond_record"
        else:
            state = "billed_below_record" if one.is_below else "billed_as_supported"
    elif story.screen_eligible is None:
        state = "eligibility_not_assessable"
    elif not story.screen_eligible:
        state = "not_eligible"
    elif one is None:
        state = "eligible_not_served"
    else:
        state = "billable_not_billed" if one.supported else "served_below_threshold"
    has_gap = state not in {"billed_record_missing", "not_eligible", "eligibility_not_assessable"}
    return (
        state,
        one.npi if one else "serving",
        one.record.staff // 60 if one and one.record else 0,
        one.record.practitioner // 60 if one and one.record else 0,
        sorted(f"{code}x{units}" for code, units in one.billed.items()) if one else [],
        sorted(f"{code}x{units}" for code, units in one.supported.items()) if one else [],
        one.billed_usd if one else 0,
        one.supported_usd if one else 0,
        one.supported_usd - one.billed_usd if one and has_gap else 0,
        _dollars({"99490": 1}, story, "nonfacility") if state == "eligible_not_served" else None,
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return compile_models(tmp_path_factory.mktemp("compiled"), *MODELS)


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench(COLUMNS)
    for name in POLICY:
        bench.load_seed(name)
    bench.load("core.core_practice_records", [("t1", True), ("clinic", True)])
    bench.load("core.core_practices", [("t1", "physician"), ("clinic", "rhc")])
    return bench


def _load(bench: Bench, people: list[tuple[str, Story]]) -> None:
    numbers = itertools.count()
    bench.load(
        "core.core_care_management_time",
        [
            (
                *(f"a{next(numbers)}", person, story.month, row.npi, story.tin, row.role),
                story.date(row.day),
                *(row.seconds, row.level, row.programme, row.is_voided),
            )
            for person, story in people
            for row in story.activities
        ],
    )
    bench.load(
        "core.core_beneficiaries",
        [(person, None if story.death is None else story.date(story.death)) for person, story in people],
    )
    bench.load(
        "core.core_stays",
        [
            (person, "inpatient", story.date(start), story.date(start + length))
            for person, story in people
            for start, length in story.stays
        ],
    )
    bench.load(
        "core.core_person_months", [(person, story.month, story.month_end) for person, story in people]
    )
    bench.load(
        "marts.fct_billed_lines",
        [
            (
                person,
                story.month,
                line.npi,
                story.tin,
                line.claim_type,
                line.code,
                *CODES[line.code],
                line.units,
                line.setting,
                10,
                line.is_denied,
            )
            for person, story in people
            for line in story.lines
        ],
    )
    bench.load(
        "marts.eligibility_months",
        [(person, story.month, story.screen_eligible, story.tin, "serving") for person, story in people],
    )


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(stories=st.lists(_stories, min_size=1, max_size=12))
def test_minutes_readings_and_capture_states_follow_from_the_record_and_the_bill(
    bench: Bench, compiled: dict[str, str], stories: list[Story]
) -> None:
    people = [(f"p{n:02}", story) for n, story in enumerate(stories)]
    _load(bench, people)
    for model in MODELS:
        bench.build(f"marts.{model}", compiled[model])

    records = {
        (person, npi): values
        for person, npi, *values in bench.rows(
            "select beneficiary_id, practitioner_npi, staff_seconds, practitioner_seconds, unknown_role_seconds, "
            "excluded_seconds, is_complex, total_minutes from marts.fct_record_months"
        )
    }
    readings: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    preferred: dict[tuple[str, str], set[str]] = defaultdict(set)
    for person, npi, reading, code, units, is_preferred in bench.rows(
        "select beneficiary_id, practitioner_npi, reading, hcpcs_code, units, is_preferred "
        "from marts.fct_billable_readings"
    ):
        readings[person, npi][reading][code] = units
        if is_preferred:
            preferred[person, npi].add(reading)
    for (person, story), npi in itertools.product(people, PRACTITIONERS):
        record = _record(story, npi)
        if record is None:
            assert (person, npi) not in records
            continue
        assert records[person, npi] == [
            *(record.staff, record.practitioner, record.unknown, record.excluded, record.is_complex),
            record.total // 60,
        ]
        legal = _readings(record, story.month.year, story.is_clinic)
        assert readings[person, npi] == legal
        assert preferred[person, npi] == set(list(legal)[:1])

    found = {
        person: tuple(values)
        for person, *values in bench.rows(
            "select beneficiary_id, state, practitioner_npi, staff_minutes, practitioner_minutes, billed_codes, "
            "supported_codes, billed_usd, supported_usd, gap_usd, potential_usd from marts.capture_months"
        )
    }
    assert set(found) == {person for person, _ in people}
    for person, story in people:
        assert found[person] == _expected(story), story
