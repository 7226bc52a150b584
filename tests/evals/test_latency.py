"""The latency of a case is the task's own: neither our imports nor a look-up."""

import asyncio
import subprocess
import sys

from lmops.models import Completion, Usage
from lmops.models._stopwatch import note_lookup, preparing, timed


def latencies(run):
    return run.df()["latency_ms"].astype(object).where(lambda column: column.notna(), None).tolist()


def test_a_recorded_answer_has_no_latency_to_judge(ws, quiet):
    """Unless production's own was recorded with it."""
    rows = [
        {"id": "1", "input": "q", "output": "a"},
        {"id": "2", "input": "p", "output": "a", "latency_ms": 120.0},
    ]
    run = quiet("recorded", rows, ["latency"])
    assert latencies(run) == [None, 120.0]
    assert run.df()["latency"].isna().tolist() == [True, False]


def test_an_answer_from_the_cache_has_no_latency_to_judge(ws, quiet):
    """Of a prompt, of a function that returns the answer, and of one that returns its text."""
    ws.prompts.save("p", "Answer: {{ question }}", model="standin:ferry-1", params={"temperature": 0})

    def asks(question):
        return ws.models.complete("standin:ferry-1", question, params={"temperature": 0}, cache=True)

    def says(question):
        return asks(question).content

    for task in ("p", asks, says):
        first = quiet(task, [{"input": f"How many dogs? {task}"}], (), cache=True)
        again = quiet(task, [{"input": f"How many dogs? {task}"}], (), cache=True)
        assert latencies(first)[0] > 0
        assert latencies(again) == [None]


def test_what_is_prepared_inside_is_left_out():
    """Also where the work goes on in another task; a look-up is told."""

    async def work():
        with preparing():
            await asyncio.sleep(0.2)
        note_lookup()

    async def main():
        await asyncio.create_task(work())

    with timed() as watch:
        asyncio.run(main())
    assert 0 <= watch.ms < 200
    assert watch.is_looked_up


def test_a_completion_that_was_cached_is_not_timed():
    """Whoever returns one."""
    from lmops.evals.answers import as_result

    found = Completion(content="a", model="m", requested_model="m", provider="p", usage=Usage(), latency_ms=3.0)
    assert as_result(found).latency_ms == 3.0
    cached = Completion(
        content="a", model="m", requested_model="m", provider="p", usage=Usage(), latency_ms=3.0, is_cached=True
    )
    assert as_result(cached).latency_ms is None


def test_a_call_is_timed_after_its_imports(tmp_path):
    """The clock of the first call of a process starts when the client is there."""
    code = f"""
import sys, lmops
from lmops.models import _calls
ws = lmops.open({str(tmp_path / "s")!r})
ws.models.register("m", base_url="http://127.0.0.1:9/v1", model="m")
real, began = _calls.Calls._answer, []
async def answer(self, call, span):
    began.append("openai.resources.chat.completions" in sys.modules)
    return await real(self, call, span)
_calls.Calls._answer = answer
try:
    ws.models.complete("m", "q", max_wait_s=0)
except lmops.LmopsError:
    print(began)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[True]\n"
