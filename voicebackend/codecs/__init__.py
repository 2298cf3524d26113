"""How callers' audio travels: each codec is pure, one direction of one stream at a time, and knows no socket."""

from voicebackend.codecs.codec import Codec, Encoding
from voicebackend.codecs.opening import open_codec

__all__ = ["Codec", "Encoding", "open_codec"]
