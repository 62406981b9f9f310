"""What holds for every test."""

import signal

import hypothesis

# A child of `nohup make test` would inherit deafness to it, and dnsmasq and its stand-ins must hear it. A handler,
# unlike deafness, ends with exec; and this process goes on as nohup promised.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)

# Timing bounds belong into `make bench`: a busy machine is no failure.
hypothesis.settings.register_profile("dnsguard", deadline=None)
hypothesis.settings.load_profile("dnsguard")
