"""The published measures: made only of what may be shown, audited with the page's tables and with earlier releases."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from pipelines.disparity import counts, reach, year
from pipelines.disparity.counts import EVERYBODY, release_of_year
from pipelines.disparity.disclosure import Audit, Release, audit, suppress
from pipelines.disparity.measures import MEASURES
from pipelines.settings import DBT_PROJECT, Settings
from tests.pipelines.disparity import small_pages

AS_OF = dt.date(2026, 3, 31)
ALL = sorted({f"{name}_{unit}" for unit, names in counts.chains(EVERYBODY).items() for name in names})
MARTS = sorted({*ALL, *(name.replace("_months", "_people") for name in ALL)})
STATES = ("not_eligible", "eligible_not_served", "billed_as_supported", "billed_record_missing")


def group(eligible: int, paid: int, *, lasting: int | None = None) -> dict[str, int]:
    """A group's counts of a year in which everybody is eligible twelve months, paid four, and no bill is denied."""
    people = {
        "enrolled": eligible * 2,
        "assessable": eligible * 2,
        "eligible": eligible,
        "consented": eligible // 2,
    }
    people |= {"billed": paid, "paid": paid, "continuable": paid, "retained": paid}
    months = {"enrolled": 24, "assessable": 18, "eligible": 12, "consented": 6, "billed": 4, "paid": 4}
    found = {f"{name}_people": number for name, number in people.items()}
    found |= {f"{name}_months": months[name] * eligible for name in ("assessable", "eligible", "consented")}
    found |= {"enrolled_months": 24 * eligible, "billed_months": 4 * paid, "paid_months": 4 * paid}
    found |= {"continuable_months": 3 * paid, "retained_months": 2 * paid}
    return found | {"lasting_people": paid // 2 if lasting is None else lasting}


def world(**kinds: dict[str, tuple[int, int]]) -> dict[tuple[str, str], dict[str, int]]:
    """Groups by kind, (eligible, paid) each, and everybody as their sum."""
    made = {(kind, name): group(*sizes) for kind, groups in kinds.items() for name, sizes in groups.items()}
    first = next(iter(kinds))
    parts = [row for (kind, _), row in made.items() if kind == first]
    return {(EVERYBODY, EVERYBODY): {name: sum(row[name] for row in parts) for name in parts[0]}, **made}


SMALL = world(
    sex={"female": (1800, 70), "male": (1400, 46)},
    race={"white": (2600, 100), "black": (400, 12), "hispanic": (200, 4)},
)


def shown_counts(made: dict[Any, dict[str, int]], **more: Any) -> dict[Any, int | None]:
    release = release_of_year(made, 10, **more)
    shown = suppress(release)
    assert not len(audit(release, shown).given_away)
    return {
        name: int(value) if is_shown else None
        for name, value, is_shown, is_table in zip(
            release.names, release.values, shown, release.is_table, strict=True
        )
        if is_table
    }


def test_no_shown_counts_differ_by_a_small_number_of_people() -> None:
    shown = shown_counts(SMALL)
    pairs = 0
    for kind, name in SMALL:
        chain = [shown[kind, name, count] for count in counts.counts_of(kind) if count.endswith("_people")]
        values = [one for one in chain if one is not None]
        assert all(one == 0 or one > 10 for one in values)
        for one, other in itertools.combinations(values, 2):
            pairs += 1
            assert one == other or abs(one - other) > 10
    assert pairs > 10


def test_a_hidden_group_is_not_its_kind_less_the_rest() -> None:
    shown = shown_counts(SMALL)
    assert shown["race", "hispanic", "paid_people"] is None
    hidden = [name for name in ("white", "black") if shown["race", name, "paid_people"] is None]
    assert hidden or shown[EVERYBODY, EVERYBODY, "paid_people"] is None


def test_months_go_with_the_few_people_they_are_of() -> None:
    assert SMALL["race", "hispanic"]["paid_months"] == 16
    assert shown_counts(SMALL)["race", "hispanic", "paid_months"] is None


def test_large_groups_are_shown_whole() -> None:
    large = world(sex={"female": (50_000, 2400), "male": (40_000, 1500)})
    assert None not in shown_counts(large).values()


def year_states(hidden: set[str], bills: tuple[int, int] = (34, 6)) -> list[tuple[Any, str, int, bool, bool]]:
    """Capture states of the months of a year in which 3,200 people are eligible and 40 of them billed every month; January hides some
    states, and bills `bills`."""
    return [
        (month, state, people, month > 0 or state not in hidden, True)
        for month in range(12)
        for state, people in zip(STATES, (500, 3160, *((40, 0) if month else bills)), strict=True)
    ]


def test_a_year_does_not_give_a_hidden_state_of_a_month_away() -> None:
    """The page hides a state of 6 with one outside eligibility; the year's eligible months would tell them apart."""
    made = world(sex={"female": (1800, 70), "male": (1400, 50)})
    states = year_states({"not_eligible", "billed_record_missing"})
    release = release_of_year(made, 10, states=states)
    plain = release.is_table & ~release.is_protected & ~release.frozen
    told = {release.names[place] for place in audit(release, plain).given_away}
    assert told == {(0, "billed_record_missing")}
    shown = shown_counts(made, states=states)
    assert shown[EVERYBODY, EVERYBODY, "eligible_months"] is None
    assert shown[EVERYBODY, EVERYBODY, "billed_months"] is None


def test_counts_of_few_people_beside_a_shown_total_are_told_of_no_group_not_even_zeros() -> None:
    """Sixteen people in eight groups: that seven are not empty bounds each of them by ten, whatever is hidden."""
    sizes = {f"g{place}": (400, paid) for place, paid in enumerate([3, 2, 2, 2, 2, 2, 3, 0])}
    made = world(state=sizes, sex={"female": (1800, 9), "male": (1400, 7)})
    release = release_of_year(made, 10, wider={"paid_people": (16, True)})
    assert len(audit(release, suppress(release)).given_away)
    protected, shown, found = year.protected(release)
    assert len(found.given_away) == 0
    of_state = {
        name: shown[place]
        for place, name in enumerate(protected.names)
        if name[0] == "state" and len(name) == 3  # type: ignore[index,arg-type]
    }
    assert not any(is_shown for name, is_shown in of_state.items() if name[2] == "paid_people")  # type: ignore[index]
    assert all(is_shown for name, is_shown in of_state.items() if name[2] == "eligible_people")  # type: ignore[index]
    assert not protected.is_table[protected.names.index(("state", "g7", "paid_people"))]


@pytest.mark.parametrize("wider", [6407, 6410])
def test_few_people_of_the_run_who_are_not_in_the_year_cannot_be_told(wider: int) -> None:
    made = world(sex={"female": (1800, 70), "male": (1400, 46)})
    name = (EVERYBODY, EVERYBODY, "enrolled_people")
    release = release_of_year(made, 10, wider={"enrolled_people": (wider, True)})
    plain = release.is_table & ~release.is_protected & ~release.frozen
    assert [release.names[one] for one in audit(release, plain).given_away] == [
        ("less", ("run", "enrolled_people"), name)
    ]
    shown = suppress(release)
    assert len(audit(release, shown).given_away) == 0
    assert not shown[release.names.index(name)]
    assert suppress(release_of_year(made, 10, wider={"enrolled_people": (9000, True)}))[
        release.names.index(name)
    ]


def test_few_people_of_the_year_who_are_not_in_a_month_cannot_be_told() -> None:
    """A month with everybody of the year but 6 who are there in other months."""
    made = world(sex={"female": (1800, 70), "male": (1400, 50)})
    usual = year_states(set(), bills=(40, 0))
    states = [
        (month, state, 3194 if state == "not_eligible" and month == 3 else people, *rest)
        for month, state, people, *rest in usual
    ]
    assert shown_counts(made, states=usual)[EVERYBODY, EVERYBODY, "enrolled_people"] == 6400
    assert shown_counts(made, states=states)[EVERYBODY, EVERYBODY, "enrolled_people"] is None


def test_what_was_hidden_once_stays_hidden() -> None:
    large = world(sex={"female": (50_000, 2400), "male": (40_000, 1500)})
    key = ("sex", "male", "lasting_people")
    shown = shown_counts(large, earlier={key: [None]})
    assert shown[key] is None


def test_a_change_by_a_few_people_since_the_last_release_cannot_be_told() -> None:
    large = world(sex={"female": (50_000, 2400), "male": (40_000, 1500)})
    before = {
        (kind, name, count): [row[count]]
        for (kind, name), row in large.items()
        for count in counts.counts_of(kind)
    }
    after = {key: dict(row) for key, row in large.items()}
    for key in ((EVERYBODY, EVERYBODY), ("sex", "male")):
        after[key]["lasting_people"] += 3
    shown = shown_counts(after, earlier=before)
    assert shown["sex", "male", "lasting_people"] is None
    assert shown[EVERYBODY, EVERYBODY, "lasting_people"] is None
    assert shown["sex", "female", "lasting_people"] == 1200
    assert shown["sex", "male", "paid_people"] == 1500


CELLS = " union all ".join(
    f"select service_year, '{kind}' as group_kind, {value} as group_value, '{cell}' as cell_kind, {text} as cell,"
    " count(*) as eligible_people, sum((paid_months > 0)::int) as paid_people from marts.fct_person_years group by all"
    for kind, value in ((EVERYBODY, f"'{EVERYBODY}'"), ("sex", "sex"), ("race", "race"))
    for cell, text in (
        ("age_and_sex", "age_band"),
        ("conditions", "condition_count::varchar"),
        ("practice", "practice_id"),
    )
)


def people() -> pl.DataFrame:
    """One row a person of SMALL by sex: those paid for are spread evenly over two ages, conditions and practices."""
    rows = [
        {
            "beneficiary_id": f"{name}{number}",
            "service_year": 2025,
            "sex": name,
            "race": "white",
            "age_band": ("65_to_69", "70_to_74", "75_to_79")[number % 3],
            "condition_count": 2 + number % 4,
            "practice_id": f"p{number % 5}",
            "eligible_months": 12,
            "paid_months": 4 if number < paid else 0,
        }
        for name, (eligible, paid) in {"female": (1800, 70), "male": (1400, 46)}.items()
        for number in range(eligible)
    ]
    return pl.DataFrame(rows)


# The other report tables and what they are made of: empty, so that nothing stands beside the measures.
MEASURES_OWN = ("marts.fct_measure_counts", "reports.shown_measure_counts")
BESIDE = {table: columns for table, columns in small_pages.SCHEMA.items() if table not in MEASURES_OWN}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A warehouse with the tables that the publication reads, of one year without capture states."""
    made = Settings(out=tmp_path)
    rows = [
        {
            "period": "year",
            "period_start": dt.date(2025, 1, 1),
            "group_kind": kind,
            "group_value": name,
            **row,
        }
        for (kind, name), row in SMALL.items()
    ]
    with duckdb.connect(str(made.warehouse)) as con:
        con.execute(
            "create schema marts; create schema reports; create schema policy; create schema reports_internal"
        )
        con.register("frame", pl.DataFrame(rows))
        con.execute("create table marts.fct_measure_counts as select * from frame")
        con.execute(
            "create table policy.disclosure_limits as select 'largest_small_cell' as limit_name, 10 as limit_value"
        )
        con.execute(
            "create table policy.age_bands as select 'under_65' as group_value, false as is_reference"
        )
        con.execute(
            "create table policy.stratum_codes as select 'sex' as group_kind, 'male' as group_value, true as is_reference"
        )
        con.execute(
            "create table policy.area_bands as select 'deprivation' as group_kind, 'low' as group_value, 1 as group_order,"
            " true as is_reference"
        )
        con.execute(
            "create table policy.headline_contrasts as"
            " select 'uptake' as measure, 'sex' as group_kind, 'female' as group_value"
        )
        con.execute(
            "create table marts.fct_run_out_periods as select 'year' as period, date '2025-01-01' as period_start,"
            " 'provisional' as run_out_state"
        )
        con.register("people", people())
        con.execute("create table marts.fct_person_years as select * from people")
        con.execute("create table marts.fct_uptake_cells as " + CELLS)
        con.execute("create schema flags")
        for table, columns in BESIDE.items():
            con.execute(f"create table {table} ({columns})")
    return made


def read(settings: Settings) -> pl.DataFrame:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return con.execute("select * from reports.disparity_measures").pl()


def test_the_published_table_holds_only_what_is_shown(settings: Settings) -> None:
    made = reach.publish(settings, AS_OF)
    assert (made.told, made.asked > 0) == (0, True)
    table = read(settings)
    hidden = table.filter("is_suppressed")
    assert hidden.height > 0
    for column in ("numerator", "rate", "lower", "upper", "gap", "ratio", "p_value", "q_value"):
        assert hidden[column].null_count() == hidden.height, column
    for column in ("numerator", "denominator"):
        assert table.filter(pl.col(column).is_between(1, 10)).height == 0


ANOTHER_YEAR = """
    insert into marts.fct_measure_counts select * replace (date '2024-01-01' as period_start) from marts.fct_measure_counts;
    insert into marts.fct_person_years select * replace (2024 as service_year) from marts.fct_person_years;
    insert into marts.fct_uptake_cells select * replace (2024 as service_year) from marts.fct_uptake_cells
"""


def test_years_made_in_several_processes_are_those_made_in_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(ANOTHER_YEAR)
    assert settings.threads > 1
    alone = reach.publish(settings, AS_OF)
    monkeypatch.setattr(reach, "MANY_CELLS", 0)
    together = reach.publish(settings, AS_OF)
    for name in ("measures", "gradients", "parts", "places", "counts"):
        one, other = getattr(alone, name), getattr(together, name)
        assert one.equals(other), name
    assert min(alone.measures.height, alone.parts.height, alone.counts.height) > 0
    assert alone.measures["period"].unique().sort().to_list() == [2024, 2025]
    assert set(alone.parts.filter(year=2025)["method"]) > set(alone.parts.filter(year=2024)["method"])
    for name in ("told", "asked", "kept_back"):
        assert getattr(alone, name) == getattr(together, name), name


def test_a_gap_is_the_difference_to_the_reference_group(settings: Settings) -> None:
    reach.publish(settings, AS_OF)
    row = read(settings).filter(measure="uptake", group_kind="sex", group_value="female").to_dicts()[0]
    assert (row["numerator"], row["denominator"]) == (70, 1800)
    assert row["gap"] == pytest.approx(70 / 1800 - 46 / 1400)
    assert row["ratio"] == pytest.approx((70 / 1800) / (46 / 1400))
    assert row["gap_lower"] < row["gap"] < row["gap_upper"]
    assert row["lower"] < row["rate"] < row["upper"]
    assert row["q_value"] == pytest.approx(row["p_value"])
    assert row["is_meaningful"] is False
    male = read(settings).filter(measure="uptake", group_kind="sex", group_value="male").to_dicts()[0]
    assert male["gap"] is None


def test_a_row_says_how_far_it_can_be_relied_on(settings: Settings) -> None:
    reach.publish(settings, AS_OF)
    row = read(settings).filter(measure="uptake", group_kind="sex", group_value="female").to_dicts()[0]
    assert row["run_out_state"] == "provisional"
    assert row["is_presentable"] is True  # 70 of 1,800: an interval of 1.9 points
    assert row["p_holm"] == pytest.approx(row["p_value"])  # the only comparison named before
    assert row["attributable"] == round((46 / 1400 - 70 / 1800) * 1800)
    everybody = read(settings).filter(measure="uptake", group_kind=EVERYBODY).to_dicts()[0]
    assert everybody["p_holm"] is None and everybody["std_gap"] is None


def test_standardised_rates_and_parts_of_gaps_stand_beside_the_crude_ones(settings: Settings) -> None:
    """Ages, conditions and practices are the same in both sexes, so that nothing is explained and no rate changes."""
    made = reach.publish(settings, AS_OF)
    row = read(settings).filter(measure="uptake", group_kind="sex", group_value="female").to_dicts()[0]
    assert abs(row["standardised_rate"] - row["rate"]) <= row["std_step"]
    assert row["std_lower"] < row["standardised_rate"] < row["std_upper"]
    assert abs(row["std_gap"] - row["gap"]) <= 2 * row["std_step"]
    parts = {(one["method"], one["part"]): one for one in made.parts.to_dicts() if one["group_kind"] == "sex"}
    gap = 70 / 1800 - 46 / 1400
    for method, within in (("age_and_sex", "rates_within_cells"), ("practice", "within_practices")):
        mine = [one for (name, _), one in parts.items() if name == method]
        assert sum(one["value"] for one in mine) == pytest.approx(gap)
        assert abs(parts[method, within]["value"] - gap) <= parts[method, within]["step"]
    explained = parts["oaxaca", "explained"]
    assert abs(explained["value"]) <= explained["step"]
    assert sum(one["value"] for (name, _), one in parts.items() if name == "eligibility_and_capture") == (
        pytest.approx(70 / 3600 - 46 / 2800)
    )
    funnel = [one["value"] for (name, _), one in parts.items() if name == "funnel"]
    assert sum(funnel) == pytest.approx(np.log((35 / 3600) / (23 / 2800)))


def test_measures_of_months_have_no_interval(settings: Settings) -> None:
    reach.publish(settings, AS_OF)
    rows = read(settings).filter(
        pl.col("measure").is_in(["coverage", "persistence"]), ~pl.col("is_suppressed")
    )
    assert rows.height > 0
    assert rows["lower"].null_count() == rows["p_value"].null_count() == rows.height
    assert rows["rate"].null_count() == 0


def test_the_same_release_again_shows_the_same_and_is_kept_once(settings: Settings) -> None:
    reach.publish(settings, AS_OF)
    first = read(settings)
    assert reach.remember(settings)
    reach.publish(settings, AS_OF)
    assert read(settings).equals(first)
    assert not reach.remember(settings)
    assert len(list(reach.releases(settings).glob("*.parquet"))) == 1


def test_a_release_that_leaks_is_not_written(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def small_ones_alone(release: Release) -> tuple[Release, Any, Audit]:
        shown = release.is_table & ~release.is_protected
        return release, shown, audit(release, shown)

    monkeypatch.setattr(year, "protected", small_ones_alone)
    made = reach.publish(settings, AS_OF)
    assert made.told > 0
    with pytest.raises(duckdb.CatalogException):
        read(settings)


def test_the_measures_published_are_those_of_the_marts() -> None:
    text = (DBT_PROJECT / "macros" / "measures.sql").read_text(encoding="utf-8")
    for measure, (numerator, denominator) in MEASURES.items():
        assert f"('{measure}', '{numerator}', '{denominator}'," in text
    assert text.count("'share')") + text.count("'mean')") == len(MEASURES)


@pytest.mark.parametrize("seed", range(4))
def test_random_years_are_safe(seed: int) -> None:
    draw = np.random.default_rng(seed)
    sizes = draw.negative_binomial(0.5, 0.002, size=6) + 1
    paid = draw.binomial(sizes, 0.05)
    places = list(zip(sizes.tolist(), paid.tolist(), strict=True))
    halves = [tuple(int(sum(one)) for one in zip(*places[a:b], strict=True)) for a, b in ((0, 3), (3, 6))]
    made = {
        (kind, name): group(*size, lasting=size[1] // 2)
        for kind, groups in (("state", places), ("sex", halves))
        for name, size in zip("abcdef", groups, strict=False)
    }
    # halving rounds, so what does not add up is given to the first of each kind
    total = {name: sum(row[name] for (kind, _), row in made.items() if kind == "state") for name in MARTS}
    for name in MARTS:
        made["sex", "a"][name] += total[name] - sum(
            row[name] for (kind, _), row in made.items() if kind == "sex"
        )
    shown_counts({(EVERYBODY, EVERYBODY): total, **made})
