"""Where a telephone call goes: a table that is compiled once, and decisions that are pure functions of it."""
