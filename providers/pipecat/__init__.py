"""Provider ``pipecat``: a pipeline that a Pipecat server runs, reached by its websocket."""
