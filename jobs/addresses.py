"""Say which addresses this service may call for a client.

Rules only: nothing here resolves a name or opens a connection; `jobs/connections.py` does, and
holds every address it meets against `is_allowed`.
"""

import re
import string
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit

import idna

IPAddress = IPv4Address | IPv6Address

MAX_URL_CHARACTERS = 2048
MAX_NAME_CHARACTERS = 253  # RFC 1035, without the trailing dot
DEFAULT_PORTS = {"http": 80, "https": 443}

_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@%]+)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")  # with underscores: container and bucket names have them
# What inet_aton, and so some resolvers, read as an IPv4 address: 127.1, 0x7f.1, 2130706433.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Services that hand a machine's own credentials to whoever asks from inside it. They stay refused
# where private addresses are allowed: a client's job has no business there.
METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
METADATA_ADDRESSES = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Google, Azure and most others
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure's wire server; a public address by its number
    )
)

# What `is_global` of Python 3.11 lets through, or once did: the list must not depend on a patch
# release. IPv6 is an allow-list (2000::/3), so that mapped, compatible, local and multicast
# addresses need no entries of their own.
_GLOBAL_UNICAST = ip_network("2000::/3")  # all that IANA has given out so far
_NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this host"
        "100.64.0.0/10",  # carrier-grade NAT
        "169.254.0.0/16",  # link-local
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4: any IPv4 address, private ones too
        "3fff::/20",  # documentation
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052; its local-use sister 64:ff9b:1::/48 is not public


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes, in parts; requests are built from these, never from the text."""

    scheme: str  # http or https
    host: str  # ASCII, lower case, no trailing dot; an IPv6 address without brackets
    port: int  # 1 to 65535
    path: str  # printable ASCII, begins with a slash
    query: str  # printable ASCII, without its question mark; may hold secrets

    @property
    def authority(self) -> str:
        """The host and, unless it is the scheme's own, the port: what `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def resource(self) -> str:
        """The path and the query: what the request line says."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        """The whole address, secrets included."""
        return f"{self.scheme}://{self.authority}{self.resource}"

    @property
    def shown(self) -> str:
        """The address without its query: what logs and answers show."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def has_origin_of(self, other: "Target") -> bool:
        """Whether what is meant for one may be told to the other."""
        mine = (self.scheme, self.host, self.port)
        return mine == (other.scheme, other.host, other.port)


def parse_target(url: str) -> Target:
    """Take an address apart, strictly: what two programs could read differently is refused.

    The fragment is dropped, an international name becomes its ASCII form, and characters beyond
    ASCII in path and query are percent-encoded. Whether the host may be called is `is_allowed`'s
    to say, once it is resolved.

    Raises:
        ValueError: with a message for the client, which never repeats the address.
    """
    if len(url) > MAX_URL_CHARACTERS:
        msg = f"the address is longer than {MAX_URL_CHARACTERS} characters"
        raise ValueError(msg)
    if not url.isprintable() or " " in url or "\\" in url:
        msg = "the address holds spaces, backslashes or control characters: percent-encode them"
        raise ValueError(msg)
    try:
        parts = urlsplit(url)
    except ValueError:  # its words may repeat a password
        msg = "the address cannot be read"
        raise ValueError(msg) from None
    if parts.scheme not in DEFAULT_PORTS:
        msg = "the address must begin with http:// or https://"
        raise ValueError(msg)
    host, port = _host_and_port(parts.netloc)
    return Target(
        scheme=parts.scheme,
        host=host,
        port=DEFAULT_PORTS[parts.scheme] if port is None else port,
        path=quote(parts.path or "/", safe=string.punctuation),
        query=quote(parts.query, safe=string.punctuation),
    )


def is_allowed(ip: IPAddress, *, allow_private_addresses: bool) -> bool:
    """Whether this service may connect to an address for a client.

    Metadata services never are; everything else that is not on the public internet is when the
    operator says so.
    """
    reached = _reached(ip)
    if reached in METADATA_ADDRESSES:
        return False
    return allow_private_addresses or _is_public(reached)


def shown_url(url: str) -> str:
    """Return an address without user, query and fragment, for logs and answers; never raises."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    scheme, separator, rest = bare.partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in authority and "@" in path:  # a password with a slash in it is no path to show
        return "(unreadable address)"
    host = authority.rpartition("@")[2]
    try:
        return parse_target(f"{scheme}{separator}{host}{slash}{path}").shown
    except ValueError:
        return "(unreadable address)"


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        msg = "the address holds a user or password: send credentials as a header"
        raise ValueError(msg)
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        msg = "the address has no host, or one that cannot be read"
        raise ValueError(msg)
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        msg = "the port of the address must be between 1 and 65535"
        raise ValueError(msg)
    return _host(match["host"]), port


def _host(written: str) -> str:
    if written.startswith("["):
        return _literal(written[1:-1], IPv6Address)
    # IDNA first: it turns full-width digits and dots into plain ones.
    name = (written if written.isascii() else _idna(written)).lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _literal(name, IPv4Address)
    if len(name) > MAX_NAME_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        msg = "the address has no host, or one that cannot be read"
        raise ValueError(msg)
    if name in METADATA_NAMES:
        msg = f"{name} is a metadata service, which is never called"
        raise ValueError(msg)
    return name


def _literal(text: str, kind: type[IPv4Address] | type[IPv6Address]) -> str:
    try:
        return str(kind(text))
    except ValueError:
        msg = "the host is no IP address in its usual form, such as 203.0.113.7 or [2001:db8::7]"
        raise ValueError(msg) from None


def _idna(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        msg = "the host is no valid international name"
        raise ValueError(msg) from None


def _reached(ip: IPAddress) -> IPAddress:
    """Return the address that packets really go to."""
    if isinstance(ip, IPv4Address):
        return ip
    ip = IPv6Address(int(ip))  # without a scope, which would make it unequal to its like
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip


def _is_public(ip: IPAddress) -> bool:
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC)
