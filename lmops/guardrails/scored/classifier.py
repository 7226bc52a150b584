"""A linear classifier of one's own labels as a rail: trained by scikit-learn, kept as JSON, read by nothing but this.

What it weighs are words and pairs of words, so its file holds words of the texts it learnt from. It is measured on
other texts than those: on its own it looks better than it is.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import MissingDependencyError, UsageError
from lmops.guardrails._cases import cases_of
from lmops.guardrails.contract import Finding, Given, Rail, made, rail
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.datasets import Example

_FORMAT: Final = "lmops.classifier/1"
_WORD: Final = re.compile(r"[^\W_]+")
_MAX_TERMS: Final = 50_000
_MAX_BYTES: Final = 20_000_000
#: Fewer texts of either kind teach nothing.
_LEAST: Final = 20


class Model(NamedTuple):
    """What a classifier weighs.

    Args:
        weights: By word or pair of words its inverse document frequency and its coefficient.
        intercept: What a text without any of them begins with.
    """

    weights: Mapping[str, tuple[float, float]]
    intercept: float

    def score(self, text: str) -> float:
        """Return how likely there is something in a text, 0 to 1, as far as its words say."""
        counts = Counter(term for term in terms(text) if term in self.weights)
        parts = [((1 + math.log(n)) * self.weights[term][0], self.weights[term][1]) for term, n in counts.items()]
        norm = math.sqrt(sum(tfidf * tfidf for tfidf, _ in parts)) or 1.0
        at = self.intercept + sum(tfidf * coefficient for tfidf, coefficient in parts) / norm
        return 1 / (1 + math.exp(-at)) if at > -700 else 0.0


@rail(is_score=True)
def classifier(given: Given, *, file: str, sha256: str, threshold: float = 0.5) -> Iterable[Finding]:
    """How likely there is something in a text, by a classifier that learnt from labels: ``ws.guardrails.train``."""
    score = _loaded(file, sha256).score(given.text)
    return [Finding(0, len(given.text), "classified", score)] if score >= threshold else []


def train(examples: Sequence[Example], file: str | os.PathLike[str]) -> Rail:
    """Learn from labelled texts, write what was learnt, and return the rail; see :meth:`Guardrails.train`."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingDependencyError.of("scikit-learn", "guardrails") from error

    known = [one for one in cases_of(examples) if one.is_attack is not None]
    truth = [bool(one.is_attack) for one in known]
    if min(sum(truth), len(truth) - sum(truth)) < _LEAST:
        raise UsageError(
            f"a classifier learns from {_LEAST} texts of either kind at least: there are {sum(truth):,} with something "
            f"in them and {len(truth) - sum(truth):,} ordinary ones"
        )
    vectors = TfidfVectorizer(analyzer=terms, sublinear_tf=True, min_df=2, max_features=_MAX_TERMS)
    matrix = vectors.fit_transform([one.text for one in known])
    fitted = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1_000).fit(matrix, truth)
    found = zip(vectors.get_feature_names_out(), vectors.idf_, fitted.coef_[0], strict=True)
    body = {
        "format": _FORMAT,
        "intercept": float(fitted.intercept_[0]),
        "n": len(known),
        "n_attacks": sum(truth),
        "weights": {term: [round(float(idf), 6), round(float(weight), 6)] for term, idf, weight in found},
    }
    data = json.dumps(body, ensure_ascii=False, sort_keys=True, allow_nan=False).encode("utf-8", "surrogatepass")
    Path(file).write_bytes(data)
    return made("classifier", {"file": os.fspath(file), "sha256": hashlib.sha256(data).hexdigest()})


def terms(text: str) -> list[str]:
    """Return the words of a text and the pairs of words that follow each other."""
    words = _WORD.findall(text.lower())
    return [*words, *map(" ".join, itertools.pairwise(words))]


@functools.lru_cache(maxsize=8)
def _loaded(file: str, sha256: str) -> Model:
    """Return what was learnt, once it is known to be what the policy means.

    Raises:
        UsageError: The file is not there, is another one, or holds something else.
    """
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the classifier {plain_line(file, 200)} cannot be read: {type(error).__name__}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UsageError(f"the classifier {plain_line(file, 200)} is not the one that the policy was saved with")
    found: Any = json.loads(data.decode("utf-8", "surrogatepass"))
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise UsageError(f"{plain_line(file, 200)} holds no classifier")
    return Model({term: (idf, weight) for term, (idf, weight) in found["weights"].items()}, found["intercept"])
