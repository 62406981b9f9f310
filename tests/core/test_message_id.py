"""A code keeps its MESSAGE_ID over all versions."""

from dnsguard.core.message_id import message_id


def test_a_message_id_never_changes() -> None:
    """Catalogues and saved searches name it; these were computed when the codes were new."""
    assert "74e5aecc5dcb55848218b3bcb771ff72" == message_id("phase-changed")
    assert "c0c1725c93bb59129dfd640302871d8d" == message_id("dnsmasq-failed")


def test_another_code_has_another_id() -> None:
    """128 bits as journald wants them: lower case, no dashes."""
    one, other = message_id("guarded"), message_id("direct")

    assert one != other
    assert 32 == len(one) == len(other)
    assert set(one + other) <= set("0123456789abcdef")
