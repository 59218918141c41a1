"""The REST resources of accounts, assignments and their changes."""
