"""Telephone calls by SIP: a user agent server that is pure, its sockets, and what it is told to do."""
