"""What only governance refuses, in words."""


class GoneError(Exception):
    """A link opens nothing (any more); pages answer 410 with why."""
