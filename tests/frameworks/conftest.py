import pytest

from tests.frameworks.making import Company


@pytest.fixture
def company(db: None) -> Company:
    return Company()
