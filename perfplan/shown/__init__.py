"""Tables and figures, a file a subject: each takes a study and says in its title what it found. `perfplan.tables` and `perfplan.figures`
are the doors."""
