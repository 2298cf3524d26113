"""The provider that scripts everything, for tests and demonstrations."""
