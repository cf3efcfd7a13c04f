/* demo_why.c - a change in words: what it is worth, and why it happened. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo_show.h"
#include "segmentd/civil.h"

/* --- numbers ------------------------------------------------------------ */

void
demo_money(int64_t dollars, char text[32])
{
	if (dollars >= 10000000)
		(void)snprintf(text, 32, "$%" PRId64 ".%" PRId64 "M",
			dollars / 1000000, dollars / 100000 % 10);
	else if (dollars >= 1000000)
		(void)snprintf(text, 32, "$%" PRId64 ".%02" PRId64 "M",
			dollars / 1000000, dollars / 10000 % 100);
	else if (dollars >= 1000)
		(void)snprintf(text, 32, "$%" PRId64 "k", dollars / 1000);
	else
		(void)snprintf(text, 32, "$%" PRId64, dollars);
}

void
demo_number(uint64_t n, char text[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
}

void
demo_date(int64_t at_ms, char text[32])
{
	char full[CIVIL_RFC3339_MAX];

	(void)civil_format_ms(at_ms, full, sizeof(full));
	(void)snprintf(text, 32, "%.10s", full);
}

/* --- why ---------------------------------------------------------------- */

enum form { AS_IS, MONEY, PERCENT, YES_NO };

static const struct {
	const char *name;
	const char *text;
	enum form form;
} labels[] = {
	{"variables.arr", "ARR", MONEY},
	{"variables.seats_used", "seats in use", PERCENT},
	{"variables.is_new", "in its first 45 days", YES_NO},
	{"usage.logins_14d", "logins in 14 days", AS_IS},
	{"ticket.urgent_30d", "urgent tickets in 30 days", AS_IS},
	{"renewal.days_left", "days to renewal", AS_IS},
	{"segment.health", "health", AS_IS},
};

/* Thousandths of a text such as "0.8571428" or "12". */
static int64_t
thousandths(const char *text)
{
	char *end;
	int64_t n = strtoll(text, &end, 10) * 1000;
	int64_t unit = 100;

	if (*end != '.')
		return n;
	for (end++; *end >= '0' && *end <= '9' && unit > 0; end++) {
		n += (*end - '0') * unit;
		unit /= 10;
	}
	return n;
}

static void
put_value(struct buf *out, const struct change_value *value)
{
	enum form form = AS_IS;
	const char *label = value->name;
	char money[32];

	for (size_t i = 0; i < SG_COUNTOF(labels); i++) {
		if (strcmp(labels[i].name, value->name) == 0) {
			label = labels[i].text;
			form = labels[i].form;
		}
	}
	buf_printf(out, "%s%s: ", out->len > 0 ? ", " : "", label);
	switch (form) {
	case MONEY:
		demo_money(strtoll(value->value, NULL, 10), money);
		buf_put_str(out, money);
		break;
	case PERCENT:
		buf_printf(out, "%" PRId64 "%%",
			(thousandths(value->value) + 5) / 10);
		break;
	case YES_NO:
		buf_put_str(
			out, strcmp(value->value, "true") == 0 ? "yes" : "no");
		break;
	default:
		buf_put_str(out, value->value);
		break;
	}
}

/* ARR has a column of its own, and no account is new for ever. */
static bool
is_noise(const struct change *change, const struct change_value *value)
{
	if (strcmp(value->name, "variables.arr") == 0)
		return strcmp(change->segmentation, "touch") != 0;
	return strcmp(value->name, "variables.is_new") == 0 &&
	       strcmp(value->value, "false") == 0;
}

static bool
is_said(const struct change *change, size_t reason, size_t value)
{
	const char *name = change->reasons[reason].values[value].name;

	for (size_t r = 0; r <= reason; r++) {
		size_t n = r == reason ? value : change->reasons[r].nvalues;

		for (size_t v = 0; v < n; v++) {
			if (strcmp(change->reasons[r].values[v].name, name) ==
				0)
				return true;
		}
	}
	return false;
}

static void
put_reasons(struct buf *out, const struct change *change)
{
	for (size_t r = 0; r < change->nreasons; r++) {
		const struct change_reason *reason = &change->reasons[r];

		for (size_t v = 0; v < reason->nvalues; v++) {
			if (!is_noise(change, &reason->values[v]) &&
				!is_said(change, r, v))
				put_value(out, &reason->values[v]);
		}
	}
}

static void
put_renewal(struct buf *out, const struct change *change)
{
	char date[32];

	if (!change->renewal.is_set) {
		buf_put_str(out, "the contract has ended");
		return;
	}
	demo_date(change->renewal.date_ms, date);
	if (change->renewal.days_left > 120)
		buf_printf(out, "renewed until %s", date);
	else if (change->renewal.days_left < 0)
		buf_printf(out, "ended %s, not renewed", date);
	else
		buf_printf(out, "ends %s, %" PRId64 " days left", date,
			change->renewal.days_left);
}

/* --- what it is worth --------------------------------------------------- */

/* ROW: from and to as they begin; "" is any. The first that fits. */
static const struct {
	const char *what;
	const char *from;
	const char *to;
	enum demo_colour colour;
	int worth;
} kinds[] = {
	{"touch", "", "former", DEMO_BAD, 85},
	{"touch", "low", "", DEMO_GOOD, 100},
	{"touch", "mid", "high", DEMO_GOOD, 100},
	{"touch", "mid", "low", DEMO_WARN, 95},
	{"touch", "high", "", DEMO_WARN, 95},
	{"touch", "-", "", DEMO_NEWS, 50},
	{"health", "", "red", DEMO_BAD, 80},
	{"health", "red", "", DEMO_GOOD, 65},
	{"health", "amber", "green", DEMO_GOOD, 40},
	{"health", "", "amber", DEMO_WARN, 45},
	{"health", "", "former", DEMO_PLAIN, 0},
	{"health", "-", "", DEMO_PLAIN, 0},
	{"health", "", "", DEMO_PLAIN, 15},
	{"expansion_ready", "", "in", DEMO_GOOD, 75},
	{"expansion_ready", "", "", DEMO_PLAIN, 20},
	{"silent", "", "in", DEMO_BAD, 78},
	{"silent", "", "", DEMO_GOOD, 50},
	{"renewal_at_risk", "", "in", DEMO_BAD, 95},
	{"renewal_at_risk", "", "", DEMO_GOOD, 60},
	{"renewal", "", "overdue", DEMO_BAD, 70},
	{"renewal", "", "due", DEMO_WARN, 40},
	{"renewal", "", "T-120", DEMO_WARN, 60},
	{"renewal", "", "T-90", DEMO_WARN, 60},
	{"renewal", "", "T-", DEMO_WARN, 35},
	{"renewal", "T-", "none", DEMO_GOOD, 55},
	{"renewal", "overdue", "", DEMO_GOOD, 60},
};

static bool
fits(const char *text, const char *want)
{
	return strncmp(text, want, strlen(want)) == 0;
}

bool
demo_why(const struct change *change, int64_t arr, struct demo_line *line)
{
	char money[32];
	struct buf why;
	size_t i = 0;

	line->at_ms = change->evaluated_at_ms;
	line->what = change->segmentation;
	(void)snprintf(line->from, sizeof(line->from), "%s",
		change->from == NULL ? "-" : change->from);
	(void)snprintf(line->to, sizeof(line->to), "%s",
		change->to == NULL ? "-" : change->to);
	while (i < SG_COUNTOF(kinds) &&
		!(strcmp(kinds[i].what, line->what) == 0 &&
			fits(line->from, kinds[i].from) &&
			fits(line->to, kinds[i].to)))
		i++;
	if (change->action == ACTION_delete || i == SG_COUNTOF(kinds) ||
		kinds[i].worth == 0)
		return false;
	line->colour = kinds[i].colour;
	line->worth = kinds[i].worth + (int)(arr / 10000);
	buf_init(&why, 4096);
	demo_money(arr, money);
	if (strcmp(line->what, "renewal") == 0)
		put_renewal(&why, change);
	else
		put_reasons(&why, change);
	if (strcmp(line->what, "touch") == 0 && arr > 0)
		buf_printf(&why, ", was %s", money);
	(void)snprintf(line->why, sizeof(line->why), "%s", buf_cstr(&why));
	buf_fini(&why);
	return true;
}
