"""Which Azure we talk to: the public one, US Government, or a simulated one on this machine.

The endpoints are those of azure-serial-console.md 5; China is absent because no source names its gateway. A cloud is
either wholly on loopback or not at all, so that no real token can reach a simulator's gateway and no simulated VM can
stand behind a real endpoint.
"""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from serialfix.errors import Bug, UsageError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Cloud:
    """The endpoints of one Azure.

    ``arm``: URL without a trailing slash. ``scope``: what a token is asked for. ``gateway_suffix``: the only host, or
    the only domain, that a serial gateway may have. ``ca``: file with the certificate authority to trust instead of
    the system's. ``authority``: host where people sign in.
    """

    name: str
    arm: str
    scope: str
    gateway_suffix: str
    ca: str | None = None
    authority: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.arm)
        if parts.scheme != "https" or not parts.hostname:
            raise Bug(f"ARM is spoken over https only, not at {self.arm!r}")
        if (parts.hostname in LOOPBACK) != (self.gateway_suffix in LOOPBACK):
            raise Bug(f"cloud {self.name!r} is partly on this machine and partly not")

    @property
    def simulated(self) -> bool:
        """Whether this Azure runs on this machine."""
        return urlsplit(self.arm).hostname in LOOPBACK

    def ssl_context(self) -> ssl.SSLContext:
        """A context that checks certificates, for everything but ARM (which gets ``ca`` by name).

        Raises ``UsageError`` where the file of ``ca`` cannot be read.
        """
        try:
            return ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as problem:
            raise UsageError(
                f"The certificate authority in {self.ca} cannot be read: {problem}.",
                why="A simulator removes that file when it ends.",
                advice="Start the simulator again with: serialfix simulate",
            ) from problem


PUBLIC = Cloud(
    name="public",
    arm="https://management.azure.com",
    scope="https://management.azure.com/.default",
    gateway_suffix="serialconsole.azure.com",
    authority="login.microsoftonline.com",
)
US_GOVERNMENT = Cloud(
    name="usgov",
    arm="https://management.usgovcloudapi.net",
    scope="https://management.usgovcloudapi.net/.default",
    gateway_suffix="serialconsole.azure.us",
    authority="login.microsoftonline.us",
)
CLOUDS = {cloud.name: cloud for cloud in (PUBLIC, US_GOVERNMENT)}
