"""A disk of its own for the servers' data, that can be filled up."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fixtures.postgres import a_folder

SIZE = 1 << 30
PIECE = bytes(1 << 20)


class Disk:
    """Where this machine lets us mount one; elsewhere a folder, and `can_be_full` says so."""

    def __init__(self, folder: Path, *, can_be_full: bool) -> None:
        self.folder, self.can_be_full = folder, can_be_full
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte of it."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while ballast.write(PIECE):
                    pass
            except OSError:
                # What the last piece did not fit into.
                return

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def a_disk() -> Iterator[Disk]:
    """Gone with all that is on it in the end."""
    folder = a_folder("medic-chaos-")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "none", str(folder)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    folder.chmod(0o755)
    try:
        yield Disk(folder, can_be_full=is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)
