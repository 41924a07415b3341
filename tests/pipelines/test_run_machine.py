"""Deliveries, runs, kills, restatements, rebuilds in any order: what stands is always one run's, whole, and the right one.

Hypothesis plays an operator with bad luck over a bare run (`tests/faults/bare_run.py`); the model of what ought to stand is a list of
deliveries. Real kills of the whole job are the harness's.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipelines.ledger import SIGHTINGS, LedgerDamaged
from pipelines.publish import publication
from pipelines.settings import Settings
from tests.faults.bare_run import FINDING_ABOVE, Claims, dying_at, run, shown, write_delivery

CLAIMS = st.dictionaries(
    st.sampled_from(["c1", "c2", "c3", "c4"]), st.integers(50, 150), min_size=1, max_size=3
)
CALLS = st.integers(0, 60)
FIRST = date(2025, 3, 1)


def expected(deliveries: dict[date, Claims], as_of: date) -> Claims:
    """The newest statement about each claim among what was received by a day."""
    stands: Claims = {}
    for received in sorted(deliveries):
        if received <= as_of:
            stands |= deliveries[received]
    return stands


class Operator(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.settings = Settings(out=self.folder / "out", memory_limit="200MB", threads=1)
        self.sent: dict[date, tuple[Path, Claims]] = {}
        self.landed: dict[date, Claims] = {}
        self.stands: tuple[date, Claims] | None = None
        self.sightings = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def send(self, claims: Claims) -> date:
        received = FIRST + timedelta(days=len(self.sent))
        self.sent[received] = (write_delivery(self.folder / received.isoformat(), claims), claims)
        return received

    def half_made(self) -> dict[str, int]:
        """What lies where publications are made, with its size: a run that was killed leaves it there until the next one begins."""
        return {str(path): path.stat().st_size for path in self.settings.building.rglob("*")}

    def look_at_landing(self) -> None:
        found = [
            json.loads(path.read_text())["received_date"]
            for path in self.settings.landing.glob("batch-*/manifest.json")
        ]
        now = {date.fromisoformat(day): self.sent[date.fromisoformat(day)][1] for day in found}
        assert self.landed.items() <= now.items(), "a batch is gone"
        self.landed = now

    def went_through(self, as_of: date) -> None:
        self.look_at_landing()
        self.stands = (as_of, expected(self.landed, as_of))
        assert shown(self.settings) == self.stands
        assert not self.settings.building.exists() and not list(self.settings.landing.glob("incoming-*"))
        self.ledger_holds_what_stands()

    def ledger_holds_what_stands(self) -> None:
        assert self.stands is not None
        as_of, claims = self.stands
        newest = sorted((self.settings.ledger / SIGHTINGS).glob(f"{as_of}.*.parquet"))[-1]
        with duckdb.connect() as con:
            held = con.execute(
                f"select finding_id from read_parquet('{newest}') where kind = 'shown' order by 1"
            ).fetchall()
        assert held == [(f"f-{name}",) for name, paid in sorted(claims.items()) if paid > FINDING_ABOVE]

    @initialize(claims=CLAIMS)
    def first_month(self, claims: Claims) -> None:
        received = self.send(claims)
        run(self.settings, self.sent[received][0], received)
        self.went_through(received)

    @rule(claims=CLAIMS)
    def a_delivery_goes_through(self, claims: Claims) -> None:
        """New claims, and other amounts for known ones: a restatement."""
        received = self.send(claims)
        run(self.settings, self.sent[received][0], received)
        self.went_through(received)

    @rule(claims=CLAIMS, call=CALLS)
    def a_run_is_killed(self, claims: Claims, call: int) -> None:
        received = self.send(claims)
        with dying_at(call):
            run(self.settings, self.sent[received][0], received)
        self.killed()

    @rule(call=CALLS)
    def a_rebuild_is_killed(self, call: int) -> None:
        with dying_at(call):
            run(self.settings, None, None)
        self.killed()

    def killed(self) -> None:
        """What stood still stands, or what the dead run would have shown does."""
        self.look_at_landing()
        newest = max(self.landed)
        now = shown(self.settings)
        assert now in (self.stands, (newest, expected(self.landed, newest)))
        self.stands = now

    @rule()
    def the_same_is_run_again(self) -> None:
        run(self.settings, None, None)
        self.went_through(max(self.landed))

    @rule(choice=st.randoms(use_true_random=False))
    def a_delivery_comes_a_second_time(self, choice) -> None:
        received = choice.choice(sorted(self.landed))
        run(self.settings, self.sent[received][0], received)
        self.went_through(max(self.landed))

    @rule(choice=st.randoms(use_true_random=False))
    def an_earlier_day_is_built_again(self, choice) -> None:
        day = choice.choice(sorted(self.landed))
        run(self.settings, None, None, as_of=day)
        self.went_through(day)

    @rule()
    def the_warehouse_is_damaged_and_built_anew(self) -> None:
        self.settings.warehouse.resolve().write_bytes(b"no database")
        run(self.settings, None, None)
        self.went_through(max(self.landed))

    @rule()
    def the_ledger_is_lost_and_restored(self) -> None:
        """Nothing is built without what it held; whether the last run got as far as entering it or not."""
        if not publication.is_remembered(self.settings) or publication.is_given_up(self.settings):
            return
        backup = self.settings.ledger.rename(self.folder / "backup")
        left = self.half_made()
        with pytest.raises(LedgerDamaged, match="restore it from the backup"):
            run(self.settings, None, None)
        assert self.half_made() == left, "built without the ledger"
        backup.rename(self.settings.ledger)

    @invariant()
    def one_run_stands_and_the_ledger_only_grows(self) -> None:
        if self.stands is not None:
            assert shown(self.settings) == self.stands
        count = len(list((self.settings.ledger / SIGHTINGS).glob("2*.parquet")))
        assert count >= self.sightings
        self.sightings = count


# A step lands and publishes: few of them, and none to make a failing example smaller, which takes minutes and is short anyway.
FEW = settings(
    max_examples=6,
    stateful_step_count=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestOperator = Operator.TestCase
TestOperator.settings = FEW


@FEW
@given(st.lists(CLAIMS, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_a_chain_of_deliveries_ends_as_one_build_of_all_in_whatever_order_they_were_landed(
    sent: list[Claims], chance
) -> None:
    from pipelines.extracts.landing import land

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        days = [FIRST + timedelta(days=31 * number) for number in range(len(sent))]
        folders = [write_delivery(folder / f"{day}", claims) for day, claims in zip(days, sent, strict=True)]
        chain, once = (
            Settings(out=folder / name, memory_limit="200MB", threads=1) for name in ("chain", "once")
        )
        for day, delivery in zip(days, folders, strict=True):
            run(chain, delivery, day)
        in_some_order = list(zip(days, folders, strict=True))
        chance.shuffle(in_some_order)
        for day, delivery in in_some_order:
            land(delivery, once, format="practice", received=day)
        run(once, None, None)
        # the same delivery sent twice is one batch of the day that it first came
        assert shown(chain) == shown(once) or len({json.dumps(one, sort_keys=True) for one in sent}) < len(
            sent
        )
