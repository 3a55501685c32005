import subprocess
import sys
from pathlib import Path

from folio.jobs.owner import FolderLock

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from folio.jobs.owner import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print(lock.make_owner(), flush=True)
sys.stdin.read()
"""


def start_holder(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process with the lock, and its owner's name."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


def test_the_lock_is_the_first_services_until_it_dies(tmp_path: Path) -> None:
    holder, _ = start_holder(tmp_path)
    with holder:
        with FolderLock(tmp_path) as second:
            assert not second.is_ours
        holder.kill()
        holder.wait()

    with FolderLock(tmp_path) as next_one:
        assert next_one.is_ours


def test_owners_on_one_folder_have_its_name_and_differ(tmp_path: Path) -> None:
    holder, dead_owner = start_holder(tmp_path)
    with holder:
        holder.kill()
        holder.wait()

    with FolderLock(tmp_path) as lock:
        assert dead_owner.startswith(lock.folder_name)
        assert lock.make_owner() != dead_owner
    with FolderLock(tmp_path / "other") as other:
        assert not dead_owner.startswith(other.folder_name)
