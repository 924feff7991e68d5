"""What is worn gets the article of any other noun phrase."""

import pytest

from likeness_studio.core.prompting.read_caption import read_caption


@pytest.mark.parametrize(
    ("caption", "field", "words"),
    [
        ("a woman wearing a red hat and gold earrings", "head_covering", "wearing a red hat"),
        ("a woman wearing a red hat and gold earrings", "jewellery", "wearing gold earrings"),
        ("a man in an orange turban", "head_covering", "wearing an orange turban"),
        ("a woman with a nose ring", "jewellery", "wearing a nose ring"),
        ("a woman with earrings and a necklace", "jewellery", "wearing earrings and a necklace"),
        ("a woman with a necklace and earrings", "jewellery", "wearing a necklace and earrings"),
    ],
)
def test_articles_of_what_is_worn(caption, field, words):
    assert read_caption([caption])[field] == words
