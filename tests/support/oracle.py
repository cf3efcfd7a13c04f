"""What must be true whatever has failed, read by independent clients.

Fold is the state of an account as Python folds its events. Crowd makes random
events for a Company and folds them as it sends them. check() compares the
three memories: versions in the change log, the membership that Kafka keeps,
and what Redis shows.
"""

import collections
import random
import threading

from support.company import now_ms

LEVELS = (5.0, 30000.0, 150000.0)
LOAD = {"touch": {"segments": [
            {"name": "high", "when": "account.arr >= 100000.0"},
            {"name": "mid", "when": "account.arr >= 20000.0"},
            {"name": "low"}]},
        "busy": {"enter": "usage.logins_14d >= 3",
                 "exit": "usage.logins_14d == 0"},
        "load": {"segments": [
            {"name": "heavy", "when": "usage.seconds_30d >= 400"},
            {"name": "some", "when": "usage.seconds_30d >= 100"},
            {"name": "none"}]}}


class Fold:
    """The features of one account, and the segments its rules then say."""

    def __init__(self):
        self.version = 0
        self.is_gone = False
        self.forget()

    def forget(self):
        self.arr = None
        self.has_account = False
        self.logins = self.seconds = 0
        self.has_usage = False
        self.ids = []

    def is_repeat(self, event):
        event_id = event["event_id"]
        if event_id is None:
            return False
        if event_id in self.ids:
            return True
        self.ids = (self.ids + [event_id])[-64:]
        return False

    def account(self, event):
        if self.is_repeat(event):
            return
        if event["status"] == "deleted":
            self.forget()
            self.is_gone = True
            return
        self.is_gone = False
        self.has_account = True
        self.arr = event["arr"]

    def usage(self, event):
        if self.is_repeat(event):
            return
        self.is_gone = False
        self.has_usage = True
        self.logins += event["kind"] == "login"
        self.seconds += event["seconds"]

    def features(self):
        found = {}
        if self.has_account:
            found["account.arr"] = f"{self.arr:.0f}"
        if self.has_usage:
            found["usage.logins_14d"] = str(self.logins)
            found["usage.seconds_30d"] = str(self.seconds)
        return found

    def segments(self):
        """Of LOAD: nothing here is left again by time."""
        if self.is_gone:
            return {}
        found = {"load": "heavy" if self.seconds >= 400 else
                         "some" if self.seconds >= 100 else "none"}
        if self.has_account:
            found["touch"] = ("high" if self.arr >= 100000.0 else
                              "mid" if self.arr >= 20000.0 else "low")
        if self.logins >= 3:
            found["busy"] = "in"
        return found


