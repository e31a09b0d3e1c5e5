"""Backlogs that overflow: against exact chains in the long run, the simulator in the short, and the fluid far from what is served."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfplan.models.simulate import Arrivals, Draw, Free, Pool, Seize, Spend, simulate
from perfplan.models.stations.birthdeath import BirthDeath, overflow


@pytest.mark.parametrize("rho", [0.95, 1.0, 1.1, 1.5])
def test_in_the_long_run_it_is_the_loss_of_a_queue_with_room(rho: float) -> None:
    exact = BirthDeath.with_room(100 * rho, 0.01, 1, 101).prob_block  # M/M/1/K: one at work, a hundred wait
    assert overflow(100 * rho, 100, 100 * (1 + min(rho, 1)), 100, 1e5) == pytest.approx(exact, rel=0.08)


@pytest.mark.parametrize(("arrivals", "scv"), [(259.0, 1.0), (259.0, 0.0), (275.0, 1.0), (400.0, 0.0)])
def test_in_a_burst_it_is_what_the_simulator_refuses(arrivals: float, scv: float) -> None:
    served, servers, room, lasts = 250.0, 4, 127, 10.0
    work = Draw.exponential(servers / served) if scv else Draw.constant(servers / served)
    pools, steps = {"queue": Pool(servers=servers, room=room)}, (Seize("queue"), Spend(work), Free("queue"))
    runs = [
        simulate(pools, {"all": (1.0, steps)}, Arrivals(rates=[arrivals]), int(1.3 * arrivals * lasts) + 200, seed=seed)
        for seed in range(60)
    ]
    shares = [float(np.isnan(run.response_s[run.start_s < lasts]).mean()) for run in runs]
    error = 3 * float(np.std(shares)) / len(shares) ** 0.5
    assert overflow(arrivals, served, arrivals + scv * served, room, lasts) == pytest.approx(float(np.mean(shares)), abs=error, rel=0.03)


@given(st.floats(2, 20), st.floats(10, 1e4), st.floats(1, 100))
def test_far_above_it_is_the_fluid(times: float, room: float, lasts: float) -> None:
    served = 1000.0
    fluid = max(0.0, (times - 1) * served * lasts - room) / (times * served * lasts)
    assert overflow(times * served, served, 1e-3 * served, room, lasts) == pytest.approx(fluid, abs=0.02)


@given(st.floats(50, 200), st.floats(1, 500), st.floats(1, 100))
def test_more_room_refuses_nobody_more(arrivals: float, room: float, lasts: float) -> None:
    few, many = (overflow(arrivals, 100, arrivals + 100, places, lasts) for places in (room, 2 * room))
    assert 0 <= many <= few + 1e-9 <= 1 + 1e-9


def test_nobody_comes_or_no_time() -> None:
    assert overflow(0, 100, 1, 10, 10) == overflow(100, 100, 1, 10, 0) == overflow(100, 1e6, 200, 1000, 10) == 0
