"""Whether targets of the routing table take calls: judged by what workers announce and by what becomes of calls."""
