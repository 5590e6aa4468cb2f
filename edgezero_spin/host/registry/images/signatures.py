"""Signatures of images, as cosign makes them with a key.

In: the digest of an image's manifest, the repository it is in, and public keys. Out: nothing,
or a ``SignatureError``. Both forms of cosign are read: a payload and its signature at the tag
``sha256-<hex>.sig`` (cosign 1 and 2), and a bundle that refers to the image (cosign 3). One good
signature by one of the keys suffices, whatever else is there.

Certificates (signing without a key) and transparency logs are not looked at: the key decides.

Source: contract services.md, SIG-1 to SIG-10 and SIG-12; spin-host.md, OCI-51; cosign's
SIGNATURE_SPEC and BUNDLE_SPEC; DSSE 1.0.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgezero_spin.host.registry.images.references import ImageError
from edgezero_spin.host.registry.repository import Blob, OciRepository, small_blob
from edgezero_spin.manifest.decoding import decode_json
from edgezero_spin.manifest.spin import FetchError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = ["KeySource", "PublicKey", "SignatureError", "check_signatures", "load_keys"]

KeySource = str | Path | bytes
"""A public key: the path of its file, or what is in one."""

MAX_SIGNATURE_BYTES = 1024 * 1024
"""Most bytes of a payload or a bundle."""

MAX_SIGNATURES = 256
"""Signatures of one image that are tried."""

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE_TYPES = (
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)
# What cosign 2 writes into the index of a registry that keeps no list of referrers.
_UNTOLD = ("", "application/vnd.oci.empty.v1+json")
_SIGNATURE = "dev.cosignproject.cosign/signature"
_PAYLOAD_KIND = "cosign container image signature"
_STATEMENT_TYPE = "application/vnd.in-toto+json"
_PREDICATE = "https://sigstore.dev/cosign/sign/v1"


class SignatureError(ImageError):
    """An image is not signed by any of the keys that were given, or a key cannot be used."""

    def __str__(self) -> str:
        return f"cannot verify {self.reference}: {self.problem}"


@attrs.frozen
class PublicKey:
    """A key that signatures are checked with.

    Attributes:
        name: What messages call it: its file.
        key: ECDSA on the curve P-256, as cosign makes keys.
    """

    name: str
    key: "EllipticCurvePublicKey" = attrs.field(repr=False)

    def is_good(self, signature: bytes, signed: bytes) -> bool:
        """Whether a signature (DER) of some bytes is this key's (SIG-5)."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self.key.verify(signature, signed, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def load_keys(sources: KeySource | Iterable[KeySource], *, reference: str) -> tuple[PublicKey, ...]:
    """Read public keys, before anything is asked of a registry.

    Args:
        sources: One key or several; none at all is refused, as it would check nothing.
        reference: The image that they are for, for errors.

    Raises:
        SignatureError: One cannot be read, or is not an ECDSA key on P-256 in PEM.
    """
    several = [sources] if isinstance(sources, KeySource) else list(sources)
    if not several:
        raise SignatureError(reference, "no key was given to verify it with")
    try:
        return tuple(map(_load_key, several))
    except FetchError as error:
        raise SignatureError(reference, str(error)) from error


def check_signatures(
    repository: OciRepository, digest: str, keys: Sequence[PublicKey], *, reference: str
) -> None:
    """Make sure that one of some keys signed an image.

    Args:
        repository: Where the image and its signatures are.
        digest: Of the image's manifest, which was checked against its content.
        reference: The image, for errors.

    Raises:
        SignatureError: None of them did.
        FetchError: The registry cannot be asked.
    """
    faults: list[str] = []
    found = 0
    for check in (_simple_signatures, _bundles):
        for fault in check(repository, digest, keys):
            found += 1
            if fault is None:
                return
            faults.append(fault)
            if found >= MAX_SIGNATURES:
                break
    names = ", ".join(key.name for key in keys)
    if not faults:
        raise SignatureError(reference, f"no signatures found for {digest} in its repository")
    raise SignatureError(
        reference,
        f"no matching signatures for {digest} by {names}: {'; '.join(dict.fromkeys(faults[:5]))}",
    )


