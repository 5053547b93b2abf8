from hypothesis import given
from hypothesis import strategies as st

from vstats_server.delivery.mailbox import Mailbox


def drain(mailbox):
    return [mailbox.take() for _ in range(len(mailbox))]


def test_values_come_out_in_the_order_in_which_they_went_in():
    mailbox = Mailbox()
    mailbox.append("first")
    mailbox.put("a", "second")
    mailbox.append("third")

    assert drain(mailbox) == ["first", "second", "third"]


def test_a_newer_value_takes_the_place_of_an_older_one_of_its_topic():
    mailbox = Mailbox()
    mailbox.put("a", "old")
    mailbox.put("a", "new")

    assert drain(mailbox) == ["new"]


def test_a_newer_value_keeps_the_turn_of_the_older_one():
    mailbox = Mailbox()
    mailbox.put("a", "old a")
    mailbox.put("b", "b")
    mailbox.put("a", "new a")

    assert drain(mailbox) == ["new a", "b"]


def test_a_value_without_a_topic_is_never_replaced():
    mailbox = Mailbox()
    for number in range(3):
        mailbox.append(number)

    assert drain(mailbox) == [0, 1, 2]


def test_a_discarded_topic_leaves_nothing_and_its_next_value_goes_to_the_end():
    mailbox = Mailbox()
    mailbox.put("a", "before")
    mailbox.append("removed")
    mailbox.discard("a")
    mailbox.put("a", "after")

    assert drain(mailbox) == ["removed", "after"]


def test_discarding_a_topic_that_does_not_wait_changes_nothing():
    mailbox = Mailbox()
    mailbox.put("a", "a")

    mailbox.discard("b")

    assert drain(mailbox) == ["a"]


def test_an_empty_mailbox_is_false():
    mailbox = Mailbox()
    assert not mailbox
    mailbox.put("a", "a")
    assert mailbox
    mailbox.take()

    assert not mailbox


# A mailbox held against a plain list of pairs.
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc")),
        st.tuples(st.just("append"), st.none()),
        st.tuples(st.just("discard"), st.sampled_from("abc")),
        st.tuples(st.just("take"), st.none()),
    ),
    max_size=60,
)


@given(operations)
def test_whatever_is_done_nothing_without_a_topic_is_lost_and_only_the_newest_of_a_topic_is_kept(
    steps,
):
    mailbox, model = Mailbox(), []

    for number, (step, topic) in enumerate(steps):
        if step == "put":
            mailbox.put(topic, number)
            turns = [place for place, (other, _) in enumerate(model) if other == topic]
            if turns:
                model[turns[0]] = (topic, number)
            else:
                model.append((topic, number))
        elif step == "append":
            mailbox.append(number)
            model.append((None, number))
        elif step == "discard":
            mailbox.discard(topic)
            model = [pair for pair in model if pair[0] != topic]
        elif model:
            assert mailbox.take() == model.pop(0)[1]
        assert len(mailbox) == len(model)

    assert drain(mailbox) == [value for _, value in model]
