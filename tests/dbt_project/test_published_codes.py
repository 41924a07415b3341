"""The policy seeds against the published catalogue of codes: every family that care management meets is there, with its dates.

`published/codes.csv` holds what CMS's files and the NCCI tables of 2024 say of each code; it was written apart from the seeds.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.dbt_project.test_policy_seeds import rows

with (Path(__file__).parent / "published" / "codes.csv").open(encoding="utf-8", newline="") as _file:
    PUBLISHED = list(csv.DictReader(_file))
# Preventive visits are no care management: they stand among the visits that may initiate it.
VISITS = {"IPPE", "AWV"}
# Where the seeds say the same in other words.
ROLES = {"G0506": "initiating"}
LANES = {"G2064": "PCM_P", "G2065": "PCM_S"}
each_code = pytest.mark.parametrize(
    "code", PUBLISHED, ids=lambda code: f"{code['hcpcs_code']}-{code['payable_from'][:4]}"
)


def test_the_catalogue_is_whole() -> None:
    assert len(PUBLISHED) == 96
    families = {code["family"] for code in PUBLISHED}
    assert families >= {
        *("CCM_A", "CCM_B", "CCM_C", "CCM_INIT", "PCM_P", "PCM_S", "APCM", "APCM_BHI", "TCM", "BHI", "COCM"),
        *(
            "RPM",
            "RTM",
            "CHI",
            "PIN",
            "PIN_PS",
            "CPM",
            "CPO",
            "ESRD_MONTHLY",
            "ESRD_DAILY",
            "RHC_FQHC",
            "IPPE",
            "AWV",
        ),
    }


@each_code
def test_every_code_has_its_lane_role_and_dates(code: dict[str, str]) -> None:
    hcpcs = code["hcpcs_code"]
    if code["family"] in VISITS:
        assert "initiating" in {row["role"] for row in rows("visit_codes") if row["hcpcs_code"] == hcpcs}
        return
    known = [
        row
        for row in rows("care_management_codes")
        if (row["hcpcs_code"], row["effective_from"]) == (hcpcs, code["payable_from"])
    ]
    assert len(known) == 1
    assert known[0]["effective_to"] == code["payable_to"]
    assert known[0]["lane"] == LANES.get(hcpcs, code["family"])
    assert known[0]["code_role"] == ROLES.get(hcpcs, code["role"])
    assert (known[0]["is_payable"] == "true") == (code["role"] != "not_payable")


@each_code
def test_every_add_on_stands_on_its_bases(code: dict[str, str]) -> None:
    if code["role"] != "addon" or code["base_codes"] == "initiating_visit":
        return
    bases = {
        row["base_hcpcs_code"] for row in rows("addon_bases") if row["addon_hcpcs_code"] == code["hcpcs_code"]
    }
    assert bases == set(code["base_codes"].split("|"))


@each_code
def test_every_monthly_limit_is_the_published_one(code: dict[str, str]) -> None:
    limits = {
        (row["units_per_month"], row["is_certain"])
        for row in rows("unit_limits")
        if row["hcpcs_code"] == code["hcpcs_code"]
    }
    if code["units_per_month"]:
        assert {units for units, _ in limits} == {code["units_per_month"]}
    # An edit of one day whose excess can be appealed is never a certain limit of a month.
    if code["mai"] == "3":
        assert "true" not in {is_certain for _, is_certain in limits}


def test_amounts_are_relative_values_times_the_factor_of_their_day() -> None:
    """Every amount from 2019 on, cent by cent; 2024's two halves and 2026's two factors among them."""
    values = {
        (row["hcpcs_code"], row["effective_from"][:4]): [
            Decimal(row[f"{part}_rvu"])
            for part in ("work", "nonfacility_practice", "facility_practice", "malpractice")
        ]
        for row in rows("relative_values")
    }
    factors = {
        (row["conversion_factor_group"], row["effective_from"]): Decimal(row["conversion_factor"])
        for row in rows("conversion_factors")
    }
    checked: dict[str, int] = defaultdict(int)
    for row in rows("fee_schedule"):
        year = row["effective_from"][:4]
        if (row["hcpcs_code"], year) not in values:
            # before 2019 dollars alone are known, and never surely
            assert year < "2019"
            continue
        work, nonfacility, facility, malpractice = values[row["hcpcs_code"], year]
        factor = factors[row["conversion_factor_group"], row["effective_from"]]
        for practice, usd in ((nonfacility, row["nonfacility_usd"]), (facility, row["facility_usd"])):
            amount = ((work + practice + malpractice) * factor).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert amount == Decimal(usd), row
        checked[row["effective_from"]] += 1
    assert sum(checked.values()) == 582
    assert {"2024-01-01", "2024-03-09", "2026-01-01"} < set(checked)


@pytest.mark.parametrize(
    ("code", "day", "group", "nonfacility", "facility"),
    [
        ("99490", "2019-01-01", "other", "42.17", "32.44"),
        ("99490", "2024-01-01", "other", "61.56", "48.79"),
        ("99490", "2024-03-09", "other", "62.58", "49.60"),
        ("99490", "2026-01-01", "other", "66.13", "43.76"),
        ("99490", "2026-01-01", "qualifying_apm", "66.46", "43.97"),
        ("99487", "2022-01-01", "other", "134.27", "92.74"),
        ("99491", "2020-01-01", "other", "84.09", "84.09"),
        ("99495", "2020-01-01", "other", "187.67", "125.59"),
        ("G0558", "2025-01-01", "other", "107.07", "79.90"),
        ("G0511", "2023-01-01", "other", "77.94", "77.94"),
        ("99445", "2026-01-01", "qualifying_apm", "52.37", "52.37"),
    ],
)
def test_published_amounts_are_those_of_the_seed(
    code: str, day: str, group: str, nonfacility: str, facility: str
) -> None:
    key = (code, day, group)
    found = [
        (Decimal(row["nonfacility_usd"]), Decimal(row["facility_usd"]))
        for row in rows("fee_schedule")
        if (row["hcpcs_code"], row["effective_from"], row["conversion_factor_group"]) == key
    ]
    assert found == [(Decimal(nonfacility), Decimal(facility))]


def test_amounts_before_2019_never_claim_to_be_sure_where_they_are_recalled() -> None:
    early = [row for row in rows("fee_schedule") if row["effective_from"] < "2019-01-01"]
    assert {row["hcpcs_code"] for row in early} == {"99490", "99487", "99489", "G0506", "G0511", "G0512"}
    for row in early:
        assert row["confidence"] in {"medium", "recalled"}, row
        if row["citation"].startswith("Recalled") or "cents recalled" in row["citation"]:
            assert row["confidence"] == "recalled", row
