"""Policies of tools as versioned artefacts: content, aliases, files, and what is live."""

import pytest

from lmops.errors import NotFoundError, UsageError

RULES = [
    {"deny": "refund", "when": {"$.amount": {">": 100}}, "role": "agent", "name": "big refunds"},
    {"ask": ["send_mail", "call_*"], "from": ["retrieved"], "reason": "it may be dictated"},
    {"rewrite": "search", "when": {"$.k": {">": 50}}, "set": {"$.k": 50}},
    {"allow": "search_*", "calls": {"<": 20}},
]


@pytest.fixture
def policies(ws):
    """The policies, with one."""
    found = ws.tools.policies
    found.save("support", RULES)
    return found


def test_the_same_content_is_the_same_version(policies):
    """However it is written; an order that is another one is another content."""
    again = [{**RULES[0], "role": ["agent"]}, *RULES[1:]]
    assert policies.save("support", again, default="deny").version == 1
    assert policies.save("support", RULES[::-1]).version == 2
    assert policies.save("support", RULES, default="allow", dry_run=True).version == 3
    assert list(policies.versions("support")["version"]) == [2, 1]


def test_a_difference_is_a_line_a_rule(policies):
    """The rule that changed, and nothing else."""
    changed = [{**RULES[0], "when": {"$.amount": {">": 500}}}, *RULES[1:]]
    policies.save("support", changed)
    lines = [line for line in policies.diff("support", 1, 2).splitlines()[2:] if not line.startswith("@")]
    assert [line.split(":")[0] for line in lines] == ["-big refunds", "+big refunds"]
    assert policies.diff("support", 1, 1) == ""


def test_a_moved_alias_is_another_decision_at_once(policies):
    """And a rollback is the one before."""
    policies.save("support", [{"allow": "*"}], reason="all")
    policies.promote("support", 1, to="production")

    def decides():
        return policies.check("support@production", "refund", {"amount": 500}, role="agent").action

    assert decides() == "deny"
    policies.promote("support", 2, to="production")
    assert decides() == "allow"
    policies.rollback("support", reason="too much")
    assert decides() == "deny"
    assert policies.check("support@2", "refund").policy == "support@2"
    with pytest.raises(NotFoundError):
        policies.decider("suport")


def test_files_and_policies_are_brought_together_without_loss(policies, tmp_path):
    """A file that is changed is a new version; one that is wrong names its line."""
    policies.sync(tmp_path)
    file = tmp_path / "support.yaml"
    text = file.read_text()
    file.write_text(text.replace("'>': 100", "'>': 500"))
    policies.sync(tmp_path)
    assert policies.get("support").rules[0].when == {"$.amount": {">": 500}}
    assert policies.get("support").rules[1:] == policies.get("support@1").rules[1:]
    file.write_text(file.read_text().replace("from:", "form:"))
    report = policies.sync(tmp_path)
    assert "rules[1]" in report.text
    assert "did you mean 'from'" in report.text


def test_a_policy_shows_its_rules(policies):
    """In text and in HTML, each on its line, escaped."""
    policies.save("odd", [{"deny": "<b>", "name": "<script>$x$"}])
    found = policies.get("odd")
    assert "<script>" not in found._repr_html_()
    assert "deny" in found.text
    assert "big refunds" in policies.get("support").text


def test_a_name_must_be_one(policies):
    """As of all that has versions."""
    with pytest.raises(UsageError):
        policies.save("a@b", RULES)
