"""Label-free medical image segmentation with S3-Net, built on MONAI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s3net_monai.version import __version__

if TYPE_CHECKING:
    from s3net_monai.api import Result, evaluate, load_bundle, segment

__all__ = ["Result", "__version__", "evaluate", "load_bundle", "segment"]


def __getattr__(name: str) -> Any:
    """Import the front door when it is first used: torch and MONAI take seconds to import."""
    if name in __all__:
        from s3net_monai import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
