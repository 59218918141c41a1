"""What can go wrong in accounts, in words for the person who caused it."""


class AccountsError(Exception):
    """Base of the app's errors."""


class RunConflictError(AccountsError):
    """The run is not in a state in which this can be done."""


class LeaseLostError(AccountsError):
    """Another worker took the chunk over; what was done here is rolled back."""
