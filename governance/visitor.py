"""The person behind a request."""

from django.http import HttpRequest

from frameworks.models import User


def visitor(request: HttpRequest) -> User:
    """The person that the login check or the admin let in, typed."""
    if not isinstance(request.user, User):
        raise TypeError("this page is for people who are logged in")
    return request.user
