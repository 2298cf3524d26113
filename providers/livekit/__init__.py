"""LiveKit: callers come by WebRTC into a room, which the session's worker joins; engines here hear and speak."""
