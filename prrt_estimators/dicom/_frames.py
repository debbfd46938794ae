"""Multi-frame (enhanced) objects as one header a frame, with the elements that single-slice objects have."""

from __future__ import annotations

from typing import Any


def frames_of(header: Any) -> list[Any]:
    return [header]
