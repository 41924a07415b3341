"""Any chronic condition: the codes are AHRQ's, and the definition stands beside the others where it is asked for."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from pipelines import chronic_indicator
from pipelines.settings import POLICY_SEEDS, Settings
from tests.dbt_project.compiled_models import Bench, compile_models
from tests.dbt_project.test_policy_seeds import rows

MONTH = dt.date(2023, 12, 1)
MODELS = (
    *("fct_condition_evidence", "condition_intervals", "fct_interval_claims"),
    *("fct_condition_months", "fct_condition_variants"),
)
POLICY = {
    "condition_definitions": {"condition_key": "integer", "lookback_months": "integer"},
    "condition_codes": {"icd_version": "integer"},
    "chronic_indicator_codes": {"icd_version": "integer"},
    "condition_counting_sets": {},
    "condition_set_in_force": {},
    "condition_variants": {"is_headline": "boolean"},
    "claim_classes": {},
    "excluded_betos": {},
    "eligibility_limits": {"limit_value": "integer"},
}
DATES = ("effective_from", "effective_to")
COLUMNS = {
    **{
        f"policy.{name}": {
            column: "date" if column in DATES else types.get(column, "varchar") for column in rows(name)[0]
        }
        for name, types in POLICY.items()
    },
    "core.core_claim_lines": {
        "beneficiary_id": "varchar",
        "claim_id": "varchar",
        "betos_code": "varchar",
        "from_date": "date",
    },
    "core.core_diagnoses": {
        "beneficiary_id": "varchar",
        "claim_id": "varchar",
        "claim_class": "varchar",
        "from_date": "date",
        "role": "varchar",
        "position": "integer",
        "diagnosis_code": "varchar",
        "icd_version": "integer",
    },
    "core.core_person_months": {"beneficiary_id": "varchar", "service_month": "date"},
}


def test_the_indicator_calls_as_many_codes_chronic_as_published() -> None:
    told = Counter(chronic_indicator.indicator().values())
    assert told == {True: 12_504, False: 51_685, None: 10_360}


@pytest.mark.parametrize(
    ("code", "is_chronic"),
    [
        *(("E119", True), ("I10", True), ("N183", True), ("F329", True), ("I214", True)),
        *(
            ("J101", False),
            ("J189", False),
            ("S72001A", False),
            ("WXXXXXX", None),
            ("W19XXXA", None),
            ("Z853", None),
        ),
    ],
)
def test_known_codes_are_told_as_published(code: str, is_chronic: bool | None) -> None:
    assert chronic_indicator.indicator().get(code) is is_chronic


def test_the_seed_holds_the_package_s_chronic_codes_and_no_others() -> None:
    seeded = {row["diagnosis_code"]: row["condition"] for row in rows("chronic_indicator_codes")}
    assert seeded == chronic_indicator.chronic_codes()
    assert {row["definition"] for row in rows("chronic_indicator_codes")} == {chronic_indicator.EDITION}
    categories = set(seeded.values())
    for name in ("condition_definitions", "condition_counting_sets"):
        assert {row["condition"] for row in rows(name) if row["definition"] == chronic_indicator.EDITION} == (
            categories
        )


def test_the_headline_variant_is_the_set_in_force() -> None:
    (headline,) = [row for row in rows("condition_variants") if row["is_headline"] == "true"]
    last = max(rows("condition_set_in_force"), key=lambda row: row["effective_from"])
    for column in ("definition", "counting_set", "effective_from", "effective_to"):
        assert headline[column] == last[column]
    assert Settings(out=Path("out")).conditions == headline["variant"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The models as they are built where the chronic indicator is what people are screened by."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CCM_CONDITIONS", "ccir_ge2")
        compiled = compile_models(tmp_path_factory.mktemp("compiled"), *MODELS)
    bench = Bench(COLUMNS)
    for name in POLICY:
        # row by row, twenty thousand codes would take longer than every test here
        bench.con.execute(
            f"insert into policy.{name} by name select * from read_csv('{POLICY_SEEDS}/{name}.csv', all_varchar = true)"
        )
    bench.compiled = compiled  # type: ignore[attr-defined]
    return bench


def _built(bench: Bench, diagnoses: list[tuple[str, str, int, str]]) -> None:
    """(person, claim class, days before the month, code), each on a claim of its own."""
    people = sorted({person for person, *_ in diagnoses})
    bench.load(
        "core.core_diagnoses",
        [
            (person, f"c{n}", kind, MONTH - dt.timedelta(days=ago), "principal", 1, code, 10)
            for n, (person, kind, ago, code) in enumerate(diagnoses)
        ],
    )
    bench.load("core.core_person_months", [(person, MONTH) for person in people])
    for model in MODELS:
        bench.build(f"marts.{model}", bench.compiled[model])  # type: ignore[attr-defined]


def test_two_dates_or_one_inpatient_claim_make_a_category_and_two_categories_qualify(bench: Bench) -> None:
    _built(
        bench,
        [
            *(("two_dates", "CAR", 40, "I10"), ("two_dates", "HOP", 41, "I10")),
            *(("two_dates", "IP", 50, "E119"),),
            *(("one_date", "CAR", 40, "I10"), ("one_date", "CAR", 40, "I10"), ("one_date", "IP", 50, "E119")),
            # two codes of one category are one condition
            *(("one_category", "IP", 40, "E1140"), ("one_category", "IP", 41, "E1165")),
            # acute illness, and what AHRQ does not decide on
            *(("acute", "IP", 40, "J189"), ("acute", "IP", 40, "Z853"), ("acute", "IP", 40, "I10")),
            # asthma and migraine are not both among the 30 conditions
            *(("unlisted", "IP", 40, "J4520"), ("unlisted", "IP", 40, "G43009")),
            *(("long_ago", "IP", 40, "I10"), ("long_ago", "IP", 800, "E119")),
        ],
    )
    counted = dict(bench.rows("select beneficiary_id, condition_count from marts.fct_condition_months"))
    assert counted == {
        "two_dates": 2,
        "one_date": 1,
        "one_category": 1,
        "acute": 1,
        "unlisted": 2,
        "long_ago": 1,
    }
    variants = bench.rows(
        "select variant, is_met from marts.fct_condition_variants where beneficiary_id = 'unlisted'"
    )
    assert dict(variants) == {"ccm_default_ge2": False, "ccw30_ge2": False, "ccir_ge2": True}
    assert bench.rows("select distinct definition from marts.fct_condition_months") == [("CCIR-2023-1",)]
    evidence = bench.rows(
        "select evidence_claim_ids from marts.fct_interval_claims"
        " where beneficiary_id = 'two_dates' and definition = 'CCIR-2023-1' and condition = 'CIR007'"
    )
    assert evidence == [(["c0", "c1"],)]


# Codes that stand for several conditions, and codes of one of them.
CODES = [
    "I130",
    "I132",
    "I110",
    "I120",
    "I509",
    "I10",
    "N183",
    "E1122",
    "E1136",
    "E119",
    "H2513",
    "G3183",
    "G20",
    "F0390",
]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(CODES), min_size=1, max_size=7, unique=True), min_size=1, max_size=20)
)
def test_distinct_codes_count_as_a_largest_matching_does(bench: Bench, drawn: list[list[str]]) -> None:
    _built(bench, [(f"p{n:02}", "IP", 40, code) for n, codes in enumerate(drawn) for code in codes])
    sets: dict[tuple[str, str], set[str]] = {}
    for row in rows("condition_counting_sets"):
        sets.setdefault((row["definition"], row["counting_set"]), set()).add(row["condition"])
    found = bench.rows(
        "select beneficiary_id, variant, definition, counting_set, n_conditions, n_conditions_distinct_code"
        " from marts.fct_condition_variants where variant != 'ccir_ge2'"
    )
    assert len(found) == 2 * len(drawn)
    held = _held(bench)
    for person, variant, definition, counting_set, conditions, distinct in found:
        named = sorted(held.get((person, definition), set()) & sets[definition, counting_set])
        codes = drawn[int(person[1:])]
        edges = np.array(
            [[(name, code) in MEANINGS[definition] for code in codes] for name in named]
        ).reshape(len(named), len(codes))
        matched = (
            maximum_bipartite_matching(csr_array(edges), perm_type="column") if named else np.array([-1])
        )
        assert conditions == len(named)
        assert distinct == int((matched >= 0).sum()), (variant, codes, named)


MEANINGS: dict[str, set[tuple[str, str]]] = {}
for _row in rows("condition_codes"):
    if _row["role"] == "include" and _row["icd_version"] == "10":
        MEANINGS.setdefault(_row["definition"], set()).add((_row["condition"], _row["diagnosis_code"]))


def _held(bench: Bench) -> dict[tuple[str, str], set[Any]]:
    held: dict[tuple[str, str], set[Any]] = {}
    for person, definition, condition in bench.rows(
        "select beneficiary_id, definition, condition from marts.condition_intervals"
    ):
        held.setdefault((person, definition), set()).add(condition)
    return held
