"""The calculator: its numbers against closed forms and published tables, its errors, its notebook."""

import json
import math
import re

import numpy as np
import pytest

from perfplan.models.stations.scalability import Usl
from perfplan.reading import BadScenario
from perfplan.workbook import calculating
from tests.conftest import ROOT


def number(answer, name):
    """The first number of a row."""
    text = next(value for key, value in answer.numbers.items() if name in key)
    return float(re.search(r"[\d.,]+", text)[0].replace(",", ""))


@pytest.mark.parametrize(("erlangs", "lines"), [(30, 42), (100, 117), (10, 18), (5, 11)])
def test_lines_for_one_percent_lost_are_those_of_the_published_tables(erlangs, lines):
    """Erlang B tables, 1 % (for example Siemens, Telephone traffic theory: tables and charts, 1970)."""
    answer = calculating.erlang(f"{erlangs} rps", "1s", "50", "1%")
    assert number(answer, "at most 1") == lines


def test_erlang_c_of_a_textbook():
    """Three erlang on five servers: 0.2362 wait (Gross et al. 2008, eq. 2.33 and 2.49)."""
    answer = calculating.erlang("3 rps", "1s", "5", "1%")
    assert number(answer, "Erlang C") == pytest.approx(23.6, abs=0.05)
    assert number(answer, "Erlang B") == pytest.approx(11.0, abs=0.05)


def test_waits_of_one_server_are_the_closed_form():
    """M/M/1 at a half: the response is exponential with twice the mean; 95 of 100 within ln 20 of it."""
    answer = calculating.waits("5 rps", "100ms", "1")
    assert number(answer, "Mean wait") == pytest.approx(100)
    assert f"{200 * math.log(20):.0f}" in answer.numbers["Response p50 / p95 / p99"]


def test_waits_of_varying_services_are_pollaczeks_and_khinchines():
    """M/G/1: rho s (1 + scv) / 2 / (1 - rho)."""
    answer = calculating.waits("5 rps", "100ms", "1", service_varies="2")
    assert number(answer, "Mean wait") == pytest.approx(100 * (1 + 4) / 2, rel=0.01)


def test_waits_of_regular_arrivals_are_those_of_gi_m_1():
    """E4/M/1 at 0.8: sigma solves sigma = (4 rho' / (4 rho' + 1 - sigma))^4, the transform of the gaps at mu (1 - sigma)."""
    mu, rate = 10.0, 8.0
    sigma = 0.5
    for _ in range(200):
        sigma = (4 * rate / (4 * rate + mu * (1 - sigma))) ** 4
    answer = calculating.waits("8 rps", "100ms", "1", arrivals_vary="0.5")
    assert number(answer, "P(wait)") == pytest.approx(100 * sigma, rel=0.005)
    assert number(answer, "Mean wait") == pytest.approx(1e3 * sigma / (mu * (1 - sigma)), rel=0.01)


def test_points_of_a_law_give_the_law():
    loads = np.array([1.0, 2, 4, 8, 16, 32, 64])
    answer = calculating.scaling(list(loads), list(Usl(alpha=0.02, beta=0.0005, gamma=500.0).throughput(loads)))
    assert number(answer, "alpha") == pytest.approx(0.02, rel=0.01)
    assert number(answer, "Highest throughput at") == pytest.approx(math.sqrt(0.98 / 0.0005), rel=0.01)


def test_a_cache_of_everything_hits_everything():
    assert number(calculating.cache("1M", "1kB", "1GB", "0.8"), "Hit ratio") == pytest.approx(100)


def test_the_pool_is_the_smallest_that_is_enough():
    """P(wait > t) = C exp(-(c mu - lambda) t), by hand for one more and one fewer."""
    rps, hold, limit = 800.0, 0.012, 0.005

    def late(c):
        a = rps * hold
        b = 1.0
        for k in range(1, c + 1):
            b = a * b / (k + a * b)
        return b / (1 - a / c * (1 - b)) * math.exp(-(c / hold - rps) * limit)

    enough = int(number(calculating.pool("800 rps", "12ms", "5ms"), "Connections"))
    assert late(enough) <= 0.01 < late(enough - 1)


def test_the_budget_and_burn_rates_are_the_workbooks():
    """Three nines over 30 days: 43.2 minutes; 14.4, 6 and 1 (The Site Reliability Workbook, table 5-2)."""
    answer = calculating.budget("99.9%")
    assert number(answer, "Error budget") == 43.2
    assert [number(answer, name) for name in ("in 1 h", "in 6 h", "in 72 h")] == [14.4, 6.0, 1.0]


def test_users_of_one_server_are_the_machine_repair_model():
    """M/M/1 with N users: P(empty) = 1 / sum N!/(N - n)! (s/Z)^n; throughput = (1 - P(empty)) / s; R = N/X - Z."""
    n, z, s = 10, 2.0, 0.3
    empty = 1 / sum(math.perm(n, k) * (s / z) ** k for k in range(n + 1))
    throughput = (1 - empty) / s
    answer = calculating.users("10", "2s", "300ms")
    assert number(answer, "Throughput") == pytest.approx(throughput, rel=0.005)
    assert f"{n / throughput - z:.3g}" in answer.numbers["Mean response"] or number(answer, "Mean response") == pytest.approx(
        n / throughput - z, rel=0.005
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: calculating.waits("120", "25ms", "4"), "arrivals: must be a rate such as"),
        (lambda: calculating.waits("400 rps", "25ms", "4"), "servers: must be more than the 10 that are busy on average; got 4"),
        (lambda: calculating.waits("100 rps", "25ms", "4", "30", "0.1"), "service_varies, arrivals_vary: "),
        (lambda: calculating.scaling([1, 2], [1, 2]), "loads, throughputs: must have 3 different loads"),
        (lambda: calculating.budget("100%"), "availability: must be less than 100%"),
        (lambda: calculating.users("1M", "5s", "80ms"), "online: must be at most 2,000"),
        (lambda: calculating.erlang("1M rps", "1h", "5", "0.1%"), "at_most: must be reachable with 100,000 servers"),
        (lambda: calculating.cache("<script>", "2kB", "2GB"), "items: must be a count"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(call, said):
    with pytest.raises(BadScenario) as error:
        call()
    assert said in str(error.value)


def test_an_answer_is_a_sentence_numbers_and_a_figure():
    for answer in (calculating.erlang("30 rps", "1s", "40", "1%"), calculating.users("20", "1s", "20ms", "2")):
        assert answer.figure.layout.title.text
        assert len(answer.figure.data) >= 1
        markup = answer._repr_mimebundle_()["text/html"]
        assert all(value in markup for value in (answer.model, *answer.numbers.values()))


def test_the_notebook_asks_every_answer():
    text = json.dumps(json.loads((ROOT / "notebooks" / "calculator.ipynb").read_text()))
    for name in ("erlang", "waits", "scaling", "cache", "pool", "budget", "users"):
        assert f"calculating.{name}(" in text


def test_as_many_servers_are_tried_as_is_said():
    assert number(calculating.erlang("90k rps", "1s", "95000", "1%"), "at most 1") > 80_000
    assert "never fires" in calculating.budget("90%").numbers["Page: 2 % in 1 h".replace("2 %", "2\N{NO-BREAK SPACE}%")]
