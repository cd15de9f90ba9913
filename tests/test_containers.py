"""The image and the cluster that docs/containers.md describes, as far as a machine without either can tell."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

KUBERNETES = ROOT / "profiles" / "kubernetes"
# What a build would run for real; here a program that notes how it was called.
NOTED = '#!/bin/sh\necho "$(basename "$0") $*" >> \'{log}\'\n'


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile and what follows them, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Containerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", "").splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line.strip()]


def of(kind: str) -> list[str]:
    return [rest for name, rest in instructions() if name == kind]


def is_sent(path: str) -> bool:
    """Whether a path of this folder is part of what a build sees, by .dockerignore: the last line that fits decides."""
    sent, parts = True, Path(path).parts
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        anywhere, pattern = pattern.startswith("**/"), pattern.removeprefix("**/")
        length = len(Path(pattern).parts)
        starts = range(len(parts)) if anywhere else (0,)
        found = ("/".join(parts[start : start + length]) for start in starts if len(parts) >= start + length)
        if any(each.count("/") == length - 1 and fnmatch(each, pattern) for each in found):
            sent = line.startswith("!")
    return sent


def test_an_image_holds_what_is_committed_and_nothing_else():
    for path in (
        "orelib/cli/__init__.py", "orelib/sizing/segmenter.safetensors", "notebooks/00_start.ipynb", "Snakefile",
        "data/README.md", "results/README.md", "results/reference/cpu/claims.csv", "profiles/kubernetes/config.yaml",
    ):  # fmt: skip
        assert is_sent(path), path
        assert (ROOT / path).exists(), path
    for path in (
        ".git/config", ".venv/bin/python", ".venv-peers/x", "orelib/__pycache__/x.pyc", "orelib.egg-info/PKG-INFO",
        ".snakemake/log/x", "notebooks/.ipynb_checkpoints/x.ipynb", "build/lib/x", "dist/x.whl", ".pytest_cache/x",
        ".ruff_cache/x", "data/quick/manifest.json", "results/quick/table3.csv", "results/007/x",
    ):  # fmt: skip
        assert not is_sent(path), path


def test_what_git_ignores_is_not_sent():
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    names = [line.strip("/").replace("*", "x") for line in ignored if not line.startswith("!")]
    assert len(names) > 8
    assert not [name for name in names if is_sent(f"{name}/inside")]


def test_every_step_of_the_build_runs_in_a_clean_folder(tmp_path):
    """Folders of the image are folders in ``tmp_path``; pip and what asks for root only note how they were called."""
    log, programs = tmp_path / "log", tmp_path / "programs"
    programs.mkdir()
    for name in ("pip", "useradd", "install"):
        (programs / name).write_text(NOTED.format(log=log))
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    here, ran = tmp_path, []

    def inside(path: str) -> Path:
        return Path(str(tmp_path / path.lstrip("/")) if path.startswith("/") else os.path.normpath(here / path))

    for kind, rest in instructions():
        if kind in ("ARG", "ENV"):
            environment |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif kind == "WORKDIR":
            here = inside(rest)
            here.mkdir(parents=True)
        elif kind == "COPY":
            source, target = [word for word in rest.split() if not word.startswith("--")]
            copy(ROOT / source, inside(target))
        elif kind == "RUN":
            command = re.sub(r"(?<![\w./])/(?=tmp/pins|kit)", f"{tmp_path}/", rest)
            subprocess.run(["sh", "-ec", command], cwd=here, env=environment, check=True)
            ran.append(command)
    assert len(ran) == 3
    called = log.read_text().splitlines()
    assert called[0] == "useradd --create-home --uid 1000 ore"
    assert called[2] == "pip install --requirement pins.txt"
    assert (tmp_path / "tmp" / "pins" / "pins.txt").read_text() == (ROOT / "requirements.txt").read_text()
    assert called[3] == "pip install --no-deps --editable ."
    assert all((here / name).exists() for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "notebooks"))


def copy(source: Path, target: Path) -> None:
    """Copies a file, or what a build sees of this folder, as COPY does."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return
    for name in ("Snakefile", "pyproject.toml", "setup.py", "README.md", "LICENSE", "notebooks", "orelib"):
        assert is_sent(name)
        (shutil.copy if (source / name).is_file() else shutil.copytree)(source / name, target / name)


