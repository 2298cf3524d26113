"""What the library and the development stack start as processes of their own, and end with themselves.

Starts programs by name only; imports nothing of what it starts.
"""
