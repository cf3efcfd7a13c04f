#!/usr/bin/python3
"""How fast the renewal queue is claimed on one Redis, with 100,000 entries.

A Redis of its own, filled as segmentd fills it, with views of 30 fields. Half
of the entries are claimed beforehand, under leases that hold, and stand before
the others: they must not be in the way. Then as many processes as asked for
claim, a number at a time, with EVALSHA; and one finishes what was claimed.

    CLAIMS_ENTRIES=100000 CLAIMS_CLIENTS=4
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import redis as client_library

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import redis, segmentd  # noqa: E402

ENTRIES = int(os.environ.get("CLAIMS_ENTRIES", 100000))
CLIENTS = int(os.environ.get("CLAIMS_CLIENTS", 4))
QUEUE = "segd:renewals"
LEASE_MS = 3600000


def script(name):
    return segmentd.command("renewals", "script", name).stdout


def fill(client):
    windows = ("T-120", "T-90", "T-60", "T-30")
    for start in range(0, ENTRIES, 1000):
        pipe = client.pipeline(transaction=False)
        for i in range(start, min(start + 1000, ENTRIES)):
            window, score = windows[i % 4], float(ENTRIES - i)
            for key in (QUEUE, f"{QUEUE}:open", f"{QUEUE}:open:{window}"):
                pipe.zadd(key, {f"account-{i}": score})
            pipe.hset(f"segd:acct:account-{i}", mapping={
                "renewal.date": "2030-01-31T00:00:00Z",
                "renewal.window": window, "renewal.priority": str(score),
                **{f"account.feature_{k}": str(i * k) for k in range(27)}})
        pipe.execute()


def claim(client, n, count, worker, window="", view=""):
    """Claim n, `count` at a time: (how many, what)."""
    run = client.register_script(script("claim"))
    claimed = []
    while len(claimed) < n:
        _, *some = run([QUEUE], [worker, LEASE_MS, count, window, view])
        claimed += [item[:2] for item in some]
        if not some:
            break
    return claimed


def cpu_s(client):
    """Processor time of Redis so far: what a busy machine does not change."""
    info = client.info("cpu")
    return info["used_cpu_user"] + info["used_cpu_sys"]


def measure(client, server, what, n, count, window="", view=""):
    """n claims by CLIENTS processes."""
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import claims; "
            "import redis; c = redis.Redis(unix_socket_path=sys.argv[2]); "
            "print(len(claims.claim(c, int(sys.argv[3]), int(sys.argv[4]), "
            "*sys.argv[5:])))")
    before = cpu_s(client)
    began = time.monotonic()
    workers = [subprocess.Popen(
        [sys.executable, "-c", code, str(pathlib.Path(__file__).parent),
         str(server.socket), str(n // CLIENTS), str(count), f"w{i}", window, view],
        stdout=subprocess.PIPE) for i in range(CLIENTS)]
    total = sum(int(w.communicate()[0]) for w in workers)
    took = time.monotonic() - began
    used = cpu_s(client) - before
    print(f"{what}: {total} claims, {total / took:.0f}/s with {CLIENTS} "
          f"clients, their start included; Redis used {1e6 * used / total:.0f} "
          f"us of processor each, enough for {total / used:.0f}/s")
    return total


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = redis.RedisServer(folder, appendonly="no")
        server.start()
        try:
            client = client_library.Redis(unix_socket_path=str(server.socket))
            fill(client)
            held = claim(client, ENTRIES // 2, 1000, "holder")
            print(f"{ENTRIES} entries, {len(held)} held before the others")
            n = ENTRIES // 10
            total = measure(client, server, "one at a time", n, 1)
            total += measure(client, server, "ten at a time", n, 10)
            total += measure(
                client, server, "one of a window", n // 2, 1, "T-30")
            total += measure(client, server, "one with its whole view", n // 2,
                             1, "", "*")
            done = client.register_script(script("done"))
            before = cpu_s(client)
            for account, token in held[:n]:
                done([QUEUE], [account, "holder", token])
            used = cpu_s(client) - before
            print(f"done: Redis used {1e6 * used / n:.0f} us of processor each")
            leases = client.zcard(f"{QUEUE}:leases")
            assert leases == len(held) + total - n, (leases, total)
        finally:
            server.kill9()


if __name__ == "__main__":
    main()
