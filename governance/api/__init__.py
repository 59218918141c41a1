"""What guards the REST API: parsing, tokens, scopes, repeated requests, problems; and this app's resources."""
