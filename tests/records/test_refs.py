"""One grammar of references for everything that has versions."""

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.records import Ref
from lmops.records.refs import check_alias, split_ref

REFS = {
    "golden": Ref("golden"),
    "golden@latest": Ref("golden"),
    " golden@3 ": Ref("golden", version=3),
    "golden@production": Ref("golden", alias="production"),
    "golden@sha256:ab12": Ref("golden", hash_prefix="sha256:ab12"),
}


@pytest.mark.parametrize(("ref", "found"), REFS.items())
def test_a_reference_is_taken_apart(ref, found):
    """A name, and what of it: the newest, a number, an alias, a hash."""
    assert split_ref(ref) == found


@pytest.mark.parametrize("ref", ["golden@", 7, None, ["golden"], "golden@sha256:xy", "golden@sha256:ab"])
def test_what_is_no_reference_is_refused(ref):
    """With what would be one."""
    with pytest.raises(UsageError, match=r"write 'name', 'name@3'|hex digits after sha256"):
        split_ref(ref)


@pytest.mark.parametrize("alias", ["3", "latest", "sha256", "Upper", "", "a@b", None])
def test_an_alias_is_no_other_word_for_a_version(alias):
    """A number, a hash and "latest" mean versions."""
    with pytest.raises(UsageError, match="cannot be the name of an alias"):
        check_alias(alias)


@pytest.mark.parametrize("noun", ["prompts", "datasets"])
def test_every_noun_reads_the_same_grammar(ws, noun):
    """By each kind of reference the one version, and in the same words what is not there."""
    things = getattr(ws, noun)
    saved = things.save("one", "hello" if noun == "prompts" else [{"input": "a"}])
    things.promote("one", 1, to="production")
    tag = saved.hash.removeprefix("sha256:")[:8]
    for ref in ("one", "one@latest", "one@1", "one@production", f"one@sha256:{tag}", "one@01"):
        assert things.get(ref).ref == "one@1"
    said = {
        "two": r"known: one \(ws\.\w+\.list\(\) shows all\)",
        "one@2": r"one has no version 2: there is version 1 only \(one@1 is the newest\)",
        "one@prod": "did you mean 'production'",
        "one@sha256:0000": "no version of one has a hash that starts with sha256:0000",
    }
    for ref, words in said.items():
        with pytest.raises(NotFoundError, match=words):
            things.get(ref)


@pytest.mark.parametrize("noun", ["prompts", "datasets"])
def test_listings_have_the_same_columns(ws, noun):
    """Frames, newest first; what a room says of its things comes beside."""
    things = getattr(ws, noun)
    for text in ("a", "b"):
        things.save("one", text if noun == "prompts" else [{"input": text}], note=f"with {text}")
    frame = things.versions("one")
    shared = ["version", "hash", "parent", "aliases", "is_current", "created_at", "author", "note"]
    assert [name for name in frame.columns if name in shared] == shared
    assert frame[["version", "is_current", "note"]].to_numpy().tolist() == [[2, True, "with b"], [1, False, "with a"]]
    assert [things.get(f"one@{version}").hash for version in frame["version"]] == frame["hash"].tolist()
    with pytest.raises(NotFoundError, match="list\\(\\) shows all"):
        things.versions("two")
