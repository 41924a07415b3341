"""Windows of other years: the codes, code sets and amounts of their time."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pipelines.settings import POLICY_SEEDS
from pipelines.simulate import simulate
from pipelines.simulate.parameters import load
from pipelines.simulate.policy import day_number
from pipelines.simulate.policy_conditions import counted_conditions, most_counted

MORE_USERS = "ccm: {uptake_scale: 4}\nfaults: {scale: 0}\nerrors: {scale: 0}\n"


@pytest.fixture(scope="module", params=["2017-12", "2021-12"])
def era(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, duckdb.DuckDBPyConnection]]:
    folder = tmp_path_factory.mktemp("era")
    own = folder / "own.yml"
    own.write_text(MORE_USERS, encoding="utf-8")
    last = dt.date.fromisoformat(f"{request.param}-01")
    simulate(2500, 36, 4, folder, parameters=own, last_month=last)
    with duckdb.connect() as con:
        for path in (folder / "extracts").glob("*.parquet"):
            con.execute(f"create view {path.stem} as select * from '{path}'")
        yield request.param, con


def test_ccm_codes_are_those_of_their_years(era):
    last, con = era
    billed = con.execute("""
        select hcpcs_code, min(from_date), max(from_date) from claim_lines
        where hcpcs_code in ('99490', '99439', 'G2058', '99487', '99489', '99491', '99437') group by 1
    """).fetchall()
    spans = {code: (first, final) for code, first, final in billed}
    if last == "2017-12":
        assert set(spans) == {"99490", "99487", "99489"}
        assert spans["99490"][0] < dt.date(2015, 6, 1)
        assert spans["99487"][0] >= dt.date(2017, 1, 1)
    else:
        assert set(spans) == {"99490", "99487", "99489", "99491", "G2058", "99439"}
        assert dt.date(2020, 1, 1) <= spans["G2058"][0] <= spans["G2058"][1] <= dt.date(2020, 12, 31)
        assert spans["99439"][0] >= dt.date(2021, 1, 1)


def test_amounts_are_those_of_their_half_year(era):
    last, con = era
    if last != "2017-12":
        pytest.skip("only the first years of CCM have two amounts in 2015")
    paid = con.execute("""
        select year(from_date), from_date >= date '2015-07-01', max(allowed_usd)
        from claim_lines where hcpcs_code = '99490' group by all order by all
    """).fetchall()
    assert [(year, str(amount)) for year, _, amount in paid] == [
        (2015, "42.91"),
        (2015, "43.12"),
        (2016, "40.82"),
        (2017, "42.71"),
    ]


def test_diagnoses_use_the_code_set_of_their_day(era):
    last, con = era
    spans = con.execute("""
        select d.icd_version, regexp_full_match(d.diagnosis_code, '[0-9V].*') as looks_old, count(*),
               min(case when claim_type in ('inpatient', 'snf', 'hha', 'hospice') then through_date else from_date end),
               max(case when claim_type in ('inpatient', 'snf', 'hha', 'hospice') then through_date else from_date end)
        from claim_diagnoses d join claims c using (claim_id, claim_version) group by all order by 1 desc
    """).fetchall()
    if last == "2021-12":
        assert [(version, old) for version, old, *_ in spans] == [(10, False)]
        return
    assert [(version, old) for version, old, *_ in spans] == [(10, False), (9, True)]
    assert spans[0][3] >= dt.date(2015, 10, 1)
    assert spans[1][4] < dt.date(2015, 10, 1)


def test_consents_are_written_where_they_had_to_be(era):
    last, con = era
    modes = con.execute("""
        select c.consent_mode, count(*) from consents c
        where exists (select 1 from claim_lines l join claims h using (claim_id, claim_version)
                      where h.beneficiary_id = c.beneficiary_id and l.hcpcs_code = '99490'
                      and l.from_date between date '2015-01-01' and date '2016-12-31')
        group by 1
    """).fetchall()
    assert [mode for mode, _ in modes] == (["written"] if last == "2017-12" else [])


def seed_conditions(definition: str) -> dict[tuple[str, str], set[str]]:
    belongs: dict[tuple[str, str], set[str]] = {}
    with (POLICY_SEEDS / "condition_codes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["definition"] == definition and row["role"] == "include":
                belongs.setdefault((row["icd_version"], row["diagnosis_code"]), set()).add(row["condition"])
    return belongs


def test_every_spelling_of_a_code_means_the_same_condition_to_the_policy_seed():
    conditions = load(None)["conditions"]
    before = seed_conditions("CCW27-2022-02")
    after = seed_conditions("CCW30-2022-02")
    compared = 0
    for item in conditions["list"]:
        for code in item["codes"]:
            old = conditions["icd9"][code]
            assert before.get(("9", old), set()) == before.get(("10", code), set()), (code, old)
            compared += bool(before.get(("9", old)))
            if code in conditions["renamed"]:
                older = conditions["renamed"][code][1]
                assert after[("10", older)] == {item["name"]}, older
    assert compared > 50


def test_codes_of_no_condition_stay_codes_of_no_condition_before_2017():
    conditions = load(None)["conditions"]
    before = seed_conditions("CCW27-2022-02")
    for code in conditions["other_codes"]:
        assert ("10", code) not in before, code
        assert ("9", conditions["icd9"][code]) not in before, code


def test_conditions_count_by_the_set_of_the_month():
    settings = load(None)
    names = [item["name"] for item in settings["conditions"]["list"]]
    counted = counted_conditions(settings, np.array([day_number("2016-06-01"), day_number("2024-06-01")]))
    by_name = {name: tuple(counted[:, k].tolist()) for k, name in enumerate(names)}
    assert by_name["Hypertension"] == (True, True)
    assert by_name["Cataract"] == (False, False)
    assert by_name["Atrial Fibrillation and Flutter"] == (False, True)  # by place on the claim before 2017
    assert counted[1].sum() >= 24
    most = dict(zip(names, most_counted(settings).tolist(), strict=True))
    assert most["Alzheimer's Disease"] == 2
    assert most["Hypertension"] == 1


def test_an_equivalent_that_is_missing_is_named(tmp_path: Path):
    own = tmp_path / "own.yml"
    own.write_text("conditions: {other_codes: [Z0000, Z9999]}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="icd9 lacks Z9999"):
        simulate(50, 12, 1, tmp_path / "x", parameters=own)
