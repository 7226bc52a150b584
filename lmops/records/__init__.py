"""What rooms that keep records do alike: who acts and when, rows that change with their event, versions, references."""

from lmops.base.public import only
from lmops.records.aliases import Tables
from lmops.records.change import Change
from lmops.records.contents import ContentFile, content_text, read_content, write_content
from lmops.records.evidence import Proof, is_confirmed, verdict_digest
from lmops.records.filed import ContentFiling, Filed
from lmops.records.kinds import Kind, Row, Version, told
from lmops.records.live import Live, seen_at_once
from lmops.records.moves import Move, moves_view
from lmops.records.noted import NotedRuns
from lmops.records.project import Project
from lmops.records.refs import LATEST, Ref, check_word, text_hash
from lmops.records.states import FREE, States
from lmops.records.switches import Switches, switch_reason
from lmops.records.sync import Sync
from lmops.records.sync_report import SyncReport
from lmops.records.versioned import Versioned
from lmops.records.versions import Versions
from lmops.records.words import check_words

__all__ = [
    "FREE",
    "LATEST",
    "Change",
    "ContentFile",
    "ContentFiling",
    "Filed",
    "Kind",
    "Live",
    "Move",
    "NotedRuns",
    "Project",
    "Proof",
    "Ref",
    "Row",
    "States",
    "Switches",
    "Sync",
    "SyncReport",
    "Tables",
    "Version",
    "Versioned",
    "Versions",
    "check_word",
    "check_words",
    "content_text",
    "is_confirmed",
    "moves_view",
    "read_content",
    "seen_at_once",
    "switch_reason",
    "text_hash",
    "told",
    "verdict_digest",
    "write_content",
]
__dir__ = only(__all__)
