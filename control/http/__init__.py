"""The HTTP API: routes, their errors as problems, and the document that describes them. Decides nothing by itself."""
