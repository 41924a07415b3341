"""The warehouse against a second reading of the rules, on ten thousand random person-months.

Half are of people made up to stand on every edge from 2015 to 2026, half of simulated populations with many users and errors.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
import yaml

from pipelines.simulate import simulate
from tests.dbt_project.built_warehouse import Built, build
from tests.oracle import reading
from tests.oracle.made_people import Maker
from tests.oracle.reading import Person

SEEDS = (11, 12)
MADE_SAMPLE, SIMULATED_SAMPLE = 6_000, 2_500
MODELS = ("+eligibility_months", "+fct_billable_readings", "+oig_lines")
ONLY_MODELS = (
    *("--select", *MODELS),
    *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
)
SCREEN = (
    *("programme_in_force", "part_b", "fee_for_service", "alive", "two_conditions"),
    *("not_institutionalised_all_month", "no_esrd_capitation", "no_hospice_conflict"),
)
RECORD = ("initiating_visit", "consent", "care_plan")
Key = tuple[str, dt.date]
Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """Random person-months of one warehouse: the people's rows, and what the warehouse says of each month."""

    people: dict[str, Person]
    months: dict[Key, Row]
    readings: dict[Key, dict[tuple[str, str, str], int]]
    preferred: dict[tuple[str, dt.date, str], set[str]]
    oig: dict[str, set[tuple[str, str]]]
    keeps: dict[str, set[str]]


