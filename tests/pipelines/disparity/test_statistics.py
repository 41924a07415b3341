"""Intervals, standardisation, indices and decompositions against published results and against other software."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.disparity import decompose, gradients, intervals, multiplicity, standardise


@pytest.mark.parametrize(
    ("successes", "trials", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_proportion_is_that_of_newcombes_table(
    successes: int, trials: int, lower: float, upper: float
) -> None:
    assert np.round(intervals.wilson(successes, trials), 4).tolist() == [lower, upper]


@given(trials=st.integers(1, 10_000), share=st.floats(0, 1))
def test_the_interval_of_a_proportion_is_that_of_scipy(trials: int, share: float) -> None:
    successes = round(share * trials)
    theirs = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert intervals.wilson(successes, trials) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_a_proportion_of_nobody_has_no_interval() -> None:
    assert np.isnan(intervals.wilson(0, 0)).all()


@pytest.mark.parametrize(
    ("counts", "lower", "upper"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_that_of_newcombes_table(
    counts: tuple[int, int, int, int], lower: float, upper: float
) -> None:
    assert np.round(intervals.newcombe(*counts), 4).tolist() == [lower, upper]


def test_the_exact_interval_of_a_rate() -> None:
    assert np.round(intervals.exact_poisson(7), 4).tolist() == [2.8144, 14.4227]
    assert np.round(intervals.exact_poisson(0, 10), 4).tolist() == [0.0, 0.3689]


def test_the_interval_of_a_ratio_of_rates() -> None:
    assert np.round(intervals.rate_ratio(41, 28_010, 15, 19_017), 3).tolist() == [1.027, 3.353]
    assert np.isnan(intervals.rate_ratio(0, 10, 5, 10)).all()


def test_the_interval_of_a_relative_risk_is_that_of_scipy() -> None:
    theirs = stats.contingency.relative_risk(56, 70, 48, 80).confidence_interval(0.95)
    assert intervals.relative_risk(56, 70, 48, 80) == pytest.approx((theirs.low, theirs.high))


# Births and cases of Down's syndrome by mother's age in five-year bands, by birth order: Fay and Feuer 1997, table I.
CASES = [
    [107, 141, 60, 40, 39, 25],
    [25, 150, 110, 84, 82, 39],
    [3, 71, 114, 103, 108, 75],
    [1, 26, 64, 89, 137, 96],
    [0, 8, 63, 112, 262, 295],
]
BIRTHS = [
    [230_061, 329_449, 114_920, 39_487, 14_208, 3_052],
    [72_202, 326_701, 208_667, 83_228, 28_466, 5_375],
    [15_050, 175_702, 207_081, 117_300, 45_026, 8_660],
    [2_293, 68_800, 132_424, 98_301, 46_075, 9_834],
    [327, 30_666, 123_419, 149_919, 104_088, 34_392],
]
PUBLISHED = [
    (92.3, 80.4, 105.8),
    (91.2, 82.4, 100.9),
    (85.1, 77.2, 94.2),
    (92.7, 80.0, 114.7),
    (75.5, 67.7, 188.3),
]


@pytest.mark.parametrize("order", range(5))
def test_standardised_rates_and_gamma_intervals_are_those_of_fay_and_feuer(order: int) -> None:
    got = standardise.direct(CASES[order], BIRTHS[order], np.sum(BIRTHS, axis=0))
    assert np.round(np.array([got.rate, got.lower, got.upper]) * 1e5, 1).tolist() == list(PUBLISHED[order])


def test_a_standardised_rate_without_events_has_a_finite_upper_bound() -> None:
    got = standardise.direct([0, 0], [50, 150], [1, 1])
    assert (got.rate, got.lower) == (0, 0)
    assert 0 < got.upper < 0.1


def test_a_stratum_of_the_standard_without_exposure_is_refused() -> None:
    with pytest.raises(standardise.EmptyStratum):
        standardise.direct([1, 0], [10, 0], [5, 5])
    assert standardise.direct([1, 0], [10, 0], [5, 0]).rate == 0.1


def test_standardising_to_the_own_population_is_the_crude_rate() -> None:
    got = standardise.direct([3, 8], [100, 50], [100, 50])
    assert got.rate == pytest.approx(11 / 150)


@pytest.mark.filterwarnings("ignore:Perfect separation")  # as many parameters as cells
def test_a_standardised_rate_is_the_margin_of_a_saturated_model() -> None:
    """Poisson regression with a parameter a group and stratum, predicted for everybody as if in one group (g-computation)."""
    import statsmodels.api as sm

    events = np.array([[12, 30, 25], [8, 14, 40]], float)
    people = np.array([[400, 700, 350], [300, 250, 600]], float)
    cells = np.eye(6)
    model = sm.GLM(events.ravel(), cells, family=sm.families.Poisson(), exposure=people.ravel()).fit()
    standard = people.sum(axis=0)
    for group in range(2):
        predicted = model.predict(cells[3 * group : 3 * group + 3], exposure=np.ones(3))
        got = standardise.direct(events[group], people[group], standard)
        assert got.rate == pytest.approx(float(predicted @ standard / standard.sum()))


def test_the_ratio_of_rates_of_one_stratum_is_the_plain_ratio() -> None:
    one, other = standardise.direct([41], [28_010], [1]), standardise.direct([15], [19_017], [1])
    assert np.round(standardise.ratio(one, other), 3).tolist() == [1.856, 1.027, 3.353]


def test_the_difference_of_equal_rates_is_nothing_and_its_interval_holds_it() -> None:
    one = standardise.direct([20, 30], [500, 400], [1, 1])
    estimate, lower, upper = standardise.difference(one, one)
    assert estimate == 0
    assert lower < 0 < upper


def test_observed_over_expected() -> None:
    got = standardise.indirect(7, [100, 200], [0.02, 0.025])
    assert got.rate == pytest.approx(1.0)
    assert (got.lower, got.upper) == pytest.approx((2.8144 / 7, 14.4227 / 7), abs=1e-4)


def test_the_slope_index_recovers_a_line() -> None:
    sizes = [10, 20, 30, 25, 15]
    got = gradients.slope_index(sizes, 0.08 - 0.05 * gradients.ridits(sizes))
    assert (got.slope, got.relative) == pytest.approx((-0.05, 0.375))
    assert got.slope_lower == pytest.approx(got.slope_upper)


def test_the_concentration_index_of_child_mortality_in_india() -> None:
    births = [29_939, 28_776, 26_528, 24_689, 19_739]
    got = gradients.concentration_index(births, np.array([154.7, 152.9, 119.5, 86.9, 54.3]) / 1000)
    assert np.round([got.index, got.wagstaff, got.erreygers], 4).tolist() == [-0.1694, -0.1923, -0.0806]
    assert 0 < got.std_error < 0.03


def test_no_inequality_is_an_index_of_nothing() -> None:
    assert gradients.concentration_index([5, 9, 4], [0.1, 0.1, 0.1]).index == pytest.approx(0)


def test_kitagawa_of_three_cells() -> None:
    got = decompose.kitagawa([0.2, 0.5, 0.3], [0.10, 0.20, 0.40], [0.4, 0.4, 0.2], [0.05, 0.15, 0.30])
    assert (got.gap, got.rates, got.mix) == pytest.approx((0.1, 0.0625, 0.0375))


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)),
        min_size=1,
        max_size=8,
    ).filter(lambda cells: any(n1 for n1, *_ in cells) and any(n2 for _, _, n2, _ in cells))
)
def test_what_lies_between_and_within_practices_adds_up_to_the_gap(
    cells: list[tuple[int, int, int, int]],
) -> None:
    n1, c1, n2, c2 = np.array(cells, float).T
    c1, c2 = np.minimum(c1, n1), np.minimum(c2, n2)
    got = decompose.between_and_within(n1, c1, n2, c2)
    assert got.gap == pytest.approx(c1.sum() / n1.sum() - c2.sum() / n2.sum(), abs=1e-9)
    assert got.rates + got.mix == pytest.approx(got.gap, abs=1e-9)
    one_sided = (n1 == 0) | (n2 == 0)
    assert np.all(got.rates_by_cell[one_sided] == 0)


def test_the_gap_a_beneficiary_is_one_of_eligibility_and_one_of_capture() -> None:
    got = decompose.eligibility_and_capture(0.70, 0.040, 0.76, 0.030)
    assert np.round(got, 4).tolist() == [0.0052, -0.0021, 0.0073]


def test_the_funnel_of_two_groups_in_logs() -> None:
    logs, shares = decompose.funnel([0.90, 0.35, 0.75, 0.95], [0.90, 0.50, 0.80, 0.95])
    assert round(logs.sum(), 4) == -0.4212
    assert np.round(shares, 3).tolist() == [0, 0.847, 0.153, 0]


def test_oaxaca_is_that_of_stata_on_its_reference_data() -> None:
    from statsmodels.datasets import ccard

    data = ccard.load()
    owns = np.asarray(data.exog["OWNRENT"]) == 1
    got = decompose.oaxaca(data.endog, data.exog[["AGE", "INCOME", "INCOMESQ"]], owns)
    assert (got.gap, got.endowments, got.coefficients, got.interaction) == pytest.approx(
        (158.7504, 321.7482, 75.45371, -238.4515), abs=1e-4
    )
    assert (got.explained, got.unexplained) == pytest.approx((130.8095, 27.94091), abs=1e-4)


def test_oaxaca_with_a_covariate_for_each_cell_is_kitagawas_decomposition() -> None:
    """Saturated in cells, the three-fold parts are sums over cells: endowments and coefficients plus half the interaction."""
    draw = np.random.default_rng(3)
    cell, first = draw.integers(0, 3, 600), draw.random(600) < 0.4
    y = (draw.random(600) < 0.1 + 0.2 * cell + 0.1 * first).astype(float)
    got = decompose.oaxaca(y, np.column_stack([cell == 1, cell == 2]), first)
    table = [
        [np.sum(first == group) and np.mean(cell[first == group] == one) for one in range(3)]
        for group in (True, False)
    ]
    rates = [[np.mean(y[(first == group) & (cell == one)]) for one in range(3)] for group in (True, False)]
    kitagawa = decompose.kitagawa(table[0], rates[0], table[1], rates[1])
    assert got.endowments + got.interaction / 2 == pytest.approx(kitagawa.mix)
    assert got.coefficients + got.interaction / 2 == pytest.approx(kitagawa.rates)
    assert got.endowments + got.coefficients + got.interaction == pytest.approx(got.gap)


# Benjamini and Hochberg, JRSS B 57:289, 1995, section 3.2.
FIFTEEN = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]


def test_four_of_the_fifteen_hypotheses_of_benjamini_and_hochberg_are_rejected() -> None:
    assert int(np.sum(multiplicity.benjamini_hochberg(FIFTEEN) <= 0.05)) == 4
    assert int(np.sum(np.array(FIFTEEN) * 15 <= 0.05)) == 3
    assert int(np.sum(multiplicity.holm(FIFTEEN) <= 0.05)) == 3


def test_holm_is_step_down_in_any_order_and_leaves_gaps_out() -> None:
    got = multiplicity.holm([0.03, np.nan, 0.01, 0.04])
    assert got[[0, 2, 3]].tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert np.isnan(got[1])


def test_the_p_value_of_a_difference_is_the_chi_square_test() -> None:
    theirs = stats.chi2_contingency([[56, 14], [48, 32]], correction=False).pvalue
    assert multiplicity.difference_p_value(56, 70, 48, 80) == pytest.approx(theirs)
