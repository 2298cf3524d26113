"""How each carrier dials, hangs up, transfers and tells what it knows of a call that we made."""
