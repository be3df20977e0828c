"""Where a question can be asked: the only I/O. Each module holds the only import of its library."""
