"""What a process of the tests need not load; import it before anything else.

Where JupyterLab is installed, jsonschema loads a check of international addresses that compiles 38 grammars: 3 s of
each process that knows what a notebook is. Nothing here asks for that check, and without its package there is none.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # which is how an import is refused
