"""Finds cuobjdump and nvdisasm, and runs them."""

import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VERSION = "13.5.37"  # the report is compared only when this one made it
PACKAGES = {"cuobjdump": "nvidia-cuda-cuobjdump", "nvdisasm": "nvidia-cuda-nvdisasm"}


class NotFound(Exception):
    """No such tool: the test is skipped."""


def run(*command, cwd=None) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def download(python, name: str, folder: Path) -> bool:
    """The package's wheel from PyPI by pip, unpacked."""
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", folder, f"{PACKAGES[name]}=={VERSION}"]
    if subprocess.run([str(c) for c in command], capture_output=True).returncode:
        return False
    for wheel in folder.glob(f"{PACKAGES[name].replace('-', '_')}*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return True


def find(name: str, folder: Path, toolkit: Path) -> Path:
    """From the build folder, PyPI or the CUDA toolkit, in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = lambda: next((p for p in folder.rglob(name) if p.is_file()), None)
    if not unpacked() and not download(sys.executable, name, folder):
        # Debian's Python has no pip, but a virtual environment brings its own
        environment = folder / "venv"
        made = subprocess.run([sys.executable, "-m", "venv", str(environment)], capture_output=True)
        if made.returncode == 0:
            download(environment / "bin" / "python", name, folder)
    found = unpacked()
    if found:
        found.chmod(0o755)
        return found
    if (toolkit / name).is_file():
        return toolkit / name
    raise NotFound(f"{name} is neither in the CUDA toolkit nor to be had from PyPI ({PACKAGES[name]} {VERSION})")


class Tools:
    def __init__(self, work: Path, toolkit: Path):
        self.work = work.resolve()
        self.cuobjdump = find("cuobjdump", self.work / "tools", toolkit)
        self.nvdisasm = find("nvdisasm", self.work / "tools", toolkit)
        self.version = re.search(r"V([\d.]+)", run(self.nvdisasm, "--version")).group(1)

    def cubins(self, objects) -> list[tuple[str, Path]]:
        """(architecture, file) of every cubin in the object files."""
        found = []
        for index, source in enumerate(objects):
            folder = self.work / "cubins" / str(index)
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("*.cubin"):
                old.unlink()
            run(self.cuobjdump, "-xelf", "all", source.resolve(), cwd=folder)
            found += [(re.search(r"(sm_\d+)", c.name).group(1), c) for c in sorted(folder.glob("*.cubin"))]
        return found

    def disassembled(self, files) -> list[str]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda file: run(self.nvdisasm, "-c", file), files))

    def resources(self, cubin: Path) -> dict[str, dict[str, int]]:
        """REG, STACK, SHARED .. of every symbol."""
        text = run(self.cuobjdump, "-res-usage", cubin)
        lines = re.findall(r"Function (\S+):\s*\n\s*(REG:.*)", text)
        return {name: {k: int(v) for k, v in re.findall(r"(\w+):(\d+)", usage)} for name, usage in lines}
