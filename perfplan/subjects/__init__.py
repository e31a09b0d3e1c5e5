"""What readers ask: a file a subject, with its rule, its numbers as plain records, and its items of the checklist. No tables, no
figures."""
