"""Settings: one schema, read from flags, environment and INI files, edited and documented from the same table."""
