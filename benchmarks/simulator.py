"""Events a second of the simulator against SimPy and Ciw, on M/M/3 and on five stations in a row, in one run.

    pip install simpy ciw
    python benchmarks/simulator.py

An event is an arrival from outside or the end of a service. Compile time is stated apart. Aim: 30 times SimPy, 100 times Ciw.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from perfplan.models.simulate import Arrivals, Draw, Free, Pool, Seize, Spend, simulate

RATE, SERVERS, SERVICE_S = 2.4, 3, 1.0


def ours(stations: int, requests: int) -> int:
    """Our events."""
    steps = tuple(step for i in range(stations) for step in (Seize(str(i)), Spend(Draw.exponential(SERVICE_S)), Free(str(i))))
    return simulate(
        {str(i): Pool(servers=SERVERS) for i in range(stations)}, {"all": (1.0, steps)}, Arrivals(rates=[RATE]), requests
    ).events


def with_simpy(stations: int, requests: int) -> int:
    """SimPy's, written as its documentation does."""
    import simpy

    env, draw, events = simpy.Environment(), random.Random(1), [0]
    desks = [simpy.Resource(env, capacity=SERVERS) for _ in range(stations)]

    def request():  # type: ignore[no-untyped-def]
        for desk in desks:
            with desk.request() as turn:
                yield turn
                yield env.timeout(draw.expovariate(1 / SERVICE_S))
                events[0] += 1

    def source():  # type: ignore[no-untyped-def]
        for _ in range(requests):
            yield env.timeout(draw.expovariate(RATE))
            events[0] += 1
            env.process(request())

    env.process(source())
    env.run()
    return events[0]


def with_ciw(stations: int, requests: int) -> int:
    """Ciw's."""
    import ciw

    net = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(RATE), *[None] * (stations - 1)],
        service_distributions=[ciw.dists.Exponential(1 / SERVICE_S)] * stations,
        number_of_servers=[SERVERS] * stations,
        routing=[[float(j == i + 1) for j in range(stations)] for i in range(stations)],
    )
    ciw.seed(1)
    run = ciw.Simulation(net)
    run.simulate_until_max_time(requests / RATE)
    return len(run.get_all_records()) + requests


def speed(function: Callable[[int, int], int], stations: int, requests: int) -> float:
    """Events a second of CPU."""
    start = time.process_time()
    events = function(stations, requests)
    return events / (time.process_time() - start)


def main() -> int:
    """Measure and print."""
    start = time.process_time()
    ours(1, 10)
    print(f"first call, machine code made or read back included: {time.process_time() - start:.1f} s CPU")
    for stations in (1, 5):
        own = speed(ours, stations, 2_000_000 // stations)
        for name, peer, requests in (("SimPy", with_simpy, 40_000), ("Ciw", with_ciw, 10_000)):
            other = speed(peer, stations, requests // stations)
            print(f"{stations} stations: {own / 1e6:.1f} million events a second, {own / other:.0f} x {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