def rows_of(con: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> list[Row]:
    result = con.execute(sql, list(parameters))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def sample(built: Built, size: int, seed: int) -> Sample:
    with duckdb.connect(str(built.warehouse), read_only=True) as con:
        spine = con.execute(
            "select beneficiary_id, service_month from core.core_person_months order by all"
        ).fetchall()
        # half of the sample where care was recorded or billed: elsewhere there is little to disagree about
        busy = con.execute(
            "select beneficiary_id, service_month from core.core_person_months where (beneficiary_id, service_month) in"
            " (select (beneficiary_id, service_month) from core.core_care_management_time union"
            "  select (beneficiary_id, service_month) from flags.subject_lines) order by all"
        ).fetchall()
        draw = random.Random(seed)
        keys = set(draw.sample(busy, min(len(busy), size // 2)))
        keys |= set(draw.sample(spine, min(len(spine), size + size // 4)))
        chosen: list[Key] = draw.sample(sorted(keys), min(len(keys), size))
        con.execute("create temp table chosen (beneficiary_id varchar, service_month date)")
        con.executemany("insert into chosen values (?, ?)", chosen)
        con.execute("create temp table wanted as select distinct beneficiary_id from chosen")

        def by_person(sql: str) -> dict[str, list[Row]]:
            found: dict[str, list[Row]] = defaultdict(list)
            for row in rows_of(con, f"{sql} semi join wanted using (beneficiary_id)"):
                found[row["beneficiary_id"]].append(row)
            return found

        tables = {
            "lines": by_person(
                "select lines.*, claims.bill_type_code, practices.practice_type from core.core_claim_lines as lines"
                " inner join (select claim_id, bill_type_code from core.core_claims where is_final) as claims"
                " on lines.claim_id = claims.claim_id"
                " left join core.core_practices as practices on lines.practice_tin = practices.practice_tin"
            ),
            "diagnoses": by_person("select * from core.core_diagnoses"),
            "stays": by_person("select * from core.core_stays"),
            "hospice": by_person("select * from core.core_hospice_periods"),
            "time": by_person("select * from core.core_care_management_time"),
            "consents": by_person("select * from core.core_consents"),
            "plans": by_person("select * from core.core_care_plans"),
            "encounters": by_person("select * from core.core_encounters"),
        }
        enrolment = by_person("select * from core.core_enrollment_months")
        deaths = dict(
            con.execute("select beneficiary_id, death_date from core.core_beneficiaries").fetchall()
        )
        people = {
            who: Person(
                id=who,
                death_date=deaths.get(who),
                enrolment={row["service_month"]: row for row in enrolment[who]},
                **{name: found.get(who, []) for name, found in tables.items()},
            )
            for who in {who for who, _ in chosen}
        }
        months = {
            (row["beneficiary_id"], row["service_month"]): row
            for row in rows_of(
                con, "from marts.eligibility_months semi join chosen using (beneficiary_id, service_month)"
            )
        }
        readings: dict[Key, dict[tuple[str, str, str], int]] = defaultdict(dict)
        preferred: dict[tuple[str, dt.date, str], set[str]] = defaultdict(set)
        for row in rows_of(
            con, "from marts.fct_billable_readings semi join chosen using (beneficiary_id, service_month)"
        ):
            key = (row["beneficiary_id"], row["service_month"])
            readings[key][row["practitioner_npi"], row["reading"], row["hcpcs_code"]] = row["units"]
            if row["is_preferred"]:
                preferred[*key, row["practitioner_npi"]].add(row["reading"])
        oig: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for row in rows_of(con, "from flags.oig_lines semi join wanted using (beneficiary_id)"):
            oig[row["beneficiary_id"]].add((row["test_id"], row["claim_line_id"]))
        keeps = {
            row["practice_tin"]: {name for name in ("consents", "care_plans") if row[f"keeps_{name}"]}
            for row in rows_of(con, "from core.core_practice_records")
        }
    assert set(months) == set(chosen)
    return Sample(people, months, readings, preferred, oig, keeps)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    out = tmp_path_factory.mktemp("made")
    delivery = Maker(80, SEEDS[0]).write(out / "delivery")
    built = build(out, delivery, dt.date(2027, 3, 31), "2026-12", *ONLY_MODELS)
    assert built.failures == []
    return sample(built, MADE_SAMPLE, SEEDS[0])


@pytest.fixture(scope="module", params=SEEDS)
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp(f"simulated{request.param}")
    parameters = {"ccm": {"uptake_scale": 15.0}, "errors": {"scale": 20.0}}
    path = folder / "parameters.yml"
    path.write_text(yaml.safe_dump(parameters), encoding="utf-8")
    simulate(500, 30, request.param, folder, parameters=path)
    truth = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    received = dt.date.fromisoformat(truth["extract_date"])
    built = build(folder / "out", folder / "extracts", received, truth["last_window_month"], *ONLY_MODELS)
    assert built.failures == []
    return sample(built, SIMULATED_SAMPLE, request.param)


def differences(found: Sample) -> Iterator[tuple[str, str, dt.date, object, object]]:
    """(what, person, month, the warehouse's answer, the second reading's) wherever the two differ."""
    for (who, month), row in found.months.items():
        person = found.people[who]
        keeps = found.keeps.get(row["practice_tin"], set())
        second = {
            **reading.screen(person, month),
            **reading.record(person, month, row["practice_tin"], keeps),
        }
        # before the programme there is no rule on its records
        for criterion in (*SCREEN, *(RECORD if month.year >= 2015 else ())):
            first = row[f"{criterion}_status"]
            if first != second[criterion]:
                yield criterion, who, month, first, second[criterion]
        if row["condition_count"] != (count := reading.condition_count(person, month)):
            yield "condition_count", who, month, row["condition_count"], count
        readings = reading.supported(person, month)
        if found.readings.get((who, month), {}) != readings:
            yield "readings", who, month, found.readings.get((who, month), {}), readings
        for npi in {npi for npi, _, _ in readings}:
            if found.preferred[who, month, npi] != (best := {reading.preferred(person, month, npi)}):
                yield "preferred reading", who, month, found.preferred[who, month, npi], best
    for who, person in found.people.items():
        second_oig = reading.oig(person)
        for test, line in found.oig.get(who, set()) ^ second_oig:
            yield f"OIG {test}", who, dt.date.min, line in {one for _, one in second_oig}, line


def summary(found: Sample) -> str:
    kinds: dict[str, list[tuple[str, dt.date, object, object]]] = defaultdict(list)
    for what, *rest in differences(found):
        kinds[what].append(tuple(rest))  # type: ignore[arg-type]
    return "\n".join(f"{what}: {len(rows)}, as {rows[:3]}" for what, rows in sorted(kinds.items()))


def test_made_up_months_of_every_period_are_read_alike(made: Sample) -> None:
    assert summary(made) == ""


def test_simulated_months_are_read_alike(simulated: Sample) -> None:
    assert summary(simulated) == ""


def test_ten_thousand_months_are_compared() -> None:
    assert MADE_SAMPLE + len(SEEDS) * SIMULATED_SAMPLE >= 10_000


def test_the_made_up_months_stand_on_every_edge(made: Sample) -> None:
    """The comparison would be worth little where nothing happens."""
    assert len(made.months) == MADE_SAMPLE
    years = {month.year for _, month in made.months}
    assert years >= set(range(2015, 2027))
    codes = {code for codes in made.readings.values() for _, _, code in codes}
    assert codes == {"99490", "G2058", "99439", "99487", "99489", "99491", "99437"}
    assert {test for tests in made.oig.values() for test, _ in tests} == {
        *("duplicate_same", "duplicate_other", "overlap_plan_oversight", "overlap_dialysis"),
        *("overlap_transition", "complex_add_on_alone", "facility_alone"),
    }
    for criterion in (*SCREEN, *RECORD):
        statuses = {row[f"{criterion}_status"] for row in made.months.values()}
        assert {"pass", "fail"} <= statuses, criterion
    assert {row["condition_count"] for row in made.months.values()} >= set(range(6))
