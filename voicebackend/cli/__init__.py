"""The command line ``voicebackend``. Starts the other processes as processes and imports none of them."""
