/*
 * code.h - instructions and the compiled program.
 *
 * A stack machine. An instruction has an operator, a small operand x, and two
 * operands a and b whose meaning OPS below tells; jump targets are absolute
 * indices. Slots read more than once have X_REMEMBER in x. Errors are values:
 * an operator with an error among its operands gives that error; only &&, ||,
 * ?: and the comprehensions look closer.
 *
 * The program is one block of memory: code, constants and all they point to.
 */
#ifndef RULES_CODE_H
#define RULES_CODE_H

#include "ast.h"
#include "segmentd/cel.h"

/* clang-format off */
/* OP(name): what it does to the stack. k is a constant, s a slot. */
#define CEL_OPS(OP)                                                            \
	OP(halt) /* the result is on top */                                    \
	CEL_RUN_OPS(OP)

#define CEL_RUN_OPS(OP)                                                        \
	OP(konst)      /* -> consts[a] */                                      \
	OP(now)	       /* -> now */                                            \
	OP(slot)       /* -> slots[a] */                                       \
	OP(slot_has)   /* -> has slots[a] */                                   \
	OP(local)      /* -> locals[a] */                                      \
	OP(set_local)  /* v -> ; locals[a] = v */                              \
	OP(field)      /* record -> field a */                                 \
	OP(field_has)  /* record -> has field a */                             \
	OP(member)     /* map -> its entry consts[a] */                        \
	OP(member_has) /* map -> has entry consts[a] */                        \
	OP(index)      /* v k -> v[k] */                                       \
	OP(add)                                                                \
	OP(sub)                                                                \
	OP(mul)                                                                \
	OP(div)                                                                \
	OP(mod)                                                                \
	OP(neg)                                                                \
	OP(not)                                                                \
	OP(compare)	  /* v w -> v x w; x is enum node_op */                \
	OP(compare_const) /* v -> v x consts[a] */                             \
	OP(slot_int)	  /* -> slots[a] x consts[b], an int */                \
	OP(slot_double)	  /* -> slots[a] x consts[b], a double */              \
	OP(slot_string)	  /* -> slots[a] == or != consts[b], a string */       \
	OP(slot_const)	  /* -> slots[a] x consts[b], anything */              \
	OP(in)		  /* v list -> v in list */                            \
	OP(jump)	  /* to a */                                           \
	OP(cond)	  /* c -> ; false: to a; error: push it, to b */       \
	OP(logic_begin)	  /* what comes is an && (x 0) or || (x 1) */          \
	OP(logic_next)	  /* v -> ; v decides (is x): push it, to a */         \
	OP(logic_end)	  /* v -> result */                                    \
	OP(list_new)	  /* -> list with room for a */                        \
	OP(list_put)	  /* list v -> list */                                 \
	OP(map_new)	  /* -> map with room for a entries */                 \
	OP(map_put)	  /* map k v -> map */                                 \
	OP(comp_begin)	  /* range -> ; local a; error: push it, to b */       \
	OP(comp_next)	  /* next element into locals, or result and to b */   \
	OP(comp_test)	  /* c -> ; false: to a; error: result and to b */     \
	OP(comp_take)	  /* v -> ; go on at a, or result and to b */          \
	OP(call)	  /* x arguments -> fns[a](...) */                     \
	OP(call_zone)	  /* v -> fns[a](v) in zones[b] */              \
	OP(call_local)	  /* v zone -> fns[a](v) in the zone it names */
/* clang-format on */

enum cel_op {
#define OP(name) OP_##name,
	CEL_OPS(OP)
#undef OP
};

struct insn {
	uint8_t op; /* enum cel_op */
	uint8_t x;
	uint16_t spare;
	uint32_t a;
	uint32_t b;
};

#define X_REMEMBER 0x80	     /* slots: load once per evaluation */
#define CEL_REMEMBER_MAX 256 /* slots beyond these are loaded again */

/* The boolean skeleton of the program, for explaining it. */
struct skeleton {
	uint8_t kind; /* NODE_LOGIC, NODE_COND, NODE_OP (not), NODE_CONST: atom
		       */
	uint8_t op;   /* NODE_OP_AND, NODE_OP_OR */
	uint32_t nargs;
	uint32_t first; /* args are skeleton[first .. first + nargs) */
	uint32_t start; /* atom: where its code starts; it ends with halt */
	uint32_t offset, len;	     /* atom: its text */
	uint32_t first_slot, nslots; /* atom: in atom_slots */
};

struct zone {
	const struct tz *tz;
};

/*
 * The direct form of a program, see quick.c: one step a comparison, and for
 * each of its outcomes the way on.
 */
enum quick_op {
	QUICK_INT,     /* an int in a range */
	QUICK_DOUBLE,  /* a double in a range */
	QUICK_BOOL,    /* a bool that is true */
	QUICK_TEXT,    /* a string that is k */
	QUICK_HAS,     /* has() */
	QUICK_SINCE,   /* a timestamp that is so long ago */
	QUICK_IN_TEXT, /* a string that is in the list k */
	QUICK_IN,      /* anything that is in the list k */
	QUICK_COMPARE, /* anything with k */
};

#define QUICK_STEPS_MAX 256
#define QUICK_LEVELS 8	   /* && and || in one another */
#define QUICK_FALSE 0xfffe /* as a next step: the result */
#define QUICK_TRUE 0xffff
#define QUICK_KEEP_NONE 0xff
#define QUICK_KEEP_FIRST 0x80

struct quick_way {
	uint16_t next; /* a step, or QUICK_FALSE or QUICK_TRUE */
	uint8_t keep;  /* the level that is not decided by this outcome */
	uint8_t merge; /* the levels that it decides with all their operands */
};

struct quick_step {
	uint8_t op;	 /* enum quick_op */
	uint8_t compare; /* enum node_op */
	uint16_t spare;
	uint32_t slot; /* as the host numbers it */
	struct quick_way ways[2];
	union {
		struct {
			int64_t low;
			uint64_t span;
		} i;
		struct {
			double low;
			double high;
		} d;
		struct {
			int64_t ms;
			uint32_t ns;
		} since; /* true from x + both on, rounded down to ms */
		struct value k;
	} as;
};

_Static_assert(sizeof(struct quick_step) == 32, "two steps a cache line");

struct cel_prog {
	const struct insn *code;
	const struct quick_step *quick; /* NULL: it has no direct form */
	const struct value *consts;
	const uint32_t *slots;	/* as the instructions number them */
	const uint32_t *sorted; /* the slots, ascending */
	const struct zone *zones;
	const struct skeleton *skeleton; /* [0] is the root */
	const uint32_t *atom_slots;
	const struct tz *tz; /* for getters that name none */
	const char *source;
	const struct type *type;
	uint32_t nslots, nsorted, nskeleton;
	int want; /* enum type_kind the result must have, TYPE_DYN: any */
	bool want_nullable;
	bool prints_now;
};

/* A level of the tree has at most three values waiting (the receiver and two
 * arguments of a call) and one && or || open. */
#define STACK_MAX (4 * NODE_DEPTH_MAX)
#define LOGIC_MAX NODE_DEPTH_MAX

#endif
