"""How every remote side is reached: one connection pool, one set of deadlines, retries, breakers and error codes."""
