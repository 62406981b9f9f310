"""How findings are told: to a person, and to a program."""

from dnsguard.core.findings import Finding, Look, in_words, report

FINDING = Finding("dnsmasq-stopped", "dnsmasq does not run", "nobody answers", "systemctl start dnsmasq")
WELL, BAD = Look("clock", "it is right"), Look("dnsmasq", "no PID file", (FINDING,))


def test_each_line_of_a_healthy_host_says_ok() -> None:
    """It shows what was looked at, so that nobody wonders what was not."""
    assert "ok   clock        it is right\n\nall is well\n" == in_words((WELL,))


def test_finding_stands_below_its_part_with_the_mend_in_a_line_of_its_own() -> None:
    """So that it can be taken with the mouse, at three in the morning."""
    assert (
        "ok   clock        it is right\n"
        "BAD  dnsmasq      no PID file\n"
        "     dnsmasq-stopped: dnsmasq does not run\n"
        "     why:  nobody answers\n"
        "     mend: systemctl start dnsmasq\n"
        "\n"
        "1 finding; mend the first, as root, and ask again\n"
    ) == in_words((WELL, BAD))


def test_report_is_what_the_manual_page_says() -> None:
    """Version 1: its keys are a promise."""
    assert {
        "version": 1,
        "well": False,
        "looks": [
            {"part": "clock", "seen": "it is right", "well": True},
            {"part": "dnsmasq", "seen": "no PID file", "well": False},
        ],
        "findings": [
            {
                "part": "dnsmasq",
                "code": "dnsmasq-stopped",
                "what": "dnsmasq does not run",
                "why": "nobody answers",
                "mend": "systemctl start dnsmasq",
            }
        ],
    } == report((WELL, BAD))
    assert report((WELL,))["well"]
