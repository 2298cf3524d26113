"""Sessions as control keeps them: the record and its one writer, placement, the log, the reaper."""
