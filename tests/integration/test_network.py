"""The link of tests/support/network.py does what the chaos run asks of it."""

import os
import pathlib
import subprocess
import sys

import pytest

# In a process of its own, which moves to another network.
SCRIPT = """
import socket, subprocess, sys, time
from support import network
why = network.isolate()
if why:
    sys.exit(f"left out: {why}")
server = socket.create_server((network.SERVERS, 0))
port = server.getsockname()[1]
link = network.Link(0)
CONNECT = ("import socket, sys; socket.create_connection("
           f"('{network.SERVERS}', {port}), float(sys.argv[1]))")

def passes(seconds, **state):
    link.set(**state)
    began = time.monotonic()
    done = subprocess.run([*link.inside, sys.executable, "-c", CONNECT,
                           str(seconds)], stderr=subprocess.DEVNULL)
    return done.returncode == 0 and time.monotonic() - began

assert passes(60)
for state in ({"out": True}, {"in": True}, {"loss": 1.0},
              {"out": True, "in": True, "ports": [port]},
              {"in": True, "ports": [port]}):
    assert not passes(0.5, **state), state
for state in ({"out": True, "in": True, "ports": [port + 1]},
              {"ports": [port]}, {"loss": 0.2}):
    assert passes(60, **state), state
assert passes(60, delay=[0.5, 0.6]) > 1.0
link.close()
"""


def test_a_link_is_cut_and_slowed():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True,
        timeout=600, cwd=pathlib.Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": "."})
    if "left out" in done.stderr:
        pytest.skip(f"CUTS OF THE NETWORK ARE NOT TESTED: {done.stderr}")
    assert done.returncode == 0, done.stderr
