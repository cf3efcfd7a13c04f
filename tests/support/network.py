"""Network namespaces: a process of a test on a machine of its own, as it were,
with a link to the servers that can be cut, slowed, and made to lose packets.

isolate() puts the test itself, and with it the servers that it starts, into a
new namespace, where no address can collide with the machine's. Namespaces have
no names and end with their last process, however that ends.
"""

import ctypes
import json
import os
import pathlib
import shutil
import subprocess

LINK = pathlib.Path(__file__).with_name("link")
SERVERS = "10.0.0.1"
CLONE_NEWNET = 0x40000000


def isolate():
    """Move this process to a namespace of its own, with SERVERS as an address
    of its loopback device. Before it has threads. Returns None, or why that
    cannot be; the process is where it was then."""
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        return "ip (iproute2) or nsenter (util-linux) is missing"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"no TUN devices: {error}"
    probe = subprocess.run(
        ["unshare", "--net", "ip", "tuntap", "add", "t0", "mode", "tun"],
        capture_output=True, text=True)
    if probe.returncode != 0:
        return f"no network namespaces: {probe.stderr.strip()}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return f"unshare: {os.strerror(ctypes.get_errno())}"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{SERVERS}/32", "dev", "lo"],
                   check=True)
    return None


class Link:
    """A namespace, and the link between it and the servers. `host` is its
    address, `inside` what makes a command run in it."""

    def __init__(self, number):
        self.host = f"10.0.{number + 1}.2"
        self.process = subprocess.Popen(
            [LINK, f"link{number}", f"10.0.{number + 1}.1", self.host,
             SERVERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self._answer("it is up")

    @property
    def inside(self):
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]

    def _answer(self, want):
        line = self.process.stdout.readline().strip()
        assert line == want, f"{LINK} said {line!r}"

    def set(self, **state):
        """As tests/support/link has it; nothing is as if nothing were."""
        self.process.stdin.write(json.dumps(state) + "\n")
        self.process.stdin.flush()
        self._answer("so it is")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
