"""Where the time of steps goes."""

from itertools import count

import torch

from training.step_clock import StepClock, Surprises

CPU = torch.device("cpu")


def test_each_stretch_has_its_own_time() -> None:
    moments = iter([0.0, 1.0, 3.0, 4.0, 6.0])
    clock = StepClock(CPU, now=lambda: next(moments))
    for name in ("data", "network", "data", "network"):
        clock.mark(name)
    assert clock.report(2) == "data 1000.0 network 2000.0"


def test_a_report_tells_what_came_since_the_last() -> None:
    moments = count(0.0, 0.5)
    clock = StepClock(CPU, now=lambda: next(moments))
    clock.mark("data")
    clock.report(1)
    clock.mark("data")
    clock.mark("data")
    assert clock.report(2) == "data 500.0"


def test_graphs_that_were_compiled_are_counted() -> None:
    surprises = Surprises(CPU)
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(3))
    assert surprises.report() == "graphs +1"
    assert surprises.report() == "graphs +0"
