"""An incident on a page."""
