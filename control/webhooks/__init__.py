"""What vendors tell us over HTTP: proven by their signatures, understood, and acted on once."""
