from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PINS = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, object]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in wanted if not PINS.fullmatch(line)] == []
    return dict(line.split("==") for line in wanted)


def test_every_dependency_has_a_pin_that_satisfies_it(project, repository) -> None:
    pinned = {canonicalize_name(name): version for name, version in pins(repository).items()}
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, asked):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


def test_pins_stand_once_and_in_order(repository) -> None:
    names = list(pins(repository))
    assert names == sorted(set(names))


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run"])
def test_set_up_names_no_index_and_no_place_of_a_machine(file, repository) -> None:
    text = (repository / file).read_text(encoding="utf-8")
    assert re.findall(r"index-url|find-links|https?://|file:|/home/|/Users/", text) == []


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    pytest.importorskip("hatchling")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=repository, check=True)
    (path,) = folder.glob("autoloss-*-py3-none-any.whl")
    return zipfile.ZipFile(path)


def test_wheel_has_every_module_template_and_space(wheel, repository) -> None:
    package = {
        path.relative_to(repository).as_posix()
        for path in (repository / "autoloss").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    spaces = {f"autoloss/search_spaces/{p.name}" for p in (repository / "search_spaces").iterdir()}
    assert spaces
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == package | spaces


def test_wheel_has_program_and_licence(wheel) -> None:
    texts = {
        Path(name).name: wheel.read(name).decode()
        for name in wheel.namelist()
        if ".dist-info/" in name
    }
    assert "autoloss = autoloss.__main__:main" in texts["entry_points.txt"]
    assert "Apache License" in texts["LICENSE"]
    assert "License-Expression: Apache-2.0" in texts["METADATA"]


def test_installed_spaces_are_found_without_the_repository(wheel, tmp_path) -> None:
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import autoloss\n"
        "assert autoloss.__file__.startswith(sys.argv[1]), autoloss.__file__\n"
        "from autoloss.search.shipped_spaces import space_names\n"
        "print(*space_names())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[0] == "default"
    assert "quick" in done.stdout.split()


def test_make_has_the_targets_that_people_are_told_of(repository) -> None:
    text = (repository / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, flags=re.MULTILINE))
    assert {"install", "demo", "test", "check", "fix", "help"} <= targets
