"""Arguments in messages are written as the caller passes them."""

import threading

from prrt_estimators._arguments import OR_PASS, UNSET, keyword, or_pass, parameter, spelt


def test_python_is_the_default():
    assert keyword("event", None) == "event=None"
    assert keyword("event", "PFS event (event=1)") == "event='PFS event (event=1)'"
    assert (keyword("event"), parameter("event")) == ("event=", "`event`")


def test_a_spelling_holds_within_its_block_and_its_thread():
    seen = []
    with spelt(lambda name, value: f"<{name}>" if name == "event" and value is UNSET else None):
        assert (keyword("event"), parameter("event"), keyword("lab")) == ("<event>", "<event>", "lab=")
        other = threading.Thread(target=lambda: seen.append(keyword("event")))
        other.start()
        other.join()
    assert [*seen, keyword("event")] == ["event=", "event="]


def test_another_way_is_named_only_to_a_caller_who_has_it():
    assert or_pass("weight_kg") == ", or pass `weight_kg`"
    with spelt(lambda name, value: "" if value is OR_PASS else None):
        assert (or_pass("weight_kg"), keyword("event")) == ("", "event=")
