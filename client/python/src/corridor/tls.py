"""The key of a node, looked at before anything is sent to it.

Certificates of nodes are signed by themselves; what counts is the hash of the public key, and that
whoever answers can sign with it. gRPC for Python cannot pin a key, so the certificate is fetched in
a handshake of its own, which proves possession of its key, compared with the pin, and is then the
only one that the connection trusts.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .errors import Unreachable, WrongKey
from .limits import CONNECT_SECONDS
from .protocol.primitives import domain_hash, id_text


@dataclass(frozen=True)
class Certificate:
    """A certificate of the pinned key."""

    pem: bytes
    name: str
    """A name in it, under which the connection asks for it."""


def pinned_certificate(
    address: str, server_key: str, seconds: float = CONNECT_SECONDS
) -> Certificate:
    """The certificate that the node at `address` shows now, within so many seconds.

    Raises `WrongKey` unless it is of the key whose hash is `server_key`, and `Unreachable`.
    """
    try:
        certificate = x509.load_der_x509_certificate(_shown(address, seconds))
        key = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        if id_text(domain_hash("tls-key", key)) != server_key:
            raise WrongKey(address)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        dns = names.value.get_values_for_type(x509.DNSName)
        return Certificate(certificate.public_bytes(Encoding.PEM), dns[0])
    except TimeoutError:
        what = f"no answer within {seconds:g} seconds"
    except ssl.SSLError:
        what = "no secure connection could be made"
    except OSError:
        what = "nothing answers there"
    except (ValueError, LookupError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        what = "its certificate has no known form"
    raise Unreachable(address, what)


def _shown(address: str, seconds: float) -> bytes:
    """The certificate that a server shows and can sign with, DER."""
    # Not for trust: for the handshake alone, in which TLS 1.3 proves possession of the key.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    with socket.create_connection((host, int(port)), timeout=seconds) as tcp:
        with context.wrap_socket(tcp) as tls:
            return tls.getpeercert(binary_form=True) or b""
