"""The pages of examples are what the service answers."""

from docs.answers import PAGES, Examples, filled, lasting, names_in
from tallygate.local.world import World


def test_the_examples_of_the_pages_are_what_the_service_answers(world: World) -> None:
    pages = [page.read_text() for page in PAGES]
    examples = Examples(world).all()
    assert set().union(*map(names_in, pages)) == examples.keys(), "every example stands in a page"
    for page in pages:
        assert lasting(filled(page, examples)) == lasting(page), "make answers"
