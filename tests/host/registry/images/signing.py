"""Signatures as cosign writes them, made with ``cryptography`` and put into a test registry.

In: a registry, the digest of an image and a private key. Nothing of ``edgezero_spin`` is used.
"""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.host.registry.oci_server import IMAGE_MANIFEST, Registry, digest_of

__all__ = ["BUNDLE", "PAYLOAD", "add_bundle", "add_signatures", "claim", "public_pem", "statement"]

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
EMPTY = "application/vnd.oci.empty.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"

Key = ec.EllipticCurvePrivateKey


def public_pem(key: Key) -> bytes:
    """A public key as cosign.pub has it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claim(digest: str, kind: str = "cosign container image signature") -> bytes:
    """The payload for an image (SIG-4)."""
    image = {"docker-manifest-digest": digest}
    identity = {"docker-reference": "localhost/acme/shop"}
    critical = {"identity": identity, "image": image, "type": kind}
    return json.dumps({"critical": critical, "optional": None}).encode()


def add_signatures(
    registry: Registry,
    digest: str,
    *layers: tuple[bytes, Key | bytes | str],
    repository: str = "acme/shop",
    media_type: str = PAYLOAD,
) -> None:
    """Sign in the form of cosign 1 and 2: a layer for each payload (SIG-2, SIG-3).

    Args:
        layers: Each payload with the key that signs it, its signature in DER, or the text that
            stands for one.
    """
    values = []
    for payload, by in layers:
        signature = by.sign(payload, ec.ECDSA(SHA256())) if isinstance(by, Key) else by
        text = signature if isinstance(signature, str) else base64.b64encode(signature).decode()
        blob = registry.add_blob(payload, media_type)
        values.append({**blob, "annotations": {SIGNATURE: text}})
    registry.add_manifest(repository, digest.replace(":", "-") + ".sig", _manifest(values))


def statement(digest: str, predicate: str = "https://sigstore.dev/cosign/sign/v1") -> bytes:
    """What a bundle says of an image (SIG-9)."""
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    kind = "https://in-toto.io/Statement/v1"
    return json.dumps({"_type": kind, "subject": subject, "predicateType": predicate}).encode()


def add_bundle(
    registry: Registry,
    digest: str,
    key: Key,
    payload: bytes,
    *,
    written: bytes | None = None,
    payload_type: str = "application/vnd.in-toto+json",
    repository: str = "acme/shop",
) -> None:
    """Sign in the form of cosign 3 (SIG-8, SIG-9).

    Args:
        written: What stands in the bundle, where it is not what was signed.
    """
    name = payload_type.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)
    signature = key.sign(signed, ec.ECDSA(SHA256()))
    envelope = {
        "payload": base64.b64encode(payload if written is None else written).decode(),
        "payloadType": payload_type,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    bundle = json.dumps({"mediaType": BUNDLE, "dsseEnvelope": envelope}).encode()
    manifest = {
        **_manifest([registry.add_blob(bundle, BUNDLE)]),
        "artifactType": BUNDLE,
        "subject": {"mediaType": IMAGE_MANIFEST, "digest": digest, "size": 1},
    }
    content = json.dumps(manifest).encode()
    registry.manifests[repository, digest_of(content)] = content
    entry = {"mediaType": IMAGE_MANIFEST, "digest": digest_of(content), "size": len(content)}
    if registry.lists_referrers:
        registry.referrers.setdefault(digest, []).append({**entry, "artifactType": BUNDLE})
    else:
        # As cosign 2.6 writes it: the type is that of the configuration.
        index = {"schemaVersion": 2, "manifests": [{**entry, "artifactType": EMPTY}]}
        registry.add_manifest(repository, digest.replace(":", "-"), index)


def _manifest(layers: list[dict[str, Any]]) -> dict[str, Any]:
    config = {"mediaType": EMPTY, "digest": digest_of(b"{}"), "size": 2}
    return {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "config": config,
        "layers": layers,
    }
