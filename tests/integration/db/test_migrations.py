import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession

from folio.db import Database

CHECKOUT = Path(__file__).parents[3]


def run(*command: object, cwd: Path = CHECKOUT, **environment: str) -> str:
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def alembic(url: str, *arguments: str, folder: Path = CHECKOUT) -> None:
    run(Path(sys.executable).with_name("alembic"), *arguments, cwd=folder, DATABASE_URL=url)


async def table_names(url: str) -> set[str]:
    def look(session: AsyncSession) -> set[str]:
        return set(inspect(session.connection()).get_table_names())

    async with Database(url) as database, database.reading() as session:
        return await session.run_sync(look)


def test_alembic_goes_up_is_clean_and_goes_down(empty_database_url: str) -> None:
    alembic(empty_database_url, "upgrade", "head")
    assert asyncio.run(table_names(empty_database_url)) >= {"tasks", "pages"}

    alembic(empty_database_url, "check")
    alembic(empty_database_url, "downgrade", "base")
    assert asyncio.run(table_names(empty_database_url)) == {"alembic_version"}

    alembic(empty_database_url, "upgrade", "head", folder=CHECKOUT / "backend")


def test_an_installed_package_brings_its_migrations(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    checkout = tmp_path / "checkout"  # setuptools writes beside what it builds
    for name in ("backend", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        checkout.mkdir(exist_ok=True)
        copy(CHECKOUT / name, checkout / name)
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    (site_packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site_packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    run(*pip, "--python", python, "install", *options, checkout)
    url = f"sqlite:///{tmp_path / 'folio.db'}"

    output = run(python.with_name("folio"), "migrate", cwd=tmp_path, DATABASE_URL=url)

    assert "the tables are new now" in output
    assert asyncio.run(table_names(url)) >= {"tasks", "pages"}


def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: alembic(empty_database_url, "upgrade", "head"), range(3)))

    assert asyncio.run(table_names(empty_database_url)) >= {"tasks", "pages"}
