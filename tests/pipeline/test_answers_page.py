"""The page of examples is what the service answers."""

from docs.answers import PAGE, Examples, filled, lasting, names_in
from tallygate.local.world import World


def test_the_examples_of_the_page_are_what_the_service_answers(world: World) -> None:
    page = PAGE.read_text()
    examples = Examples(world).all()
    assert names_in(page) == examples.keys(), "every example stands in the page"
    assert lasting(filled(page, examples)) == lasting(page), "make answers"
