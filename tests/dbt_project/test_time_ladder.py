"""The ladders of the policy at each edge of each block in each period, against the published tables read anew."""

from __future__ import annotations

import pytest

from tests.dbt_project.test_policy_seeds import Row, rows

LADDER, LIMITS = rows("time_ladder"), rows("unit_limits")


def _in_force(row: Row, month: str) -> bool:
    return row["effective_from"] <= f"{month}-28" <= row["effective_to"]


def earned(lane: str, month: str, minutes: int, base: str | None = None) -> dict[str, int]:
    """Code -> units that whole minutes of a lane earn in a month, by the seeds alone.

    `base`: where a lane has several bases, the one that is asked about, with its further blocks.
    """
    found = {}
    for rung in LADDER:
        first, block = int(rung["first_minute"]), int(rung["block_minutes"])
        asked = base is None or base in (rung["hcpcs_code"], rung["base_hcpcs_code"])
        if rung["lane"] == lane and asked and _in_force(rung, month) and minutes >= first:
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


BLOCKS_OF_OTHER_PROGRAMMES = [
    # lane, base, further block, first month, last month, minutes -> further blocks (None: nothing is earned)
    ("CHI", "G0019", "G0022", "2024-01", "2026-11", {59: None, 60: 0, 89: 0, 90: 1, 119: 1, 120: 2, 240: 6}),
    ("PIN", "G0023", "G0024", "2024-01", "2026-11", {59: None, 60: 0, 89: 0, 90: 1, 119: 1, 120: 2}),
    ("PIN_PS", "G0140", "G0146", "2024-01", "2026-11", {59: None, 60: 0, 89: 0, 90: 1, 119: 1, 120: 2}),
    ("CPM", "G3002", "G3003", "2023-01", "2026-11", {29: None, 30: 0, 44: 0, 45: 1, 59: 1, 60: 2, 90: 4, 200: 4}),
    ("BHI", "G0507", None, "2017-01", "2017-12", {19: None, 20: 0, 90: 0}),
    ("BHI", "99484", None, "2018-01", "2026-11", {19: None, 20: 0, 90: 0}),
    ("BHI", "G0323", None, "2023-01", "2026-11", {19: None, 20: 0, 90: 0}),
    ("COCM", "G0502", "G0504", "2017-01", "2017-12", {35: None, 36: 0, 85: 0, 86: 1, 115: 1, 116: 2}),
    ("COCM", "G0503", "G0504", "2017-01", "2017-12", {30: None, 31: 0, 75: 0, 76: 1, 105: 1, 106: 2}),
    ("COCM", "99492", "99494", "2018-01", "2026-11", {35: None, 36: 0, 85: 0, 86: 1, 115: 1, 116: 2, 400: 4}),
    ("COCM", "99493", "99494", "2018-01", "2026-11", {30: None, 31: 0, 75: 0, 76: 1, 105: 1, 106: 2, 400: 4}),
    ("COCM", "G2214", None, "2021-01", "2026-11", {29: None, 30: 0, 90: 0}),
    ("RPM", "99457", None, "2019-01", "2019-12", {19: None, 20: 0, 40: 0, 80: 0}),
    ("RPM", "99457", "99458", "2020-01", "2026-11", {19: None, 20: 0, 39: 0, 40: 1, 59: 1, 60: 2, 80: 3, 200: 3}),
    ("RPM", "99470", None, "2026-01", "2026-11", {9: None, 10: 0, 19: 0}),
    ("RTM", "98980", "98981", "2022-01", "2026-11", {19: None, 20: 0, 39: 0, 40: 1, 59: 1, 60: 2, 80: 3, 200: 3}),
    ("RTM", "98979", None, "2026-01", "2026-11", {9: None, 10: 0, 19: 0}),
    ("CPO", "G0181", None, "2015-01", "2026-11", {29: None, 30: 0, 90: 0}),
    ("CPO", "G0182", None, "2015-01", "2026-11", {29: None, 30: 0, 90: 0}),
]  # fmt: skip


@pytest.mark.parametrize(("lane", "base", "add_on", "first", "last", "blocks"), BLOCKS_OF_OTHER_PROGRAMMES)
def test_each_block_edge_of_the_programmes_beside_ccm(
    lane: str, base: str, add_on: str | None, first: str, last: str, blocks: dict[int, int | None]
) -> None:
    for month in (first, last):
        for minutes, further in blocks.items():
            expected = {} if further is None else {base: 1} | ({str(add_on): further} if further else {})
            assert earned(lane, month, minutes, base) == expected, (month, minutes)


@pytest.mark.parametrize(
    ("lane", "base", "before"),
    [
        ("CHI", "G0019", "2023-12"),
        ("PIN", "G0023", "2023-12"),
        ("PIN_PS", "G0140", "2023-12"),
        ("CPM", "G3002", "2022-12"),
        ("BHI", "G0507", "2016-12"),
        ("BHI", "G0507", "2018-01"),
        ("BHI", "99484", "2017-12"),
        ("BHI", "G0323", "2022-12"),
        ("COCM", "G0502", "2018-01"),
        ("COCM", "99492", "2017-12"),
        ("COCM", "G2214", "2020-12"),
        ("RPM", "99457", "2018-12"),
        ("RPM", "99470", "2025-12"),
        ("RTM", "98980", "2021-12"),
        ("RTM", "98979", "2025-12"),
    ],
)
def test_a_code_earns_nothing_outside_its_years(lane: str, base: str, before: str) -> None:
    assert earned(lane, before, 400, base) == {}


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
        ("2026-02", "RPM", 14, {"99470": 1}),
    ],
)
def test_published_examples(month: str, lane: str, minutes: int, expected: dict[str, int]) -> None:
    assert earned(lane, month, minutes) == expected
