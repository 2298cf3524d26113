"""The sound of telephone calls: RTP in and out, paced, and a caller's socket that stands for it."""
