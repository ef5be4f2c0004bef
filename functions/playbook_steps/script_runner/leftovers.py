"""What a script leaves where anybody may write, and how it is removed. Runs in the keeper too, without packages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import processes

#: Where anybody may write.
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108


class Rubbish:
    """What a run leaves where anybody may write: found by its owner, or by being new where nobody else writes."""

    def __init__(self, user: int | None, temporary: str) -> None:
        self._user = user
        self._folders = [Path(name) for name in dict.fromkeys((temporary, *SHARED)) if Path(name).is_dir()]
        self._before = set(self._entries()) if user is None and processes.is_alone() else None

    def remove(self) -> list[str]:
        """Remove it; returns what resists."""
        if self._user is None and self._before is None:
            return []
        mine = [path for path in self._entries() if path not in (self._before or ()) and self._is_ours(path)]
        return [str(path) for path in mine if not wiped(path)]

    def _entries(self) -> Iterator[Path]:
        for folder in self._folders:
            with contextlib.suppress(OSError):
                yield from folder.iterdir()

    def _is_ours(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            return path.lstat().st_uid == (os.getuid() if self._user is None else self._user)
        return False


def wiped(path: Path) -> bool:
    """Remove a file or a folder, whatever the script made of it; False where it resists."""
    import shutil  # noqa: PLC0415  (while the script runs already)

    with contextlib.suppress(OSError, RecursionError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if os.path.lexists(path):
        # Deeper than Python goes, or closed against its own owner.
        import subprocess  # noqa: PLC0415

        for command in (["/bin/chmod", "-R", "u+rwX"], ["/bin/rm", "-rf"]):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run([*command, "--", str(path)], check=False, timeout=30, capture_output=True)  # noqa: S603
    return not os.path.lexists(path)
