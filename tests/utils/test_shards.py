"""The shards of a list are even, miss nothing and share nothing."""

from itertools import chain

import pytest

from orelib.utils.allowed import SettingsError
from orelib.utils.shards import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
@pytest.mark.parametrize("length", [0, 1, 7, 10])
def test_shards_are_even_and_each_item_is_in_one(length, count):
    items = list(range(length))
    shards = [Shard(number, count).of(items) for number in range(1, count + 1)]
    assert sorted(chain.from_iterable(shards)) == items
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    for number, shard in enumerate(shards, start=1):
        assert shard == [item for item in items if Shard(number, count).holds(item)]


def test_a_shard_is_read_from_a_text_and_shown_as_one():
    assert Shard.parse("2/8") == Shard(2, 8)
    assert str(Shard.parse("02/08")) == "2/8"
    assert Shard(2, 3).of("abcdefgh") == "beh"


@pytest.mark.parametrize(
    "text",
    ["0/8", "9/8", "0/0", "-1/8", "1/-8", "8", "1/", "/8", "1/8/8", "1 / 8", "one/two", "1.0/8", "", "²/3", "1" * 5000],
)
def test_other_texts_are_refused(text):
    with pytest.raises(SettingsError, match=r"^shard=.* must be K/N, whole numbers with 1 <= K <= N, such as 1/8$"):
        Shard.parse(text)


@pytest.mark.parametrize(("number", "count"), [(0, 1), (2, 1), (True, 1), (1.0, 2), ("1", "2")])
def test_other_numbers_are_refused(number, count):
    with pytest.raises(SettingsError, match="must be K/N"):
        Shard(number, count)
