"""The errors that dnsguard raises on purpose, by fault, each with a stable code."""


class DnsguardError(Exception):
    """Something an operator can read and act upon.

    Attributes:
        code: stable, kebab-case; told of in pages/codes.toml with what to do.
        text: what is wrong, where, and what to do next.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class SettingsError(DnsguardError):
    """The operator must change dnsguard.toml; restarting will not help."""


class LinkError(DnsguardError):
    """/etc/resolv.conf cannot be attached or detached as it stands; nothing was changed."""


class RecordError(DnsguardError):
    """A recorded decision cannot be read back."""
