"""C test programs of tests/integration/c, built against the library and run."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["rdkafka", "avro-c", "hiredis", "yaml-0.1", "jansson",
            "libmicrohttpd", "libxxhash", "glib-2.0", "libcurl"]


def build_folder():
    """BUILD, or where the segmentd under test lies."""
    if "BUILD" in os.environ:
        return pathlib.Path(os.environ["BUILD"])
    if "SEGMENTD" in os.environ:
        return pathlib.Path(os.environ["SEGMENTD"]).parent
    return ROOT / "build"


def build(name):
    """The program's path. SANITIZE is passed to compiler and linker."""
    folder = build_folder()
    library = folder / "libsegmentd.a"
    stem = folder / "tests/integration/c" / name
    subprocess.run(
        ["make", "-s", "-C", ROOT, f"BUILD={folder}", str(library),
         f"{stem}.o"], check=True, stdout=subprocess.DEVNULL)
    libs = subprocess.run(["pkg-config", "--libs", *PACKAGES], check=True,
                          capture_output=True, text=True).stdout.split()
    subprocess.run(
        [*os.environ.get("CC", "cc").split(), *os.environ.get("SANITIZE", "").split(),
         "-o", stem, f"{stem}.o", library, *libs, "-lpthread", "-lm",
         "-lcmocka"], check=True)
    return stem


def run(name, env, timeout=300):
    """Build and run; the output is shown when it fails."""
    program = build(name)
    done = subprocess.run([program], env={**os.environ, **env},
                          capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, (
        f"{name}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
