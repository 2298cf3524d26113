"""Engines made of other engines: when one dies, hangs or refuses in the middle of a call, the next goes on with it."""
