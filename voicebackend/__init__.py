"""The contracts: what users import and every process agrees on.

Pure data and functions; only ``client``, ``channel``, ``publisher``, ``remote``, ``embedded`` and ``cli`` do I/O.
Imports nothing of ``providers``, ``worker`` or ``control``.
"""
