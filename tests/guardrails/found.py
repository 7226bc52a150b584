"""What a rail finds in a text, in words that tests compare."""

from lmops.guardrails import Given, made


def found(rail, text, stage="output", context=None, **options):
    """Return (kind, the text found) of each finding, in order."""
    findings = made(rail, options).find(Given(text=text, stage=stage, context=context or {}))
    return [(one.kind, text[one.start : one.end]) for one in findings]


def kinds(rail, text, stage="output", context=None, **options):
    """Return the kinds of what is found, in order."""
    return [kind for kind, _ in found(rail, text, stage, context, **options)]
