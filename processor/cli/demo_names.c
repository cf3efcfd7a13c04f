/* demo_names.c - names of companies and people that do not exist. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "demo_company.h"
#include "segmentd/hash.h"

static const char *const stems[] = {"Aldermoss", "Ashkelda", "Bellhollow",
	"Brindlewick", "Calvermoor", "Castavane", "Corvane", "Croftmere",
	"Dalwhyn", "Dunmarch", "Elderquay", "Emberlund", "Fallowick",
	"Fennimoor", "Galdersby", "Glasswend", "Harrowend", "Hexmoor",
	"Inverlark", "Ironvale", "Jorvenby", "Juniperay", "Kelmarsh",
	"Kestrelby", "Larkspire", "Lindenfoss", "Marrowby", "Mossgarde",
	"Nettlecombe", "Norvantis", "Oakenfell", "Orrindale", "Pellworth",
	"Pinemarch", "Quillhaven", "Quorndale", "Ravensmoor", "Rookhurst",
	"Saltmarrow", "Silverwend", "Tansywold", "Thornbeck", "Ulverden",
	"Umberlake", "Valdermere", "Velthorpe", "Wexcombe", "Wrenfield",
	"Yarrowdale", "Zephyrnook"};

static const struct {
	const char *word;
	const char *industry;
} trades[] = {{"Freight", "Logistics"}, {"Optics", "Manufacturing"},
	{"Foods", "Consumer goods"}, {"Health", "Healthcare"},
	{"Robotics", "Manufacturing"}, {"Insurance", "Finance"},
	{"Energy", "Energy"}, {"Textiles", "Consumer goods"},
	{"Analytics", "Software"}, {"Dental", "Healthcare"},
	{"Brewing", "Consumer goods"}, {"Aviation", "Logistics"},
	{"Hotels", "Hospitality"}, {"Publishing", "Media"},
	{"Timber", "Manufacturing"}, {"Capital", "Finance"},
	{"Networks", "Software"}, {"Ceramics", "Manufacturing"},
	{"Pharma", "Healthcare"}, {"Shipping", "Logistics"},
	{"Studios", "Media"}, {"Water", "Energy"}, {"Learning", "Education"},
	{"Farms", "Agriculture"}, {"Security", "Software"},
	{"Motors", "Manufacturing"}, {"Biotech", "Healthcare"},
	{"Travel", "Hospitality"}, {"Retail", "Consumer goods"},
	{"Solar", "Energy"}, {"Legal", "Professional services"},
	{"Games", "Media"}, {"Packaging", "Manufacturing"},
	{"Lending", "Finance"}, {"Clinics", "Healthcare"},
	{"Coffee", "Consumer goods"}, {"Cloud", "Software"},
	{"Rail", "Logistics"}, {"Academy", "Education"},
	{"Seeds", "Agriculture"}};

static const struct {
	const char *name;
	int32_t utc_hours;
} countries[] = {{"US", -6}, {"US", -5}, {"US", -8}, {"GB", 0}, {"DE", 1},
	{"FR", 1}, {"NL", 1}, {"SE", 1}, {"CA", -5}, {"IN", 5}, {"JP", 9},
	{"AU", 10}, {"BR", -3}};

static const char *const csms[] = {"Amara", "Bjorn", "Chiara", "Dmitri",
	"Esther", "Farid", "Grace", "Hiro", "Ines", "Jamal"};

_Static_assert(SG_COUNTOF(stems) * SG_COUNTOF(trades) == DEMO_ACCOUNTS_MAX,
	"as many names as accounts");

/* Account numbers walk through all pairs before one comes again: the step has
 * no factor in common with their number, 2^4 * 5^3. */
void
demo_name(uint64_t seed, uint32_t account, char name[DEMO_NAME_MAX],
	char id[DEMO_NAME_MAX], const char **ret_industry)
{
	size_t npairs = SG_COUNTOF(stems) * SG_COUNTOF(trades);
	size_t pair =
		(size_t)((hash_u64(seed) % npairs + account * 1237u) % npairs);
	size_t trade = pair % SG_COUNTOF(trades);
	size_t len;

	(void)snprintf(name, DEMO_NAME_MAX, "%s %s",
		stems[pair / SG_COUNTOF(trades)], trades[trade].word);
	*ret_industry = trades[trade].industry;
	len = strlen(name);
	for (size_t i = 0; i <= len; i++)
		id[i] = name[i] == ' ' ? '-' : (char)tolower((uint8_t)name[i]);
}

const char *
demo_country(uint64_t random, int32_t *ret_utc_hours)
{
	size_t i = (size_t)(random % SG_COUNTOF(countries));

	*ret_utc_hours = countries[i].utc_hours;
	return countries[i].name;
}

const char *
demo_csm(uint64_t random)
{
	return csms[random % SG_COUNTOF(csms)];
}
