"""Media types of files by the ends of their names.

``mimetypes`` of the standard library reads the tables of the machine, so that one app would answer
differently on two of them; a component has no such tables.

Source: the registry of IANA, for what is served on the web.
"""

__all__ = ["OTHER", "media_type_of"]

OTHER = "application/octet-stream"

_TEXT = "; charset=utf-8"
_TYPES = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apng": "image/apng",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "css": f"text/css{_TEXT}",
    "csv": f"text/csv{_TEXT}",
    "eot": "application/vnd.ms-fontobject",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "htm": f"text/html{_TEXT}",
    "html": f"text/html{_TEXT}",
    "ico": "image/vnd.microsoft.icon",
    "ics": f"text/calendar{_TEXT}",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": f"text/javascript{_TEXT}",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "m4a": "audio/mp4",
    "map": "application/json",
    "md": f"text/markdown{_TEXT}",
    "mjs": f"text/javascript{_TEXT}",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "rss": "application/rss+xml",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "ttf": "font/ttf",
    "txt": f"text/plain{_TEXT}",
    "vtt": f"text/vtt{_TEXT}",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
}


def media_type_of(name: str) -> str:
    """Return the media type of a file by its name; ``application/octet-stream`` if unknown."""
    stem, dot, extension = name.rpartition(".")
    return _TYPES.get(extension.lower(), OTHER) if dot and stem else OTHER
