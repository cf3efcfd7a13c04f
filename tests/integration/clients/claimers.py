"""Workers of the renewal queue that are killed at random.

    claimers.py SOCKET QUEUE LOG SCRIPTS LEASE_MS WORKERS SEED

One process forks the workers and puts a new one in the place of each that dies,
until the queue is worked off. A worker is killed (SIGKILL) with some probability
between any two of its steps, and by the parent at any other instant: how often
does not depend on how fast the machine is. It appends what it does to LOG, one
line at a time, as it does it: a kill may lose the last word, never put one that
is not so.

    claim ACCOUNT WORKER TOKEN FROM_MS UNTIL_MS      it has it
    give ACCOUNT TOKEN                               it is about to give it back
    done|release ACCOUNT TOKEN                       Redis said yes
    late ACCOUNT TOKEN                               Redis said it was too late
"""

import json
import os
import pathlib
import random
import signal
import sys
import time

import redis


def work(client, queue, log, scripts, lease_ms, name, seed):
    rng = random.Random(seed)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def say(*words):
        os.write(out, (" ".join(map(str, words)) + "\n").encode())

    def maybe_die():
        if rng.random() < 0.04:
            os.kill(os.getpid(), signal.SIGKILL)

    run = {name: client.register_script(text)
           for name, text in scripts.items()}
    while True:
        _, *claimed = run["claim"]([queue], [name, lease_ms, rng.choice([1, 3])])
        maybe_die()
        for account, token, until, _ in claimed:
            account, token = account.decode(), token.decode()
            say("claim", account, name, token, int(until) - lease_ms,
                int(until))
            maybe_die()
            time.sleep(rng.uniform(0, 0.02))
            answer = "release" if rng.random() < 0.2 else "done"
            say("give", account, token)
            maybe_die()
            try:
                run[answer]([queue], [account, name, token])
                maybe_die()
                say(answer, account, token)
            except redis.ResponseError as error:
                word = str(error).split()[0]
                assert word in ("EXPIRED", "FOREIGN", "UNCLAIMED"), error
                say("late", account, token)
        if not claimed:
            time.sleep(0.02)


def main():
    socket, queue, log, scripts, lease_ms, nworkers, seed = sys.argv[1:]
    scripts = json.loads(pathlib.Path(scripts).read_text())
    rng = random.Random(int(seed))
    workers = []

    def add():
        name = f"w{rng.randrange(1 << 30)}"
        child_seed = rng.randrange(1 << 30)
        pid = os.fork()
        if pid == 0:
            try:
                work(redis.Redis(unix_socket_path=socket, socket_timeout=60),
                     queue, log, scripts, int(lease_ms), name, child_seed)
            finally:
                os._exit(1)
        workers.append(pid)

    client = redis.Redis(unix_socket_path=socket, socket_timeout=60)
    for _ in range(int(nworkers)):
        add()
    kills = 0
    while client.hlen(f"{queue}:done") < client.zcard(queue):
        os.kill(rng.choice(workers), signal.SIGKILL)
        while (died := os.waitpid(-1, os.WNOHANG))[0]:
            if died[1] != signal.SIGKILL:
                sys.exit(f"a worker ended by itself, with status {died[1]}")
            workers.remove(died[0])
            kills += 1
            add()
        time.sleep(rng.uniform(0, 0.06))
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(kills)


if __name__ == "__main__":
    main()
