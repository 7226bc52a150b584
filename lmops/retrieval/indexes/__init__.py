"""An index of one's own: documents are cut, embedded and counted, kept in files of the store, and searched."""
