"""Pure functions: facts of one trace, intervals. Standard library and numpy only, no I/O, no clock."""
