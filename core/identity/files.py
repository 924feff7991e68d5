"""Save and load a person: safetensors with metadata, written only where the user says, never a pickle."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import IdentityFileInvalid
from .enrollment import Identity

FORMAT = "likeness-identity/1"
SUFFIX = ".safetensors"


def save_identity(identity: Identity, path: Path) -> Path:
    """Write an identity to `path` (the suffix .safetensors is added), whole or not at all. Returns the path."""
    path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "format": FORMAT,
        "engine": identity.engine,
        "photos": str(identity.photos),
        "name": identity.name,
        "agreement": json.dumps(identity.agreement),
    }
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        save_file({"embedding": torch.from_numpy(identity.embedding.astype(np.float32))}, part, metadata)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    os.chmod(path, 0o600)  # noqa: PTH101 - biometric data is for its owner only
    return path


def load_identity(path: Path) -> Identity:
    """Read what `save_identity` wrote. IdentityFileInvalid for anything else."""
    if not path.is_file():
        raise IdentityFileInvalid(f"There is no saved identity at {path}; check the name.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise IdentityFileInvalid(
                    f"{path.name} is not an identity that Likeness Studio saved "
                    f"(its format is {metadata.get('format', 'not given')!r}); save one with Save Identity."
                )
            embedding = file.get_tensor("embedding").double().numpy()
        agreement = tuple(float(value) for value in json.loads(metadata["agreement"]))
        photos = int(metadata["photos"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise IdentityFileInvalid(
            f"{path.name} cannot be read as a saved identity ({error}); enroll the person again."
        ) from error
    length = float(np.linalg.norm(embedding))
    if embedding.ndim != 1 or not np.isfinite(length) or abs(length - 1) > 1e-3:
        raise IdentityFileInvalid(f"{path.name} holds no unit embedding (its length is {length:.3f}); enroll again.")
    return Identity(embedding / length, agreement, photos, metadata["engine"], metadata["name"])
