"""The streaming worker: holds lanes, runs the sessions pinned in them, and nothing else.

May import ``voicebackend`` and ``providers``; never ``control``, whose tasks it names and does not load.
"""
