"""Conditions and person-months of the public sample files, against a calculation that shares no code.

The calculation reads the raw files and the policy seeds and applies the text of the rules: it looks at every
calendar-month window by itself, where the warehouse works with intervals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from pipelines.settings import DBT_PROJECT
from tests.dbt_project.built_warehouse import Built, build

pytestmark = pytest.mark.public_data

RIF = "rif_synthea_3benes"
SYNPUF = ("desynpuf_testA_10benes", "desynpuf_testB_dev126")
CLASSES = {"10": "HHA", "20": "SNF", "30": "SNF", "40": "HOP", "60": "IP", "71": "CAR", "72": "CAR"}
MONTH_ENDS = [
    dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(1)
    for year in range(2008, 2022)
    for month in range(1, 13)
]
# One diagnosis: who, which claim, its class and date, and where on the claim the code stands.
DIAGNOSIS = ["person", "claim", "class", "day", "code", "version", "is_principal", "is_first_two"]


@pytest.fixture(scope="module")
def built(public_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    built = build(
        tmp_path_factory.mktemp("public"),
        public_data / RIF,
        dt.date(2022, 6, 30),
        "2021-12",
        *("--select", "+fct_condition_months", "+condition_intervals", "+eligibility_months"),
        *("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
        also=[public_data / name for name in SYNPUF],
    )
    assert built.failures == []
    return built


@pytest.fixture(scope="module")
def holding(public_data: Path) -> pl.DataFrame:
    """Person, definition, condition and month-end on which the condition holds, by the rule text."""
    diagnoses = pl.concat([rif_diagnoses(public_data), *(synpuf_diagnoses(public_data / s) for s in SYNPUF)])
    return held(diagnoses)


def seed(name: str) -> pl.DataFrame:
    return pl.read_csv(DBT_PROJECT / "seeds" / "policy" / f"{name}.csv", infer_schema=False)


def raw(path: Path, separator: str) -> pl.DataFrame:
    read = pl.read_csv(path, separator=separator, infer_schema=False)
    return read.with_columns(pl.all().str.strip_chars().replace("", None))


def stacked(frame: pl.DataFrame, slots: Iterable[tuple[str, str, bool, bool]]) -> pl.DataFrame:
    """Diagnoses out of columns: (code column, version column or number, is principal, is of the first two)."""
    return pl.concat(
        frame.select(
            *("person", "claim", "class", "day"),
            pl.col(code).alias("code"),
            (pl.lit(version) if version.isdigit() else pl.col(version).replace("0", "10")).alias("version"),
            is_principal=pl.lit(principal),
            is_first_two=pl.lit(first_two),
        ).filter(pl.col("code").is_not_null())
        for code, version, principal, first_two in slots
    )


def rif_diagnoses(public_data: Path) -> pl.DataFrame:
    equipment = seed("excluded_betos")["betos_code"].to_list()
    parts = []
    for kind in ("carrier", "outpatient", "inpatient", "snf", "hha"):
        rows = raw(public_data / RIF / f"{kind}.csv", "|").with_columns(
            person=pl.col("BENE_ID"),
            claim=pl.col("CLM_ID"),
            day=pl.col("CLM_FROM_DT").str.to_date("%d-%b-%Y"),
            **{"class": pl.col("NCH_CLM_TYPE_CD").replace_strict(CLASSES)},
        )
        slots = [("PRNCPAL_DGNS_CD", "PRNCPAL_DGNS_VRSN_CD", True, True)]
        numbers = range(1, 13 if kind == "carrier" else 26)
        slots += [(f"ICD_DGNS_CD{n}", f"ICD_DGNS_VRSN_CD{n}", False, n <= 2) for n in numbers]
        if kind == "carrier":
            slots.append(("LINE_ICD_DGNS_CD", "LINE_ICD_DGNS_VRSN_CD", False, False))
            denied = pl.col("CARR_CLM_PMT_DNL_CD") == "0"
            status_denied = ~pl.col("LINE_PRCSG_IND_CD").is_in(["A", "R", "S"])
            is_equipment = pl.col("BETOS_CD").is_in(equipment).fill_null(False)
            rows = rows.filter(~(denied | status_denied.all() | is_equipment.any()).over("claim"))
        else:
            rows = rows.filter(pl.col("CLM_MDCR_NON_PMT_RSN_CD").is_null())
        parts.append(stacked(rows, slots))
    return pl.concat(parts)


def synpuf_diagnoses(folder: Path) -> pl.DataFrame:
    parts = []
    for kind, claim_type, width in (("Carrier", "71", 8), ("Inpatient", "60", 10), ("Outpatient", "40", 10)):
        for path in folder.glob(f"*_{kind}_Claims_*"):
            rows = raw(path, ",").with_columns(
                person=pl.col("DESYNPUF_ID"),
                claim=pl.col("CLM_ID"),
                # A further segment has no dates: those of its claim hold.
                day=pl.col("CLM_FROM_DT").max().over("CLM_ID").str.to_date("%Y%m%d"),
                **{"class": pl.lit(CLASSES[claim_type])},
            )
            slots = [(f"ICD9_DGNS_CD_{n}", "9", n == 1, n <= 2) for n in range(1, width + 1)]
            if kind == "Carrier":
                rows = rows.filter(~wholly_denied(range(1, 14)))
                slots += [(f"LINE_ICD9_DGNS_CD_{n}", "9", False, False) for n in range(1, 14)]
            parts.append(stacked(rows, slots))
    return pl.concat(parts)


def wholly_denied(slots: range) -> pl.Expr:
    """Every line of a carrier claim has a status other than A, R and S; a line has a code or money."""
    money = ("NCH_PMT_AMT", "BENE_PTB_DDCTBL_AMT", "BENE_PRMRY_PYR_PD_AMT", "COINSRNC_AMT", "ALOWD_CHRG_AMT")
    lines, paid_lines = [], []
    for n in slots:
        amounts = [pl.col(f"LINE_{name}_{n}").cast(pl.Float64).fill_null(0) != 0 for name in money]
        is_line = pl.any_horizontal(pl.col(f"HCPCS_CD_{n}").is_not_null(), *amounts)
        status = pl.col(f"LINE_PRCSG_IND_CD_{n}")
        lines.append(is_line)
        paid_lines.append(is_line & (status.is_null() | status.is_in(["A", "R", "S"])))
    return pl.any_horizontal(lines) & ~pl.any_horizontal(paid_lines)


def held(diagnoses: pl.DataFrame) -> pl.DataFrame:
    codes = seed("condition_codes").rename({"diagnosis_code": "code", "icd_version": "version"})
    rules = seed("condition_definitions").select(
        *("definition", "condition", "lookback_months", "one_claim_classes", "two_claim_classes"),
        "diagnosis_positions",
    )
    of = ["person", "claim", "class", "day", "definition", "condition"]
    evidence = (
        diagnoses.join(codes, on=["code", "version"])
        .join(rules, on=["definition", "condition"])
        .with_columns(
            counts=(pl.col("role") == "include")
            & (
                (pl.col("diagnosis_positions") == "any")
                | ((pl.col("diagnosis_positions") == "principal") & pl.col("is_principal"))
                | ((pl.col("diagnosis_positions") == "first_two") & pl.col("is_first_two"))
            ),
            bars=(pl.col("role") == "exclude")
            | ((pl.col("role") == "exclude_principal") & pl.col("is_principal")),
            one=pl.col("one_claim_classes").str.split("|").list.contains(pl.col("class")),
            two=pl.col("two_claim_classes").str.split("|").list.contains(pl.col("class")),
            months=pl.col("lookback_months").cast(pl.Int32),
        )
        .group_by([*of, "one", "two", "months"])
        .agg(pl.col("counts").any(), pl.col("bars").any())
        .filter(pl.col("counts") & ~pl.col("bars"))
    )
    ends = pl.DataFrame({"month_end": MONTH_ENDS})
    months_ago = (pl.col("month_end").dt.year() - pl.col("day").dt.year()) * 12 + (
        pl.col("month_end").dt.month().cast(pl.Int32) - pl.col("day").dt.month().cast(pl.Int32)
    )
    return (
        evidence.join(ends, how="cross")
        .filter(months_ago.is_between(0, pl.col("months") - 1))
        .group_by("person", "definition", "condition", "month_end")
        .agg(
            holds=pl.col("one").any() | (pl.col("day").filter(pl.col("two")).n_unique() >= 2),
        )
        .filter("holds")
        .drop("holds")
    )


def test_conditions_hold_on_the_month_ends_that_a_count_by_window_finds(
    built: Built, holding: pl.DataFrame
) -> None:
    expected = set(holding.rows())
    found = set(
        built.rows(
            """
            select intervals.beneficiary_id, intervals.definition, intervals.condition, ends.month_end
            from marts.condition_intervals as intervals
            inner join (select unnest(?::date[]) as month_end) as ends
                on ends.month_end between intervals.start_date and intervals.end_date""",
            MONTH_ENDS,
        )
    )
    assert found == expected
    assert len({condition for _, definition, condition, _ in found if definition.startswith("CCW27")}) > 20
    assert {person for person, *_ in found} > {"-1000006", "-1000014", "-1000018"}


def test_the_month_s_count_is_that_of_the_conditions_on_the_eve(built: Built, holding: pl.DataFrame) -> None:
    sets = seed("condition_counting_sets").select("counting_set", "definition", "condition")
    by_eve = {
        (person, definition, counting_set, eve): count
        for person, definition, counting_set, eve, count in holding.join(sets, on=["definition", "condition"])
        .group_by("person", "definition", "counting_set", "month_end")
        .len()
        .rows()
    }
    months = built.rows(
        "select beneficiary_id, definition, counting_set, service_month, condition_count "
        "from marts.fct_condition_months where service_month >= date '2008-02-01'"
    )
    assert {row[1] for row in months} == {"CCW27-2022-02", "CCW30-2022-02"}
    wrong = [
        row for row in months if by_eve.get((row[0], row[1], row[2], row[3] - dt.timedelta(1)), 0) != row[4]
    ]
    assert wrong == []
    assert sum(row[4] >= 2 for row in months) > 1000


def test_every_landed_enrolment_month_has_an_eligibility_row(built: Built) -> None:
    landed = built.rows("select beneficiary_id, service_month from staging.stg_landing__enrollment_months")
    judged = built.rows("select beneficiary_id, service_month from marts.eligibility_months")
    assert len(landed) == 360 + 4440 + 339
    # Some people are in both DE-SynPUF samples.
    assert sorted(judged) == sorted(set(landed))
    # Part B in some months of a year says nothing about one of them, and nothing is concluded.
    open_months = built.rows(
        """select count(*), count(*) filter (screen_eligible) from marts.eligibility_months as months
           inner join staging.stg_landing__enrollment_months as coverage
               using (beneficiary_id, service_month)
           where coverage.has_part_b is null and coverage.coverage_grain = 'count'"""
    )
    assert open_months[0][0] > 0
    assert open_months[0][1] == 0
