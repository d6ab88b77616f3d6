// Stands in for a room that has no source file of its own.
