"""Rails that score: scorers, judges, models, classifiers of one's own labels, and packages of others.

Each has the option ``threshold``: what reaches it is found. They flag; a policy lets them block once a card says what
they wrongly stop.
"""

from __future__ import annotations

from lmops.guardrails.scored import adapters as adapters
from lmops.guardrails.scored import asked as asked
from lmops.guardrails.scored import classifier as classifier
from lmops.guardrails.scored import judged as judged
