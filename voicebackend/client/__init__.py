"""The library's inside: ``VoiceBackend`` and ``VoiceSession``, and how they speak HTTP and websocket.

May start servers through ``voicebackend.embedded``; knows control by its HTTP API only.
"""
