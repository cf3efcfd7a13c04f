/*
 * compile.c - from source to program, and what a program tells of itself.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "emit.h"
#include "types.h"

static bool
check_want(
	struct compiler *cc, const struct node *root, const struct type *want)
{
	char have[TYPE_TEXT_MAX], text[TYPE_TEXT_MAX];
	const char *hint = NULL;

	if (want == NULL || type_fits(root->type, want))
		return true;
	if (type_is_number(want) && type_is_number(root->type))
		hint = want->kind == TYPE_DOUBLE ? "convert it: double(...)"
		       : want->kind == TYPE_INT	 ? "convert it: int(...)"
						 : "convert it: uint(...)";
	diag_add(cc, root->offset, root->len, hint, "this is %s, %s is needed",
		type_text(root->type, have, sizeof(have)),
		type_text(want, text, sizeof(text)));
	return false;
}

static bool
check_source(struct compiler *cc)
{
	if (cc->len > CEL_SOURCE_MAX) {
		diag_add(cc, 0, 0, NULL,
			"the expression is longer than %d bytes",
			CEL_SOURCE_MAX);
		return false;
	}
	if (!utf8_is_valid(cc->source, cc->len)) {
		diag_add(cc, 0, 0, NULL, "the expression is not valid UTF-8");
		return false;
	}
	return true;
}

static enum sg_err
compile(struct compiler *cc, const struct type *want,
	struct cel_prog **ret_prog)
{
	struct node *root;
	enum sg_err err;

	if (!check_source(cc))
		return SG_BAD_CONFIG;
	root = parse(cc);
	if (root != NULL && check(cc, root))
		(void)check_want(cc, root, want);
	if (cc->err != SG_OK)
		return cc->err;
	if (root == NULL || cc->has_mistake)
		return SG_BAD_CONFIG;
	err = emit_program(cc, root, ret_prog);
	if (err == SG_OK && want != NULL) {
		(*ret_prog)->want = (int)want->kind;
		(*ret_prog)->want_nullable = want->is_nullable;
	}
	return err;
}

enum sg_err
cel_compile(struct cel_env *env, const char *source, size_t len,
	const struct type *want, struct cel_diags *diags,
	struct cel_prog **ret_prog)
{
	struct compiler *cc = calloc(1, sizeof(*cc));
	enum sg_err err;

	if (cc == NULL)
		return SG_NOMEM;
	diags->n = 0;
	cc->env = env;
	cc->source = source;
	cc->len = len > CEL_SOURCE_MAX ? CEL_SOURCE_MAX + 1 : (uint32_t)len;
	cc->diags = diags;
	cc->is_lenient = (env->flags & CEL_ENV_CONFORMANCE) != 0;
	arena_init(&cc->arena, COMPILE_BYTES_MAX);
	err = compile(cc, want, ret_prog);
	arena_fini(&cc->arena);
	free(cc);
	return err;
}

void
cel_prog_destroy(struct cel_prog *prog)
{
	free(prog);
}

const char *
cel_prog_source(const struct cel_prog *prog)
{
	return prog->source;
}

const struct type *
cel_prog_type(const struct cel_prog *prog)
{
	return prog->type;
}

const uint32_t *
cel_prog_slots(const struct cel_prog *prog, size_t *ret_n)
{
	*ret_n = prog->nsorted;
	return prog->sorted;
}

bool
cel_prog_prints_now(const struct cel_prog *prog)
{
	return prog->prints_now;
}
