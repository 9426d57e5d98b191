"""Would a mistake in the oracle, a checker or a claim's condition go unnoticed? Each is made once, and a unit test
must fail that passes without it."""

import functools

import pytest
from mutations import PARTS
from noticing import UnitTests

MISTAKES = [
    pytest.param(part, name, change.__name__, id=f"{part}-{name}-{change.__name__}")
    for part, of in PARTS.items()
    for name, changes in of.mistakes.items()
    for change in changes
]


@pytest.fixture(scope="module")
def unit_tests(tmp_path_factory):
    tests = UnitTests(tmp_path_factory.mktemp("noticing"))
    yield tests
    tests.close()


@pytest.fixture(scope="module")
def fails_without_mistake(unit_tests):
    return functools.cache(unit_tests.failure_without_mistake)


@pytest.mark.parametrize("part", PARTS)
def test_there_is_a_mistake_for_each(part):
    assert {name for name, mistakes in PARTS[part].mistakes.items() if mistakes} == PARTS[part].names


@pytest.mark.parametrize(("part", "name", "mistake"), MISTAKES)
def test_a_mistake_is_noticed(unit_tests, fails_without_mistake, part, name, mistake):
    noticed = unit_tests.first_failure(part, name, mistake)
    assert noticed, "no unit test fails"
    test, _ = noticed
    assert fails_without_mistake(test) is None
