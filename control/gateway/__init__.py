"""The gateway: callers' websockets on one side, lanes and this process's inbox on the other.

``voicebackend.playout`` and ``uplink`` are pure and in seconds; ``caller`` and ``handshake`` speak the protocol of
``voicebackend.events``; ``gateway`` knows all callers of the process. Nothing here keeps a session alive.
"""
