"""What people read, and what it is made from: log codes, manual pages, completions. The daemon imports none of it."""
