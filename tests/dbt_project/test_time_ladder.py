"""The ladders of the policy at each edge of each block in each period, against the published tables read anew."""

from __future__ import annotations

import pytest

from tests.dbt_project.test_policy_seeds import Row, rows

LADDER, LIMITS = rows("time_ladder"), rows("unit_limits")


def _in_force(row: Row, month: str) -> bool:
    return row["effective_from"] <= f"{month}-28" <= row["effective_to"]


def earned(lane: str, month: str, minutes: int) -> dict[str, int]:
    """Code -> units that whole minutes of a lane earn in a month, by the seeds alone."""
    found = {}
    for rung in LADDER:
        first, block = int(rung["first_minute"]), int(rung["block_minutes"])
        if rung["lane"] == lane and _in_force(rung, month) and minutes >= first:
            most = [
                int(limit["units_per_month"])
                for limit in LIMITS
                if limit["hcpcs_code"] == rung["hcpcs_code"] and _in_force(limit, month)
            ]
            found[rung["hcpcs_code"]] = min([1 + (minutes - first) // block, *most])
    return found


@pytest.mark.parametrize("month", ["2015-01", "2016-12", "2017-01", "2019-12"])
@pytest.mark.parametrize(
    ("minutes", "units"), [(0, 0), (19, 0), (20, 1), (39, 1), (40, 1), (60, 1), (200, 1)]
)
def test_staff_time_earns_one_block_before_2020(month: str, minutes: int, units: int) -> None:
    assert earned("CCM_A", month, minutes) == ({"99490": 1} if units else {})


@pytest.mark.parametrize(
    ("month", "add_on"),
    [("2020-01", "G2058"), ("2020-12", "G2058"), ("2021-01", "99439"), ("2026-11", "99439")],
)
@pytest.mark.parametrize(
    ("minutes", "add_ons"),
    [(19, None), (20, 0), (39, 0), (40, 1), (59, 1), (60, 2), (79, 2), (80, 2), (200, 2)],
)
def test_staff_time_earns_two_further_blocks_at_most(
    month: str, add_on: str, minutes: int, add_ons: int | None
) -> None:
    expected = {} if add_ons is None else {"99490": 1} | ({add_on: add_ons} if add_ons else {})
    assert earned("CCM_A", month, minutes) == expected


@pytest.mark.parametrize("minutes", [59, 60, 90, 400])
@pytest.mark.parametrize("month", ["2015-01", "2016-12"])
def test_complex_care_was_bundled_before_2017(month: str, minutes: int) -> None:
    assert earned("CCM_B", month, minutes) == {}


@pytest.mark.parametrize("month", ["2017-01", "2019-12", "2020-01", "2023-06", "2026-11"])
@pytest.mark.parametrize(
    ("minutes", "add_ons"),
    [
        (59, None),
        (60, 0),
        (89, 0),
        (90, 1),
        (119, 1),
        (120, 2),
        (149, 2),
        (150, 3),
        (359, 9),
        (360, 10),
        (390, 10),
    ],
)
def test_complex_care_earns_whole_blocks_of_thirty(month: str, minutes: int, add_ons: int | None) -> None:
    expected = {} if add_ons is None else {"99487": 1} | ({"99489": add_ons} if add_ons else {})
    assert earned("CCM_B", month, minutes) == expected


@pytest.mark.parametrize(
    ("month", "minutes", "expected"),
    [
        *((month, minutes, {}) for month in ("2015-01", "2018-12") for minutes in (30, 60, 120)),
        *((month, 29, {}) for month in ("2019-01", "2022-01")),
        *((month, minutes, {"99491": 1}) for month in ("2019-01", "2021-12") for minutes in (30, 59, 60, 90)),
        *((month, minutes, {"99491": 1}) for month in ("2022-01", "2026-11") for minutes in (30, 59)),
        *((month, m, {"99491": 1, "99437": 1}) for month in ("2022-01", "2026-11") for m in (60, 89)),
        *(
            (month, m, {"99491": 1, "99437": 2})
            for month in ("2022-01", "2026-11")
            for m in (90, 119, 120, 300)
        ),
    ],
)
def test_the_practitioner_s_own_time(month: str, minutes: int, expected: dict[str, int]) -> None:
    assert earned("CCM_C", month, minutes) == expected


@pytest.mark.parametrize(
    ("lane", "early", "base", "add_on"),
    [("PCM_P", "G2064", "99424", "99425"), ("PCM_S", "G2065", "99426", "99427")],
)
def test_principal_care_earns_one_block_to_2021_and_three_after(
    lane: str, early: str, base: str, add_on: str
) -> None:
    assert earned(lane, "2019-12", 90) == {}
    for month in ("2020-01", "2021-12"):
        assert [earned(lane, month, minutes) for minutes in (29, 30, 60, 90)] == [{}, *3 * [{early: 1}]]
    for month in ("2022-01", "2026-11"):
        assert earned(lane, month, 29) == {}
        for minutes, add_ons in ((30, 0), (59, 0), (60, 1), (89, 1), (90, 2), (120, 2)):
            assert earned(lane, month, minutes) == {base: 1} | ({add_on: add_ons} if add_ons else {})


@pytest.mark.parametrize(
    ("month", "lane", "minutes", "expected"),
    [
        ("2015-03", "CCM_A", 19, {}),
        ("2015-03", "CCM_A", 20, {"99490": 1}),
        ("2016-05", "CCM_A", 75, {"99490": 1}),
        ("2016-05", "CCM_B", 75, {}),
        ("2017-05", "CCM_B", 75, {"99487": 1}),
        ("2018-03", "CCM_A", 65, {"99490": 1}),
        ("2018-06", "CCM_C", 45, {}),
        ("2018-06", "CCM_A", 45, {"99490": 1}),
        ("2019-06", "CCM_C", 65, {"99491": 1}),
        ("2020-06", "CCM_A", 200, {"99490": 1, "G2058": 2}),
        ("2021-06", "CCM_A", 40, {"99490": 1, "99439": 1}),
        ("2023-06", "CCM_A", 24, {"99490": 1}),
        ("2023-06", "CCM_A", 57, {"99490": 1, "99439": 1}),
        ("2023-06", "CCM_C", 32, {"99491": 1}),
    ],
)
def test_published_examples(month: str, lane: str, minutes: int, expected: dict[str, int]) -> None:
    assert earned(lane, month, minutes) == expected
