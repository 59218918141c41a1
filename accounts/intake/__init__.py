"""From a file to accounts: reading, mapping, staging, checking and applying. Services decide when."""