class Crowd:
    """Random events of some accounts. A tenth of them is deleted at times, and
    comes back; those have no usage, whose order to the deletion is open."""

    def __init__(self, company, seed, count):
        self.company = company
        self.random = random.Random(seed)
        self.names = [f"a{i:04}" for i in range(count)]
        self.mortal = self.names[:max(count // 10, 1)]
        self.folds = {}
        self.at = 0
        self.number = 0

    def _next(self):
        self.at = max(self.at + 1, now_ms())
        self.number += 1
        return self.at, f"e{self.number}"

    def _account(self, name):
        at, event_id = self._next()
        fold = self.folds.setdefault(name, Fold())
        status, arr = "active", self.random.choice(LEVELS)
        if name in self.mortal and fold.has_account and (
                self.random.random() < 0.3):
            status = "deleted"
        elif fold.has_account and self.random.random() < 0.9:
            arr = fold.arr  # most events move nobody
        fold.account({"event_id": event_id, "status": status, "arr": arr})
        return self.company.account_record(
            name, arr, at=at, status=status, event_id=event_id)

    def _usage(self, name):
        at, event_id = self._next()
        fold = self.folds.setdefault(name, Fold())
        kind = self.random.choice(("login", "report"))
        seconds = self.random.randrange(60)
        fold.usage({"event_id": event_id, "kind": kind, "seconds": seconds})
        return self.company.usage_record(
            name, kind, at=at, seconds=seconds, event_id=event_id)

    def burst(self, is_everybody=False):
        """Events of about half of the accounts, some of them twice."""
        draw = self.random.random
        accounts, usage = [], []
        for name in self.names:
            if is_everybody or draw() < 0.5:
                accounts.append(self._account(name))
            if name not in self.mortal and draw() < 0.5:
                usage += [self._usage(name)] * (1 + (draw() < 0.1))
        # One deletion at least, and the account is there before it.
        name = self.mortal[0]
        accounts.append(self._account(name))
        while not self.folds[name].is_gone:
            accounts.append(self._account(name))
        self.company.send_accounts(*accounts)
        self.company.send_usage(*usage)

    def redis_differs(self, client):
        """What Redis shows otherwise than the fold; empty when all is well."""
        prefix = self.company.name
        pipe = client.pipeline(transaction=False)
        for name in self.folds:
            pipe.hgetall(f"{prefix}:acct:{name}")
        differs = []
        for (name, fold), found in zip(self.folds.items(), pipe.execute()):
            view = {key.decode(): value.decode()
                    for key, value in found.items()}
            if fold.is_gone:
                if view:
                    differs.append((name, view, "gone"))
                continue
            want = {**fold.features(), **{
                f"segment.{key}": value
                for key, value in fold.segments().items()}}
            want.setdefault("segment.busy", "out")
            if {key: view.get(key) for key in want} != want:
                differs.append((name, view, want))
        return differs


def check_versions(changes, is_at_least_once=False):
    """1, 2, 3, ... of each account. At least once: repeats are the same."""
    found = {}
    for change in changes:
        found.setdefault(change["account_id"], []).append(change)
    for account, own in found.items():
        versions = [change["account_version"] for change in own]
        if is_at_least_once:
            ids = {}
            for change in own:
                same = ids.setdefault(
                    change["account_version"], change["change_id"])
                assert same == change["change_id"], (account, change)
            versions = list(dict.fromkeys(versions))
        assert versions == list(range(1, len(versions) + 1)), (
            account, versions)


def _seat(segment):
    """To be out of a tag is to have no segment."""
    return None if segment == "out" else segment


def fold_changes(changes):
    """{account: {segmentation: segment}} and {account: version}."""
    members, versions = {}, {}
    for change in changes:
        account = change["account_id"]
        own = members.setdefault(account, {})
        if _seat(change["to"]) is None:
            own.pop(change["segmentation"], None)
        else:
            own[change["segmentation"]] = change["to"]
        versions[account] = change["account_version"]
    return members, versions


def check_chain(changes):
    """Each change leaves the segment that the one before it entered."""
    at = {}
    for change in changes:
        key = change["account_id"], change["segmentation"]
        assert _seat(change["from"]) == at.get(key), (at.get(key), change)
        at[key] = _seat(change["to"])


def members_in_redis(client, prefix, segments):
    """{account: {segmentation: segment}} of the sets of members."""
    found = {}
    for segmentation, names in segments.items():
        for name in names:
            key = f"{prefix}:seg:{segmentation}:{name}"
            for account in client.smembers(key):
                own = found.setdefault(account.decode(), {})
                assert segmentation not in own, (account, segmentation)
                own[segmentation] = name
    return found


def names_of(segmentations):
    """{segmentation: names of its segments} of a configuration."""
    return {name: [s["name"] for s in rules["segments"]]
            if "segments" in rules else ["in"]
            for name, rules in segmentations.items()}


def check(company, client, is_at_least_once=False):
    """The change log, what Kafka keeps of each account, and Redis agree."""
    changes = company.changes()
    check_versions(changes, is_at_least_once)
    if not is_at_least_once:
        check_chain(changes)
    members, versions = fold_changes(changes)
    current = {}
    for account, value in company.read("current"):
        current[account] = value
    published = {
        account: {s["segmentation"]: s["segment"] for s in value["segments"]}
        for account, value in current.items() if value is not None}
    alive = {account: own for account, own in published.items() if own}
    # A version that is there twice may have been decided otherwise the second
    # time, by what had come in between.
    count = collections.Counter(c["account_id"] for c in changes)
    once = collections.Counter(account for account, _ in {
        (c["account_id"], c["account_version"]) for c in changes})
    again = {account for account in count if count[account] > once[account]}
    assert is_at_least_once or not again
    for account, own in members.items():
        assert account in again or own == alive.get(account, {}), account
    assert set(alive) <= set(members)
    for account, value in current.items():
        if value is not None:
            assert account in again or (
                value["account_version"] == versions[account]), account
    segments = names_of(company.config["segmentations"])
    assert members_in_redis(client, company.name, segments) == alive
    for account in alive:
        view = company.view(client, account)
        assert view["version"] == str(current[account]["account_version"])
        shown = {name[len("segment."):]: value for name, value in view.items()
                 if name.startswith("segment.") and value != "out"}
        assert shown == alive[account], (account, view)
    return changes


class Together:
    """Run functions at the same time, a few at once; all failures are told."""

    def __init__(self, width):
        self.gate = threading.Semaphore(width)
        self.threads = []
        self.failures = []

    def add(self, name, function, *arguments):
        def run():
            with self.gate:
                try:
                    function(*arguments)
                except BaseException as failure:  # told by join()
                    self.failures.append((name, failure))
        thread = threading.Thread(target=run, name=name)
        self.threads.append(thread)
        thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.failures, "\n\n".join(
            f"{name}: {type(failure).__name__}: {str(failure)[:6000]}"
            for name, failure in self.failures)
