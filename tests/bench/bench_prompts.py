"""Prompts: a cached get, how soon a move by another process is seen, rendering, the diff of 2,000 lines, the chain."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time

import lmops
from lmops.prompts import Prompts

ROUNDS = 2000
MOVES = 30
#: Waits for each move and says when it saw it; the clock of a machine is the same for all its processes.
WATCH = """
import sys, time, lmops
with lmops.open(sys.argv[1]) as ws:
    seen = ws.prompts.get("p@production").version
    print("ready", flush=True)
    for _ in range(int(sys.argv[2])):
        while (now := ws.prompts.get("p@production").version) == seen:
            pass
        seen = now
        print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)
"""


def micros(what, rounds=ROUNDS, clock=time.perf_counter_ns):
    """Return the median and the 99th percentile of a call in microseconds."""
    times = []
    for _ in range(rounds):
        began = clock()
        what()
        times.append((clock() - began) / 1000)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def visibility(ws):
    """Return the milliseconds from the commit of each move to the first get of another process that shows it."""
    command = [sys.executable, "-c", WATCH, str(ws.store.path), str(MOVES)]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watcher.stdout.readline()
    found = []
    for number in range(MOVES):
        ws.prompts.promote("p", 1 + (number + 1) % 2, to="production")
        done = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        found.append(max(0, int(watcher.stdout.readline()) - done) / 1e6)
    watcher.communicate()
    return found


def pair(lines):
    """Return two texts of many lines: some changed in a word, some added, removed and moved."""
    chance = random.Random(7)
    words = [f"word{number}" for number in range(400)]
    old = [" ".join(chance.choices(words, k=12)) for _ in range(lines)]
    new = [line.replace(line.split()[3], "other", 1) if chance.random() < 0.2 else line for line in old]
    new = [line for line in new if chance.random() > 0.05]
    for _ in range(lines // 20):
        new.insert(chance.randrange(len(new)), " ".join(chance.choices(words, k=12)))
    return "\n".join(old), "\n".join(new)


def main() -> None:
    """Print the figures beside what a bare look into the same file costs."""
    with lmops.open(":memory:", actor="bench") as ws:
        prompts = Prompts(ws.project)
        for number in (1, 2):
            ws.prompts.save(
                "p", f"Answer {{{{ question }}}} from {{{{ sources }}}}, take {number}.", params={"seed": number}
            )
        ws.prompts.promote("p", 1, to="production")

        def bare():
            with ws.store.reading() as con:
                con.execute("select version from prompt_aliases where name = 'p' and alias = 'production'").fetchone()

        floor = micros(bare)
        get, fixed = micros(lambda: ws.prompts.get("p@production")), micros(lambda: ws.prompts.get("p@1"))
        prompt = ws.prompts.get("p")
        render = micros(lambda: prompt.render(question="Why?", sources="x" * 2000))
        print(f"get by alias      {get[0]:7.0f} us, p99 {get[1]:5.0f} (bar 1,000; a bare look-up {floor[0]:.0f} us)")
        print(f"get by number     {fixed[0]:7.0f} us, p99 {fixed[1]:5.0f}")
        print(f"render            {render[0]:7.0f} us, p99 {render[1]:5.0f}")
        moves = visibility(ws)
        print(f"move seen after   {statistics.median(moves):7.1f} ms, most {max(moves):.1f} (bar 1,000) elsewhere")
        promote = micros(lambda: prompts.promote("p", 3 - prompts.get("p@production").version, to="production"), 200)
        print(f"promote           {promote[0] / 1000:7.1f} ms, p99 {promote[1] / 1000:.1f} (on disk before it returns)")
        for lines in (200, 2000):
            for text in pair(lines):
                ws.prompts.save(f"long{lines}", text)
            name, cpu = f"long{lines}", time.process_time_ns
            diff = micros(lambda name=name: prompts.diff(name, 1, 2), 5)
            text = micros(lambda name=name: prompts.diff(name, 1, 2).text, 5, cpu)
            page = micros(lambda name=name: prompts.diff(name, 1, 2)._repr_html_(), 5, cpu)
            figures = (
                f"{diff[0] / 1000:7.0f} ms; CPU with text {text[0] / 1000:.0f} ms, as HTML {page[0] / 1000:.0f} ms"
            )
            print(f"diff {lines:>5} lines  {figures} (bar 500)")
        verify = micros(ws.audit.verify, 5)
        print(f"verify the chain  {verify[0] / ws.audit.head().events:7.1f} us an event")


if __name__ == "__main__":
    main()
