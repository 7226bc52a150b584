"""``lmops``: the nouns and verbs of a workspace for shells, CI and schedulers.

Exit codes: 0 pass, 1 fail, 2 usage or refused, 3 inconclusive.
"""

from __future__ import annotations

import click

from lmops.cli.build import Noun
from lmops.cli.demo import demo
from lmops.cli.erase import erase
from lmops.cli.ingest import collect, ingest
from lmops.cli.label import label
from lmops.cli.look import search, show, sql
from lmops.cli.printing import speak_plainly
from lmops.cli.trust import trust
from lmops.cli.word import word


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lmops")
def main() -> None:
    """Operate LLM applications on one local store: traces, prompts, evaluations, runbooks, audit.

    Exit codes: 0 pass, 1 fail, 2 usage or refused, 3 inconclusive.
    """
    speak_plainly()


for one in (demo, ingest, collect, label, search, show, sql, erase, trust, word):
    main.add_command(one)
for name, room, said in (
    ("trace", "traces", "Figures over traces; read or price them again."),
    ("prompt", "prompts", "Save, compare, release and roll back prompts."),
    ("dataset", "datasets", "Versions of examples, from files and from traces."),
    ("model", "models", "Endpoints, prices, one answer of a model."),
    ("feedback", "feedback", "What users say of answers."),
    ("queue", "queues", "What people label: queues, labels, decisions."),
    ("label-schema", "label_schemas", "What people are asked when they label."),
    ("judge", "judges", "Versions of judges: compare, release and roll back."),
    ("incident", "incidents", "What went wrong, what is done about it, whether it is over."),
    ("route", "routes", "Which prompt and model answers whom, and switches."),
    ("guardrails", "guardrails", "Policies that check what is asked and answered, and switches."),
    ("eval", "evals", "Run evaluations, compare runs, and gate on them."),
    ("redteam", "redteam", "Attack a prompt or a function, report what gets through, and gate on it."),
    ("retrieval", "retrieval", "What is found: settings in versions, indexes, measurements, what changed."),
    ("tool", "tools", "What models may call: tools in versions, policies, recordings, quality."),
    ("tool-policy", "tool_policies:POLICIES", "Which calls of tools are made, refused, or wait for a yes."),
    ("monitor", "monitors", "Watch production: score its traces as they come."),
    ("runbook", "runbooks", "Run notebooks as repeatable runbooks."),
    ("sink", "sinks", "Who is told of alerts."),
    ("audit", "audit", "The audit chain: who changed what."),
    ("store", "store", "Look after the store."),
):
    module, _, commands = room.partition(":")
    main.add_command(Noun(name, f"lmops.cli.{module}:{commands or 'COMMANDS'}", said))
