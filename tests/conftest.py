"""What holds for every test."""

import signal

import hypothesis

# A child of `nohup make test`, or of `make test &` in a script, would inherit deafness to these, and dnsmasq, its
# stand-ins and `dnsguard wait` must hear them. A handler, unlike deafness, ends with exec; this process stays deaf.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda _number, _frame: None)

# Timing bounds belong into `make bench`: a busy machine is no failure.
hypothesis.settings.register_profile("dnsguard", deadline=None)
hypothesis.settings.load_profile("dnsguard")
