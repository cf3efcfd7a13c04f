/*
 * redis_script.c - the scripts of the renewal queue: their texts, which are
 * part of this program as they are in renewals/, and how one is run.
 *
 * EVAL sends the text each time: a command line runs few of them, and a text of
 * 3 KB costs less than the round trip that would ask whether it is known.
 */
#include <hiredis/hiredis.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "redis_store.h"

#define FOLDER "processor/store/renewals/"

/* NOLINTBEGIN(bugprone-macro-parentheses): declarations have none. */
#define SCRIPT(name, file)                                                     \
	__asm__(".pushsection .rodata\n"                                       \
		".type store_script_" #name ", @object\n"                      \
		"store_script_" #name ":\n"                                    \
		".incbin \"" FOLDER "common.lua\"\n"                           \
		".incbin \"" FOLDER file "\"\n"                                \
		".byte 0\n"                                                    \
		".popsection\n");                                              \
	extern const char store_script_##name[];
STORE_SCRIPTS(SCRIPT)
#undef SCRIPT
/* NOLINTEND(bugprone-macro-parentheses) */

const char *
store_script_text(enum store_script script)
{
	static const char *const texts[] = {
#define SCRIPT(name, file) store_script_##name,
		STORE_SCRIPTS(SCRIPT)
#undef SCRIPT
	};

	return texts[script];
}

const char *
store_script_name(enum store_script script)
{
	static const char *const names[] = {
#define SCRIPT(name, file) #name,
		STORE_SCRIPTS(SCRIPT)
#undef SCRIPT
	};

	return names[script];
}

/* lint: locale-free (the "C" locale is named) */
double
store_score(const char *text)
{
	locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	double score = 0;

	if (c == (locale_t)0)
		return score;
	score = strtod_l(text, NULL, c);
	freelocale(c);
	return score;
}

/* A script refuses with one of these; everything else is Redis's. */
static bool
is_refusal(const char *text)
{
	static const char *const words[] = {
		"NOACCOUNT ", "UNCLAIMED ", "FOREIGN ", "EXPIRED "};

	for (size_t i = 0; i < SG_COUNTOF(words); i++)
		if (strncmp(text, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static enum sg_err
copy_leaf(const redisReply *reply, struct arena *arena,
	struct store_answer *ret_answer)
{
	*ret_answer = (struct store_answer){.kind = STORE_ANSWER_NONE};
	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		ret_answer->kind = STORE_ANSWER_NUMBER;
		ret_answer->number = reply->integer;
		return SG_OK;
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_ERROR:
		ret_answer->kind = reply->type == REDIS_REPLY_ERROR
					   ? STORE_ANSWER_REFUSED
					   : STORE_ANSWER_TEXT;
		ret_answer->text = arena_copy(arena, reply->str, reply->len);
		return ret_answer->text == NULL ? SG_NOMEM : SG_OK;
	case REDIS_REPLY_NIL:
		return SG_OK;
	default:
		return SG_INTERNAL;
	}
}

/* lint: recursion (lists of lists, at most as deep as a script makes them) */
static enum sg_err
copy_answer(const redisReply *reply, int depth, struct arena *arena,
	struct store_answer *ret_answer)
{
	struct store_answer *items;
	enum sg_err err = SG_OK;

	if (reply->type != REDIS_REPLY_ARRAY)
		return copy_leaf(reply, arena, ret_answer);
	if (depth == STORE_ANSWER_DEPTH)
		return SG_INTERNAL;
	items = arena_array(arena, reply->elements + 1, sizeof(*items));
	if (items == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < reply->elements && err == SG_OK; i++)
		err = copy_answer(
			reply->element[i], depth + 1, arena, &items[i]);
	*ret_answer = (struct store_answer){.kind = STORE_ANSWER_LIST,
		.items = items,
		.nitems = reply->elements};
	return err;
}

enum sg_err
redis_store_script(struct store *base, int32_t number, enum store_script script,
	const char *const *args, size_t nargs, struct arena *arena,
	struct store_answer *ret_answer, struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	const struct redis_key_text *key;
	struct redis_keys keys;
	redisReply *reply = NULL;
	enum sg_err err;

	redis_store_route(store, number);
	redis_keys_init(&keys, store->prefix, store->layout, number);
	key = &keys.key[REDIS_KEY_RENEWALS];
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "EVAL");
	resp_arg_text(&store->request, store_script_text(script));
	resp_arg_uint(&store->request, 1);
	resp_arg(&store->request, key->at, key->len);
	for (size_t i = 0; i < nargs; i++)
		resp_arg_text(&store->request, args[i]);
	err = redis_ask_script(store, is_refusal, &reply, why);
	if (err != SG_OK)
		return err;
	err = copy_answer(reply, 0, arena, ret_answer);
	freeReplyObject(reply);
	return err == SG_OK ? SG_OK
			    : sg_fault_set(why, err,
				      "reading from Redis: a script's answer "
				      "of an unexpected form");
}
