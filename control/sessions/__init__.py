"""Sessions as control keeps them: the record and its one writer, slots and the queue for them, the log."""