def _simple_signatures(
    repository: OciRepository, digest: str, keys: Sequence[PublicKey]
) -> Iterator[str | None]:
    """Yield what is wrong with each signature of cosign 1 and 2, ``None`` for a good one."""
    manifest = repository.find_manifest(f"{digest.replace(':', '-')}.sig")
    if manifest is None:
        return
    document = decode_json(manifest.content)
    for layer, value in zip(manifest.layers, document.get("layers", ()), strict=False):
        annotations = value.get("annotations")
        text = annotations.get(_SIGNATURE) if isinstance(annotations, dict) else None
        if layer.media_type != PAYLOAD_TYPE or not isinstance(text, str):
            yield f"a layer of type {layer.media_type} is not a signature"
            continue
        try:
            payload = _content(repository, layer)
            signature = _decoded(text)
        except FetchError as error:
            yield str(error)
            continue
        if any(key.is_good(signature, payload) for key in keys):
            yield _payload_fault(payload, digest)
        else:
            yield "a signature is of another key, or its payload was changed"


def _payload_fault(payload: bytes, digest: str) -> str | None:
    """Return what a payload says that is not so; nothing of it is read before it is verified."""
    critical = _at(_json(payload), "critical")
    signed = _at(critical, "image", "docker-manifest-digest")
    if _at(critical, "type") != _PAYLOAD_KIND:
        return "a payload is not a cosign claim about an image"
    return None if signed == digest else f"a signature is for another image, {signed}"


def _bundles(
    repository: OciRepository, digest: str, keys: Sequence[PublicKey]
) -> Iterator[str | None]:
    """Yield what is wrong with each bundle of cosign 3, ``None`` for a good one."""
    for referrer in repository.referrers(digest):
        if referrer.artifact_type not in (*BUNDLE_TYPES, *_UNTOLD):
            continue
        try:
            manifest = repository.manifest(referrer.digest)
            for layer in manifest.layers:
                if layer.media_type in BUNDLE_TYPES:
                    yield _bundle_fault(_json(_content(repository, layer)), digest, keys)
        except FetchError as error:
            yield str(error)


def _bundle_fault(bundle: object, digest: str, keys: Sequence[PublicKey]) -> str | None:
    """Return what is wrong with a bundle; its statement is read once it is verified."""
    envelope = _at(bundle, "dsseEnvelope")
    kind, body = _at(envelope, "payloadType"), _at(envelope, "payload")
    signatures = _at(envelope, "signatures")
    if not (isinstance(kind, str) and isinstance(body, str) and isinstance(signatures, list)):
        return "a bundle has no envelope with a signature"
    payload = _decoded(body)
    name = kind.encode()
    # What is signed names the length of either part (DSSE, "PAE").
    signed = b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)
    texts = [text for each in signatures if isinstance(text := _at(each, "sig"), str)]
    if not any(key.is_good(_decoded(text), signed) for text in texts for key in keys):
        return "a bundle is of another key, or was changed"
    statement = _json(payload)
    if kind != _STATEMENT_TYPE or _at(statement, "predicateType") != _PREDICATE:
        return "a bundle says something else than that an image was signed"
    subjects = _at(statement, "subject")
    named = [_at(each, "digest", "sha256") for each in subjects or () if isinstance(each, dict)]
    if digest.removeprefix("sha256:") in named:
        return None
    return f"a bundle is for another image, {', '.join(map(str, named)) or 'none'}"


def _content(repository: OciRepository, blob: Blob) -> bytes:
    if blob.size > MAX_SIGNATURE_BYTES:
        raise FetchError(f"a signature of {blob.size} bytes is refused")
    return small_blob(repository, blob, "a signature")


def _at(value: object, *names: str) -> Any:
    """Return what is at a place in a JSON value, ``None`` where nothing is."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _json(content: bytes) -> object:
    try:
        return decode_json(content)
    except ValueError:
        return None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise FetchError("a signature is not base64") from error


def _read_key(source: KeySource) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        return "the key", source
    try:
        return str(source), Path(source).read_bytes()
    except OSError as error:
        raise FetchError(f"the key {source} cannot be read: {error.strerror}") from error


def _load_key(source: KeySource) -> PublicKey:
    name, content = _read_key(source)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise FetchError(
            "signatures need the extra `signatures`: pip install 'edgezero-spin[signatures]'"
        ) from error
    if b"PRIVATE KEY" in content:
        raise FetchError(f"{name} is a private key; give the public one, cosign.pub")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FetchError(f"{name} is not a public key in PEM, such as cosign.pub") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise FetchError(f"{name} is not an ECDSA key on the curve P-256, as cosign makes them")
    return PublicKey(name, key)
