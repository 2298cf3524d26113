"""Media streams: what carriers send and take over a call's websocket. Pure but for ``carrier_socket``."""