def test_pins_for_processors_are_those_of_the_makefile(tmp_path):
    step = next(step for step in of("RUN") if "pins.txt" in step)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    step = re.sub(r"^cd \S+", f"cd {tmp_path}", step).replace("pip install", "echo")
    asked = {"PATH": os.environ["PATH"], "TORCH": "cpu", "TORCH_INDEX": "file:///with space"}
    done = subprocess.run(["sh", "-ec", step], env=asked, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "--extra-index-url file:///with space --requirement pins.txt"
    makefile = re.search(r"^CPU_PINS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[1]
    pins = subprocess.run(f"{makefile} requirements.txt", shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert (tmp_path / "pins.txt").read_text() == pins.stdout
    unknown = subprocess.run(["sh", "-ec", step], env=asked | {"TORCH": "gpu"}, capture_output=True, text=True)
    assert unknown.returncode
    assert "say TORCH=cpu" in unknown.stdout


def test_the_image_starts_the_notebooks_and_is_not_root():
    command = json.loads(of("CMD")[0])
    assert command[:2] == ["jupyter", "lab"]
    page = next(word for word in command if "default_url" in word).partition("/lab/tree/")[2]
    assert (ROOT / page).is_file()
    assert f"--ServerApp.root_dir={of('WORKDIR')[-1]}" in command
    assert not [word for word in command if "token" in word or "password" in word]
    assert of("USER") == ["$USER_ID"]
    last_root = max(k for k, (kind, _) in enumerate(instructions()) if kind in ("RUN", "COPY"))
    assert [kind for kind, _ in instructions()].index("USER") > last_root


# ---- Kubernetes ----------------------------------------------------------------------------------------------------


def test_the_profile_and_the_cluster_name_the_same_things():
    profile = yaml.safe_load((KUBERNETES / "config.yaml").read_text("utf-8"))
    objects = list(yaml.safe_load_all((KUBERNETES / "cluster.yaml").read_text("utf-8")))
    kinds = {each["kind"]: each for each in objects}
    namespace = profile["kubernetes-shared-namespace"]
    assert {each["metadata"].get("namespace", each["metadata"]["name"]) for each in objects} == {namespace}
    claim, path = profile["kubernetes-shared-persistent-volumes"][0].split(":")
    assert kinds["PersistentVolumeClaim"]["metadata"]["name"] == claim
    assert kinds["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    pod = kinds["Job"]["spec"]["template"]["spec"]
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]] == [claim]
    for container in (*pod["containers"], *pod["initContainers"]):
        assert container["image"] == profile["container-image"]
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == [path]
    account = kinds["ServiceAccount"]["metadata"]["name"]
    assert [pod["serviceAccountName"], kinds["RoleBinding"]["subjects"][0]["name"]] == [account] * 2
    script = pod["containers"][0]["args"][0]
    assert f"PYTHONPATH={path}/kit/profiles/kubernetes" in script
    assert "snakemake --profile profiles/kubernetes --config profile=cpu" in script
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0


def test_the_executor_shares_a_volume_and_starts_where_snakemake_is(monkeypatch):
    settings = pytest.importorskip("snakemake_interface_executor_plugins.settings")
    plugin = types.ModuleType("snakemake_executor_plugin_kubernetes")  # as 0.5.1 has them
    plugin.common_settings = settings.CommonSettings(
        non_local_exec=True, implies_no_shared_fs=True, job_deploy_sources=True, pass_envvar_declarations_to_cmd=False
    )
    plugin.Executor, plugin.ExecutorSettings = type("Executor", (), {}), settings.ExecutorSettingsBase
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
    monkeypatch.syspath_prepend(str(KUBERNETES))
    name = f"{plugin.__name__}_shared"
    shared = importlib.import_module(name)
    del sys.modules[name]
    assert not shared.common_settings.implies_no_shared_fs
    assert not shared.common_settings.job_deploy_sources
    assert not shared.common_settings.pass_envvar_declarations_to_cmd, "as the plugin itself has it"
    assert shared.Executor().get_job_exec_prefix(None) == f"cd {shlex.quote(os.getcwd())}"
    executor = yaml.safe_load((KUBERNETES / "config.yaml").read_text("utf-8"))["executor"]
    assert name == f"snakemake_executor_plugin_{executor.replace('-', '_')}", "where Snakemake looks for it"
