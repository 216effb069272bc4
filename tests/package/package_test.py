"""Installs the build into a fresh folder, builds examples/diagnose_folder against it with
find_package(culprit) and nothing else, and runs it on a made case."""
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"])
sys.path.insert(0, str(SOURCE / "tests" / "cli"))
from made_cases import write_case  # noqa: E402


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=250)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    cmake = os.environ["CMAKE_COMMAND"]
    run(cmake, "--install", os.environ["CULPRIT_BINARY_DIR"], "--prefix", root / "installed")
    run(cmake, "-S", SOURCE / "examples" / "diagnose_folder", "-B", root / "build", "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={root / 'installed'}", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_CXX_FLAGS={os.environ.get('CULPRIT_CONSUMER_FLAGS', '')}",
        *(["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if os.environ.get("CULPRIT_HAS_CCACHE") else []))
    run(cmake, "--build", root / "build")
    case = write_case(root, ("proxy", "head", "replica-0"), "head", "cpu", 1, size=20.0)
    answer = run(root / "build" / "diagnose_folder", case)
    if not answer.startswith("1 head\n"):
        sys.exit(f"expected head first, found:\n{answer}")
    version = run(root / "installed" / "bin" / "culprit", "--version")
    if not version.startswith("culprit "):
        sys.exit(f"the installed program said {version!r}")
