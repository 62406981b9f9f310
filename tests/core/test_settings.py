"""Twin of dnsguard/core/settings.py."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.errors import SettingsError
from dnsguard.core.settings import Settings, parse
from dnsguard.core.vocabulary import Standby, ZoneDown


def test_an_empty_file_means_the_defaults() -> None:
    """Nobody has to configure anything."""
    assert Settings() == parse("")


def test_what_is_said_counts_and_the_rest_keeps_its_default() -> None:
    """One key changes one thing."""
    settings = parse('[guard]\nrise = 5\ninterval_s = 2\nstandby = "no"\n[dnsmasq]\naddress = "::1"\n')

    assert (5, 2.0, Standby.NO) == (settings.policy.rise, settings.policy.interval_s, settings.policy.standby)
    assert "::1" == settings.policy.dnsmasq_address
    assert Settings().policy.fall == settings.policy.fall


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("rise = = 3\n", "not-toml", "line 1"),
        ("[guards]\nrise = 1", "unknown-section", "f.toml:1: there is no [guards]; there are paths"),
        ("guard = 3", "wrong-type", "written [guard]"),
        ("[guard]\n\nrice = 3", "unknown-key", "f.toml:3: [guard] has no key 'rice'; it has standby, rise"),
        ("[guard]\ndnsmasq_address = 3", "unknown-key", "f.toml:2"),
        ("[guard]\nrise = 3.5", "wrong-type", "f.toml:2: rise = 3.5; it must be a whole number"),
        ("[guard]\nrise = true", "wrong-type", "a whole number"),
        ('[guard]\ninterval_s = "1"', "wrong-type", "a number of seconds"),
        ("[guard]\nrise = 0", "out-of-range", "rise = 0; it must be from 1 to 100"),
        ("[guard]\ninterval_s = nan", "out-of-range", "from 0.001 to 86400"),
        ("[guard]\ninterval_s = -1", "out-of-range", "from 0.001"),
        ('[guard]\nstandby = "perhaps"', "not-a-choice", "one of auto, yes, no"),
        ("[guard]\nstandby = true", "not-a-choice", "one of auto, yes, no"),
        ('[dnsmasq]\naddress = "localhost"', "not-an-address", "an IPv4 or IPv6 address"),
        ("[dnsmasq]\nport = 65536", "out-of-range", "from 1 to 65535"),
        ('[dnsmasq]\nunit = "a/b"', "not-a-choice", "a unit's name"),
        ("[dnsmasq]\nunit = 7", "wrong-type", "a text in quotes"),
        ('[paths]\nstatus = "status.json"', "not-a-path", "begins with /"),
        ('[paths]\nmetrics = "metrics.prom"', "not-a-path", "begins with /"),
        ('[paths]\nstatus = ""', "not-a-path", "begins with /"),
        ('[paths]\nother_sources = "/a"', "wrong-type", "a list of texts"),
        ("[paths]\nother_sources = [1]", "wrong-type", "a text in quotes"),
        ('[health]\nquestions = ["intranet.example"]', "not-a-question", "a name and a type"),
        ('[log]\nlevel = "loud"', "not-a-choice", "one of debug, info, warning, error"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_mend(text: str, code: str, hint: str) -> None:
    """File, line, key, and what would be right."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "f.toml")

    assert code == caught.value.code
    assert hint in str(caught.value)


def test_metrics_can_be_switched_off() -> None:
    """It is the only path that nothing hangs on."""
    assert "" == parse('[paths]\nmetrics = ""\n').paths.metrics


def test_a_dotted_or_inline_key_is_found_as_well() -> None:
    """TOML can be written in other ways."""
    with pytest.raises(SettingsError, match=r"f\.toml:2:"):
        parse("\nguard.rise = 0\n", "f.toml")
    with pytest.raises(SettingsError, match=r"f\.toml:1:"):
        parse("guard = { rise = 0 }\n", "f.toml")


@given(st.text())
def test_no_text_is_anything_but_settings_or_a_settings_error(text: str) -> None:
    """Nothing else may come out at an operator's reload."""
    with suppress(SettingsError):
        assert isinstance(parse(text), Settings)


_values = st.recursive(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.sampled_from(['"x"', '"/x"', '"yes"', "1979-05-27"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(
    st.sampled_from(["paths", "dnsmasq", "health", "guard", "log", "other"]),
    st.sampled_from(["rise", "standby", "address", "port", "questions", "level", "status", "interval_s", "other"]),
    _values,
)
def test_no_value_is_anything_but_settings_or_a_settings_error(section: str, key: str, value: object) -> None:
    """The same, for files that are TOML."""
    written = str(value).replace("True", "true").replace("False", "false").replace("'", "")
    with suppress(SettingsError):
        assert isinstance(parse(f"[{section}]\n{key} = {written}\n"), Settings)


@pytest.mark.parametrize("text", [". SOA", "intranet.example A", "intranet.example A = 10.0.0.7", "a.b TXT = x=y z"])
def test_a_question_may_say_what_must_be_answered(text: str) -> None:
    """Split DNS is proved by an address, not by any answer."""
    assert (text,) == parse(f"[health]\nquestions = ['{text}']").health.questions


@pytest.mark.parametrize("text", ["intranet.example A =", "intranet.example = 10.0.0.7", "= 10.0.0.7"])
def test_half_a_question_is_none(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(f"[health]\nquestions = ['{text}']")

    assert "not-a-question" == caught.value.code


def test_two_questions_a_minute_leave_the_host_however_many_there_are() -> None:
    """Three questions are asked together, and a third as often."""
    three = parse('[health]\nquestions = [". SOA", "a.example A", "b.example A"]').policy

    assert (90.0, 30.0) == (three.forward_interval_s, parse("[health]\nquestions = []").policy.forward_interval_s)
    assert ZoneDown.FLIP is parse('[guard]\nzone_down = "flip"').policy.zone_down
