"""What rooms that keep records do alike: who acts and when, rows that change with their event, references."""

from lmops.records.change import Change
from lmops.records.project import Project
from lmops.records.refs import LATEST, Ref, split_ref
from lmops.records.words import check_words

__all__ = ["LATEST", "Change", "Project", "Ref", "check_words", "split_ref"]
