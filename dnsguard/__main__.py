"""`python -m dnsguard` is `dnsguard`."""

from dnsguard.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
