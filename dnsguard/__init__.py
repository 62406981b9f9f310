"""dnsguard: /etc/resolv.conf names only servers that work, whatever the local dnsmasq does."""

__version__ = "0.1.0"
