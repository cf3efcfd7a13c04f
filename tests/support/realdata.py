"""The two sets of real input: rows to events, and what must come out.

The data is not part of the repository. SEGMENTD_DATA names its folder (default:
../shared/data beside the checkout); tests that need it say so when it is
absent.

The oracle computes from the CSV files alone. It keeps no windows, no timers and
no event order: for a date it looks at every row and says what holds.
"""

import csv
import datetime as dt
import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("SEGMENTD_DATA", ROOT.parent / "shared/data"))
DAY = dt.timedelta(days=1)


def why_absent(name):
    """None when the set is there, else the reason."""
    folder = DATA / name
    return None if folder.is_dir() else (
        f"no data in {folder}: set SEGMENTD_DATA to try {name}")


def _rows(name):
    with open(DATA / name, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _date(text):
    return dt.date.fromisoformat(text) if text else None


def _flag(text):
    return text == "True"


def anniversary(start, years):
    """The same day so many years later; 29 February becomes the 28th."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return start.replace(year=start.year + years, day=28)


def next_anniversary(start, day):
    """The first anniversary of start that is after `day`."""
    years = 1
    while anniversary(start, years) <= day:
        years += 1
    return anniversary(start, years)


def window_of(due, day, windows=(120, 90, 60, 30)):
    """The renewal window of a due date as seen on `day` at midnight."""
    if due is None:
        return "none"
    left = (due - day).days
    if left < 0:
        return "overdue"
    if left == 0:
        return "due"
    inside = [n for n in windows if left <= n]
    return f"T-{min(inside)}" if inside else "none"


def _write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    return path


# --- RavenStack ---------------------------------------------------------------


class Ravenstack:
    """Events for config/examples/ravenstack.yaml, and the oracle for them."""

    LAST = dt.date(2024, 12, 31)

    def __init__(self):
        self.accounts = list(_rows("ravenstack/ravenstack_accounts.csv"))
        self.subscriptions = list(
            _rows("ravenstack/ravenstack_subscriptions.csv"))
        self.usage = list(_rows("ravenstack/ravenstack_feature_usage.csv"))
        self.tickets = list(_rows("ravenstack/ravenstack_support_tickets.csv"))
        self.churn = list(_rows("ravenstack/ravenstack_churn_events.csv"))
        self.account_of = {row["subscription_id"]: row["account_id"]
                           for row in self.subscriptions}

    # --- events -------------------------------------------------------------

    def _subscription_events(self):
        """One at the start, one at each anniversary, one at the end."""
        for row in self.subscriptions:
            start, end = _date(row["start_date"]), _date(row["end_date"])
            annual = row["billing_frequency"] == "annual"
            base = {
                "subscription_id": row["subscription_id"],
                "account_id": row["account_id"],
                "start_date": row["start_date"], "end_date": None,
                "renews_at": None, "plan_tier": row["plan_tier"],
                "seats": int(row["seats"]),
                "mrr_amount": int(row["mrr_amount"]),
                "arr_amount": int(row["arr_amount"]),
                "is_trial": _flag(row["is_trial"]),
                "billing_frequency": row["billing_frequency"],
            }
            last = min(end or self.LAST, self.LAST)
            term, years = start, 0
            while term <= last and (years == 0 or annual) and (
                    years == 0 or end is None or term < end):
                event = dict(base, at=str(term), event_id=(
                    f"{row['subscription_id']}/{years}"))
                if annual:
                    event["renews_at"] = str(anniversary(start, years + 1))
                yield event
                years += 1
                term = anniversary(start, years)
            if end is not None:
                yield dict(base, at=str(end), end_date=str(end),
                           event_id=f"{row['subscription_id']}/end")

    def _usage_events(self):
        for row in self.usage:
            yield {"usage_id": row["usage_id"],
                   "account_id": self.account_of[row["subscription_id"]],
                   "subscription_id": row["subscription_id"],
                   "usage_date": row["usage_date"],
                   "feature_name": row["feature_name"],
                   "usage_count": int(row["usage_count"]),
                   "usage_duration_secs": int(row["usage_duration_secs"]),
                   "error_count": int(row["error_count"]),
                   "is_beta_feature": _flag(row["is_beta_feature"])}

    def _ticket_events(self):
        for row in self.tickets:
            yield {"ticket_id": row["ticket_id"],
                   "account_id": row["account_id"],
                   "submitted_at": row["submitted_at"],
                   "closed_at": row["closed_at"] or None,
                   "priority": row["priority"],
                   "satisfaction_score": float(row["satisfaction_score"])
                   if row["satisfaction_score"] else None,
                   "escalation_flag": _flag(row["escalation_flag"])}

    def _churn_events(self):
        for row in self.churn:
            yield {"churn_event_id": row["churn_event_id"],
                   "account_id": row["account_id"],
                   "churn_date": row["churn_date"],
                   "reason_code": row["reason_code"] or None,
                   "refund_amount_usd": float(row["refund_amount_usd"] or 0),
                   "is_reactivation": _flag(row["is_reactivation"])}

    def write(self, folder):
        """Files for --input: {input: path}. The accounts are the CSV itself."""
        folder = pathlib.Path(folder)
        return {
            "account": DATA / "ravenstack/ravenstack_accounts.csv",
            "subscription": _write(folder / "subscription.ndjson",
                                   self._subscription_events()),
            "usage": _write(folder / "usage.ndjson", self._usage_events()),
            "ticket": _write(folder / "ticket.ndjson", self._ticket_events()),
            "churn": _write(folder / "churn.ndjson", self._churn_events()),
        }

    # --- oracle -------------------------------------------------------------

    def _known(self, day):
        """Accounts that have had any event by the start of `day`."""
        known = {row["account_id"] for row in self.accounts
                 if _date(row["signup_date"]) <= day}
        known |= {row["account_id"] for row in self.subscriptions
                  if _date(row["start_date"]) <= day}
        known |= {self.account_of[row["subscription_id"]]
                  for row in self.usage if _date(row["usage_date"]) <= day}
        known |= {row["account_id"] for row in self.tickets
                  if _date(row["submitted_at"][:10]) <= day}
        known |= {row["account_id"] for row in self.churn
                  if _date(row["churn_date"]) <= day}
        return known

    def _usage_30d(self, day):
        """Uses by account in the 30 days before `day`, whole days. A usage id
        that was seen before, in order of time and then of the file, is a
        repeat."""
        seen, sums = set(), {}
        first = day - 30 * DAY
        for row in sorted(self.usage, key=lambda r: r["usage_date"]):
            date = _date(row["usage_date"])
            account = self.account_of[row["subscription_id"]]
            key = (account, row["usage_id"])
            if date > day or key in seen:
                continue
            seen.add(key)
            if date >= first:
                sums[account] = sums.get(account, 0) + int(row["usage_count"])
        return sums

    def expect(self, day):
        """{account: {touch, renewal, arr, quiet}} at 00:00 UTC of `day`."""
        active, due = {}, {}
        for row in self.subscriptions:
            start, end = _date(row["start_date"]), _date(row["end_date"])
            if _flag(row["is_trial"]) or start > day or (
                    end is not None and end <= day):
                continue
            account = row["account_id"]
            active[account] = active.get(account, 0) + int(row["arr_amount"])
            if row["billing_frequency"] == "annual":
                date = next_anniversary(start, day)
                due[account] = min(due.get(account, date), date)
        uses = self._usage_30d(day)
        result = {}
        for account in self._known(day):
            arr = active.get(account, 0)
            touch = ("high" if arr >= 200000 else "mid" if arr >= 50000
                     else "low" if arr > 0 else "none")
            result[account] = {
                "touch": touch, "arr": arr,
                "renewal": window_of(due.get(account), day),
                "quiet": uses.get(account, 0) == 0,
            }
        return result


# --- FPDS ---------------------------------------------------------------------


class Fpds:
    """Events for config/examples/fpds.yaml, and the oracle for them."""

    def __init__(self):
        self.rows = list(_rows("fpds/fpds_contracts.csv"))

    @staticmethod
    def _contract(row):
        return "|".join(row[k] for k in (
            "agency_code", "piid", "idv_agency", "idv_piid"))

    def write(self, folder):
        def events():
            for row in self.rows:
                yield {"contract_id": self._contract(row),
                       "account_id": row["supplier_uei"],
                       "signed": row["signed"], "agency": row["agency"],
                       "mod_reason": row["mod_reason"] or None,
                       "start": row["start"],
                       "current_end": row["current_end"],
                       "ultimate_end": row["ultimate_end"] or None,
                       "obligated_total": float(row["obligated_total"] or 0)}
        return {"contract": _write(
            pathlib.Path(folder) / "contract.ndjson", events())}

    def expect(self, day):
        """{account: {size, renewal, options}} at 00:00 UTC of `day`."""
        contracts = {}
        for row in self.rows:  # the file is in order of `signed`
            if _date(row["signed"]) <= day:
                contracts[(row["supplier_uei"], self._contract(row))] = row
        running = {}
        accounts = set()
        for (account, _), row in contracts.items():
            accounts.add(account)
            if _date(row["current_end"]) >= day:
                running.setdefault(account, []).append(row)
        result = {}
        for account in accounts:
            rows = running.get(account, [])
            value = sum(float(r["obligated_total"] or 0) for r in rows)
            size = ("large" if value >= 1e7 else "medium" if value >= 1e6
                    else "small" if rows else "ended")
            due = min((_date(r["current_end"]) for r in rows), default=None)
            result[account] = {
                "size": size, "value": value,
                "renewal": window_of(due, day),
                "options": any(r["ultimate_end"] and
                               r["ultimate_end"] > r["current_end"]
                               for r in rows),
            }
        return result
