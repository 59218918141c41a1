"""Password rules of this site beside Django's own."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError


class CompanyWordsValidator:
    """Refuse a password that is little more than the product's or the company's name: attackers try those first."""

    def validate(self, password: str, user: Any = None) -> None:
        left = password.casefold()
        for word in ("cutline", *settings.COMPANY_NAME.casefold().split()):
            if len(word) > 2:
                left = left.replace(word, "")
        if len(left) < 6 and left != password.casefold():
            raise ValidationError("This is too close to the company's or the product's name.", code="company_word")

    def get_help_text(self) -> str:
        return "Your password can't be little more than the company's or the product's name."
