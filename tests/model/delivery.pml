/*
 * delivery.pml - how segmentd delivers, with everything that may go wrong.
 *
 * Two workers of one consumer group, one of which owns the NG partition groups;
 * the other is dead, stands by, or does not know yet that it lost them. Each
 * group has NIN inputs of NEV events about NA accounts. What a step does and
 * when it may be taken is that of the code:
 *
 *      takeover.c          TAKEOVER_STEPS
 *      take.c, group.c     load() FOLD DECIDE FIRE TAKE_DUE EVICT
 *      commit.c            K_STEPS
 *      flush.c, commit.c   FLUSH_STEPS
 *      redis_guard.c       apply() rearm()
 *
 * Kafka is a coordinator per worker: a transaction is open, is decided, and
 * then its two markers are written, in either order: that on the offsets lets
 * G be seen, that on the outputs lets the log be read.
 *
 * A features' state F is the set of events folded into it. Membership is a
 * version, a seat, and whether the account's timer has had its effect (T): every
 * account with an event has one, due when `late` turns true.
 *
 * What must hold is asserted where Kafka decides and where Redis applies, and
 * once nothing can happen any more: then both are at the end of the input.
 *
 * Parameters: NG NIN NEV NA, NCHG changes, NF faults; the faults NOLOSS
 * NOLATE NOMOVE turn off; DEL, REP: number of the event that is a deletion, a
 * repeat; REJ: the event of the first input that cannot be read. DROP_*, each a
 * rule left out, are listed in `run`.
 */
#ifndef NG
#define NG 1
#endif
#ifndef NIN
#define NIN 1
#endif
#ifndef NEV
#define NEV 2
#endif
#ifndef NA
#define NA 2
#endif
#ifndef NCHG
#define NCHG 2
#endif
#ifndef NF
#define NF 2
#endif
#ifndef DEL
#define DEL 99
#endif
#ifndef REP
#define REP 99
#endif
#ifndef REJ
#define REJ 99
#endif

#define NL (NCHG + NA * NG + 1) /* images in a log, at most */
#define ACC(i, p) (((i) + (p)) % NA)
#define IS_REJECT(i, p) ((i) == 0 && (p) == REJ)
#define BIT(i, p) (1 << ((i) * NEV + (p)))
#define NOBODY 9

typedef Blob { byte ap[NIN]; byte F; byte v; byte s; bit T; byte due }
typedef Red { byte tok; byte cid; bit hw; byte W[NIN]; byte out; Blob b[NA] }
typedef Acct {
	bit ld; bit dirty; bit tch; bit chg; bit known;
	byte arm;	  /* 0 no timer, 1 at its time, 2 now */
	byte ap[NIN]; byte F; byte v; byte s; bit T;
	byte pv; byte ps; /* as last published */
	byte dp[NIN]; byte dout
}
typedef Mem {
	byte tok; byte cid; bit cu; bit ink; bit dl; bit doubt;
	byte fold[NIN]; byte g[NIN]; byte outn; byte wk; byte we; bit wt;
	Acct a[NA]
}
typedef Image { bit on; byte bv; byte bs; byte v; byte s; bit T }
typedef Part { byte from[NIN]; byte to[NIN]; Image m[NA] }
typedef Txn { byte st; bit req; bit mG; bit mL; byte li[NG]; Part p[NG] }
typedef Msg {
	bit net; bit own; byte grp; byte tok; byte cid; byte W[NIN]; byte out;
	bit has[NA]; Blob b[NA]
}
typedef Pos { byte ap[NIN] }
typedef Log { byte a[NL]; byte v[NL]; byte s[NL]; bit T[NL]; byte n }
typedef Last { byte v[NA]; byte s[NA]; bit T[NA] }

Red R[NG]; Red S[NG];	/* Redis, and an older copy of it */
Msg q;			/* a commit that is answered at once */
Msg z;			/* one on its way, or in doubt */
Txn t[2];
Pos G[NG]; Pos D[NG];	/* committed: as can be read, as decided */
bit hasG;
Log L[NG];
Last last[NG];		/* what the log comes to */
Mem mem[2 * NG];
byte pc[2]; byte cg[2]; /* what a worker is at, and with which group */
byte owner; byte gen; byte wgen[2]; /* the consumer group */
byte ntok; byte nf = NF; byte nchg = NCHG;
bit late; bit saved;
hidden byte h, i, j, k, e, f, ok, m;

#define P_IDLE 0
#define P_INIT 1
#define P_TOKEN 2
#define P_READ_G 3
#define P_READ_END 4
#define P_WALK 5
#define P_RUN 6
#define P_K 7
#define M(w, c) mem[(w) * NG + (c)]
#define OTHER(w) (1 - (w))
#define MEMBER(w) (owner == w && wgen[w] == gen)

/* --- what the state of an account must be, by its applied offsets ---------- */

inline expect(acct, pos, ret) {
	ret = 0; i = 0;
	do
	:: i < NIN ->
		k = 0;
		do
		:: k < pos.ap[i] ->
			if
			:: ACC(i, k) == acct && k == DEL -> ret = 0
			:: ACC(i, k) == acct && k != DEL && k != REP &&
				!IS_REJECT(i, k) ->
				ret = ret | BIT(i, k)
			:: else
			fi;
			k++
		:: else -> break
		od;
		i++
	:: else -> break
	od;
	i = 0; k = 0
}

/* --- forgetting ------------------------------------------------------------ */

inline clear_acct(x) {
	x.ld = 0; x.dirty = 0; x.tch = 0; x.chg = 0; x.known = 0; x.arm = 0;
	x.F = 0; x.v = 0; x.s = 0; x.T = 0; x.pv = 0; x.ps = 0; x.dout = 0;
	for (i : 0 .. NIN - 1) { x.ap[i] = 0; x.dp[i] = 0 }
	i = 0
}
inline clear_mem(x) {
	x.tok = 0; x.cid = 0; x.cu = 0; x.ink = 0; x.dl = 0; x.doubt = 0;
	x.outn = 0; x.wk = 0; x.we = 0; x.wt = 0;
	for (i : 0 .. NIN - 1) { x.fold[i] = 0; x.g[i] = 0 }
	i = 0;
	for (h : 0 .. NA - 1) { clear_acct(x.a[h]) }
	h = 0
}
inline clear_blob(x) {
	x.F = 0; x.v = 0; x.s = 0; x.T = 0; x.due = 0;
	for (i : 0 .. NIN - 1) { x.ap[i] = 0 }
	i = 0
}
inline copy_blob(x, y) {
	x.F = y.F; x.v = y.v; x.s = y.s; x.T = y.T; x.due = y.due;
	for (i : 0 .. NIN - 1) { x.ap[i] = y.ap[i] }
	i = 0
}
inline copy_red(x, y) {
	x.tok = y.tok; x.cid = y.cid; x.hw = y.hw; x.out = y.out;
	for (i : 0 .. NIN - 1) { x.W[i] = y.W[i] }
	i = 0;
	for (h : 0 .. NA - 1) { copy_blob(x.b[h], y.b[h]) }
	h = 0
}
inline clear_red(x) {
	x.tok = 0; x.cid = 0; x.hw = 0; x.out = 0;
	for (i : 0 .. NIN - 1) { x.W[i] = 0 }
	i = 0;
	for (h : 0 .. NA - 1) { clear_blob(x.b[h]) }
	h = 0
}
inline clear_msg(x) {
	x.grp = 0; x.tok = 0; x.cid = 0; x.out = 0;
	for (i : 0 .. NIN - 1) { x.W[i] = 0 }
	i = 0;
	for (h : 0 .. NA - 1) { x.has[h] = 0; clear_blob(x.b[h]) }
	h = 0
}
inline copy_msg(x, y) {
	x.grp = y.grp; x.tok = y.tok; x.cid = y.cid; x.out = y.out;
	for (i : 0 .. NIN - 1) { x.W[i] = y.W[i] }
	i = 0;
	for (h : 0 .. NA - 1) { x.has[h] = y.has[h]; copy_blob(x.b[h], y.b[h]) }
	h = 0
}
inline tidy_z() {
	if
	:: !z.net && !z.own -> clear_msg(z)
	:: else
	fi
}
inline forget(w) {
	if
	:: z.own && w == z.grp / NG -> z.own = 0
	:: else
	fi;
	tidy_z();
	for (e : 0 .. NG - 1) { clear_mem(M(w, e)) }
	e = 0; cg[w] = 0
}
inline clear_txn(x) {
	x.st = 0; x.req = 0; x.mG = 0; x.mL = 0;
	for (e : 0 .. NG - 1) {
		x.li[e] = 0;
		for (i : 0 .. NIN - 1) { x.p[e].from[i] = 0; x.p[e].to[i] = 0 }
		i = 0;
		for (h : 0 .. NA - 1) {
			x.p[e].m[h].on = 0; x.p[e].m[h].bv = 0;
			x.p[e].m[h].bs = 0; x.p[e].m[h].v = 0;
			x.p[e].m[h].s = 0; x.p[e].m[h].T = 0
		}
		h = 0
	}
	e = 0
}

/* --- Redis ----------------------------------------------------------------- */

#ifdef DROP_TOKEN
#define MATCH(c_, t_, k_) (R[c_].cid == (k_))
#elif defined(DROP_CID)
#define MATCH(c_, t_, k_) (R[c_].tok == (t_))
#else
#define MATCH(c_, t_, k_) (R[c_].tok == (t_) && R[c_].cid == (k_))
#endif
#ifdef DROP_LOAD_TOKEN
#define MAY_LOAD(w, c) (M(w, c).tok != 0)
#elif defined(DROP_LOAD_CID)
#define MAY_LOAD(w, c) (M(w, c).tok != 0 && R[c].tok == M(w, c).tok)
#else
#define MAY_LOAD(w, c) (M(w, c).tok != 0 && R[c].tok == M(w, c).tok && \
	R[c].cid == M(w, c).cid)
#endif

/* A blob is the fold of what is committed; nothing below W and out is missing
 * from the blobs. */
inline check_redis(c) {
	h = 0;
	do
	:: h < NA ->
		expect(h, R[c].b[h], f);
		assert(R[c].b[h].F == f);
		f = (R[c].b[h].v == 0);
		k = 0;
		do
		:: k < L[c].n ->
			if
			:: L[c].a[k] == h && L[c].v[k] == R[c].b[h].v ->
				f = 1;
				assert(L[c].s[k] == R[c].b[h].s);
				assert(L[c].T[k] == R[c].b[h].T)
			:: else
			fi;
			assert(!(L[c].a[k] == h && k < R[c].out) ||
				R[c].b[h].v >= L[c].v[k]);
			k++
		:: else -> break
		od;
		assert(f); /* its membership was published */
		i = 0;
		do
		:: i < NIN ->
			assert(R[c].b[h].ap[i] <= D[c].ap[i]);
			k = 0;
			do
			:: k < R[c].W[i] ->
				assert(ACC(i, k) != h || IS_REJECT(i, k) ||
					R[c].b[h].ap[i] > k);
				k++
			:: else -> break
			od;
			assert(R[c].W[i] <= D[c].ap[i]);
			i++
		:: else -> break
		od;
		h++
	:: else -> break
	od;
	h = 0; i = 0; k = 0; f = 0
}

inline apply(x) {
	ok = 0; j = x.grp % NG;
	if
	:: MATCH(j, x.tok, x.cid) ->
		R[j].cid = x.cid + 1; R[j].hw = 1; R[j].out = x.out; ok = 1;
		for (i : 0 .. NIN - 1) { R[j].W[i] = x.W[i] }
		i = 0;
		for (h : 0 .. NA - 1) {
			if
			:: x.has[h] -> copy_blob(R[j].b[h], x.b[h])
			:: else
			fi
		}
		h = 0;
		check_redis(j)
	:: else
	fi;
	j = 0
}

/* --- accounts -------------------------------------------------------------- */

inline fill(w, c, x) {
	M(w, c).a[x].ld = 1;
	M(w, c).a[x].F = R[c].b[x].F;
	M(w, c).a[x].v = R[c].b[x].v; M(w, c).a[x].pv = R[c].b[x].v;
	M(w, c).a[x].s = R[c].b[x].s; M(w, c).a[x].ps = R[c].b[x].s;
	M(w, c).a[x].T = R[c].b[x].T;
	for (i : 0 .. NIN - 1) { M(w, c).a[x].ap[i] = R[c].b[x].ap[i] }
	i = 0
}
inline load(w, c, x) {
	ok = 1;
	if
	:: M(w, c).a[x].ld
	:: !M(w, c).a[x].ld && MAY_LOAD(w, c) -> fill(w, c, x)
	:: else -> ok = 0
	fi
}
inline mark_dirty(w, c, x) {
	if
	:: !M(w, c).a[x].dirty ->
		M(w, c).a[x].dirty = 1; M(w, c).a[x].dout = M(w, c).outn;
		for (i : 0 .. NIN - 1) {
			M(w, c).a[x].dp[i] = M(w, c).fold[i]
		}
		i = 0
	:: else
	fi
}
/* What an evaluation comes to: time has brought it; or anything; or nothing. */
inline choose(w, c, x) {
	if
	:: late && M(w, c).a[x].F != 0 && !M(w, c).a[x].T -> m = 3
	:: !(late && M(w, c).a[x].F != 0 && !M(w, c).a[x].T) -> m = 0
	:: nchg > 0 && !(late && M(w, c).a[x].F != 0 && !M(w, c).a[x].T) ->
		m = 1
	:: nchg > 0 && !(late && M(w, c).a[x].F != 0 && !M(w, c).a[x].T) ->
		m = 2
	fi
}
inline decide(w, c, x) {
	if
	:: m != 0 ->
		mark_dirty(w, c, x);
		M(w, c).a[x].v++; M(w, c).a[x].chg = 1;
		M(w, c).a[x].s = (M(w, c).a[x].s + (m == 2 -> 2 : 1)) % 3;
		if
		:: m == 3 -> M(w, c).a[x].T = 1
		:: else -> nchg--
		fi
	:: else
	fi;
	M(w, c).a[x].known = 1; m = 0;
	M(w, c).a[x].arm =
		(M(w, c).a[x].F != 0 && !M(w, c).a[x].T -> 1 : 0)
}
/* All groups of a worker at once: before, none could publish. */
inline check_caught_up(w) {
	ok = 1;
	for (e : 0 .. NG - 1) {
		for (i : 0 .. NIN - 1) {
			if
			:: M(w, e).fold[i] < M(w, e).g[i] -> ok = 0
			:: else
			fi
		}
	}
	i = 0;
	if
	:: ok ->
		for (e : 0 .. NG - 1) { M(w, e).cu = 0 }
	:: else
	fi;
	e = 0; ok = 0
}

#if NA == 2
#define ANY(w, c, field) (M(w, c).a[0].field || M(w, c).a[1].field)
#else
#define ANY(w, c, field) (M(w, c).a[0].field)
#endif
#if NIN == 2
#define SAME(x, y) (x[0] == y[0] && x[1] == y[1])
#define BELOW(x, y) (x[0] <= y[0] && x[1] <= y[1])
#else
#define SAME(x, y) (x[0] == y[0])
#define BELOW(x, y) (x[0] <= y[0])
#endif

/* --- R --------------------------------------------------------------------- */

#ifdef DROP_CHANGED
#define NONE_CHANGED(w, c) true
#else
#define NONE_CHANGED(w, c) (!ANY(w, c, chg))
#endif
#ifdef DROP_IN_KAFKA
#define IN_KAFKA(w, c) true
#else
#define IN_KAFKA(w, c) (M(w, c).ink)
#endif
#ifdef DROP_K_FIRST
#define AT_BOUNDARY(w, c) IN_KAFKA(w, c)
#else
#define AT_BOUNDARY(w, c) (IN_KAFKA(w, c) && NONE_CHANGED(w, c) && \
	!ANY(w, c, tch) && SAME(M(w, c).fold, M(w, c).g))
#endif
#ifdef DROP_ELIGIBLE
#define ELIGIBLE(w, c, x) true
#else
#define ELIGIBLE(w, c, x) (BELOW(M(w, c).a[x].ap, M(w, c).g))
#endif
/* While catching up, when memory is short: what is below G. */
#define RELIEF(w, c) (M(w, c).cu && IN_KAFKA(w, c))
#define PUT(w, c, x) (M(w, c).a[x].dirty && (AT_BOUNDARY(w, c) || \
	(RELIEF(w, c) && ELIGIBLE(w, c, x))))

/* Doubt: memory is worth nothing. The consumer says whether it is ours still. */
inline lost(w) {
	forget(w);
	pc[w] = (MEMBER(w) -> P_INIT : P_IDLE)
}

/* The account into the message; it is clean from now on. */
inline put(w, c, y) {
	q.has[y] = 1;
	q.b[y].F = M(w, c).a[y].F; q.b[y].v = M(w, c).a[y].v;
	q.b[y].s = M(w, c).a[y].s; q.b[y].T = M(w, c).a[y].T;
	for (i : 0 .. NIN - 1) { q.b[y].ap[i] = M(w, c).a[y].ap[i] }
	i = 0;
#ifdef DROP_TOMBSTONE
	if
	:: M(w, c).a[y].F == 0 && M(w, c).a[y].ap[0] > DEL ->
		clear_blob(q.b[y])
	:: else
	fi;
#endif
#ifndef DROP_EARLY
	if
	:: M(w, c).a[y].tch ->
		M(w, c).a[y].tch = 0; M(w, c).a[y].arm = 2
	:: else
	fi;
#else
	M(w, c).a[y].tch = 0;
#endif
#ifdef DROP_DUE_KNOWN
	q.b[y].due = M(w, c).a[y].arm;
#else
	q.b[y].due = (M(w, c).a[y].arm != 0 || M(w, c).a[y].known ->
		M(w, c).a[y].arm : R[c].b[y].due);
#endif
	M(w, c).a[y].dirty = 0; M(w, c).a[y].dout = 0;
	for (i : 0 .. NIN - 1) { M(w, c).a[y].dp[i] = 0 }
	i = 0
}
/* W and out: from before the oldest that is dirty still, never beyond G. */
inline low_marks(w, c) {
	q.out = M(w, c).outn;
	for (i : 0 .. NIN - 1) { q.W[i] = M(w, c).fold[i] }
	i = 0;
	for (h : 0 .. NA - 1) {
		if
		:: M(w, c).a[h].dirty ->
#ifndef DROP_FIFO_OUT
			if
			:: M(w, c).a[h].dout < q.out ->
				q.out = M(w, c).a[h].dout
			:: else
			fi;
#endif
#ifndef DROP_FIFO_W
			for (i : 0 .. NIN - 1) {
				if
				:: M(w, c).a[h].dp[i] < q.W[i] ->
					q.W[i] = M(w, c).a[h].dp[i]
				:: else
				fi
			}
			i = 0;
#endif
			skip
		:: else
		fi
	}
	h = 0;
#ifndef DROP_CLAMP
	for (i : 0 .. NIN - 1) {
		if
		:: q.W[i] > M(w, c).g[i] -> q.W[i] = M(w, c).g[i]
		:: else
		fi
	}
	i = 0
#endif
}
/* Is it answered, or is the answer lost and a copy still on its way? */
inline hazard() {
	if
	:: m = 0
#ifndef NOLATE
	:: nf > 0 && !z.net && !z.own -> m = 1
#endif
	fi
}
inline flush(w, c, m0, m1) {
	q.grp = w * NG + c; q.tok = M(w, c).tok; q.cid = M(w, c).cid;
	if
	:: m0 -> put(w, c, 0)
	:: else
	fi;
#if NA == 2
	if
	:: m1 -> put(w, c, 1)
	:: else
	fi;
#endif
	low_marks(w, c);
	if
	:: m == 0 ->
		apply(q);
		if
		:: ok -> M(w, c).cid++
		:: else -> lost(w)
		fi
	:: else ->
		nf--; copy_msg(z, q);
		z.net = 1; z.own = 1; M(w, c).doubt = 1
	fi;
	ok = 0; m = 0;
	clear_msg(q)
}
/* A new connection: was the commit in doubt applied? If not, the same again. */
inline rearm(w, c) {
	if
	:: R[c].tok == M(w, c).tok && R[c].cid == M(w, c).cid + 1 ->
		M(w, c).cid++; M(w, c).doubt = 0
	:: R[c].tok == M(w, c).tok && R[c].cid == M(w, c).cid ->
		apply(z); assert(ok); M(w, c).cid++; M(w, c).doubt = 0
	:: else -> lost(w)
	fi;
	ok = 0;
	if
	:: z.own -> z.own = 0; tidy_z()
	:: else
	fi
}

/* --- the steps of a worker ------------------------------------------------- */

#ifdef DROP_CATCHING_UP
#define CU(w, c) false
#else
#define CU(w, c) M(w, c).cu
#endif
#define READY(w, c) (pc[w] == P_RUN && !M(w, c).doubt)
/* A worker does one thing at a time: nothing while a commit is in doubt. */
#if NG == 2
#define CALM(w) (pc[w] == P_RUN && !M(w, 0).doubt && !M(w, 1).doubt)
#else
#define CALM(w) READY(w, 0)
#endif

/* Under way: in a walk, or with its timers in the cache. */
#define GOES(w, c) (CALM(w) && (CU(w, c) || M(w, c).dl))
#define FOLD(w, c, n) \
	:: d_step { GOES(w, c) && M(w, c).fold[n] < NEV -> \
		h = ACC(n, M(w, c).fold[n]); load(w, c, h); \
		if \
		:: ok -> fold_event(w, c, n) \
		:: else -> lost(w) \
		fi; \
		h = 0; ok = 0 }
inline fold_event(w, c, n) {
	h = M(w, c).fold[n]; f = ACC(n, h);
	if
	:: IS_REJECT(n, h) -> skip
#ifndef DROP_SKIP
	:: !IS_REJECT(n, h) && h < M(w, c).a[f].ap[n] -> skip
#endif
	:: else ->
		mark_dirty(w, c, f);
		M(w, c).a[f].ap[n] = h + 1;
		if
		:: h == DEL -> M(w, c).a[f].F = 0; M(w, c).a[f].tch = 1
		:: h == REP -> skip
		:: else -> /* and each once */
			assert((M(w, c).a[f].F & BIT(n, h)) == 0);
			M(w, c).a[f].F = M(w, c).a[f].F | BIT(n, h);
			M(w, c).a[f].tch = 1
		fi
	fi;
	M(w, c).fold[n]++;
	h = 0; f = 0;
	check_caught_up(w)
}

#define DECIDE(w, c, x) \
	:: atomic { CALM(w) && !CU(w, c) && M(w, c).a[x].tch && \
		(x == 0 || !M(w, c).a[0].tch) -> \
		choose(w, c, x); \
		d_step { M(w, c).a[x].tch = 0; decide(w, c, x) } }
#define IS_DUE(w, c, x) (M(w, c).a[x].arm == 2 || \
	(late && M(w, c).a[x].arm == 1))
#if NA == 2
#define ANY_DUE(w, c) (IS_DUE(w, c, 0) || IS_DUE(w, c, 1))
#else
#define ANY_DUE(w, c) IS_DUE(w, c, 0)
#endif
#define FIRE(w, c, x) \
	:: atomic { GOES(w, c) && !CU(w, c) && IS_DUE(w, c, x) && \
		!ANY(w, c, tch) && (x == 0 || !IS_DUE(w, c, 0)) -> \
		choose(w, c, x); \
		d_step { mark_dirty(w, c, x); decide(w, c, x) } }
/* Timers of the index into the cache: from now on they live there. */
#define TAKE_DUE(w, c) \
	:: d_step { CALM(w) && !CU(w, c) && !M(w, c).dl && \
		!ANY(w, c, tch) -> \
		if \
		:: MAY_LOAD(w, c) -> take_due(w, c) \
		:: else -> lost(w) \
		fi }
inline take_due(w, c) {
	for (h : 0 .. NA - 1) {
		if
		:: R[c].b[h].due != 0 && !M(w, c).a[h].ld -> fill(w, c, h)
		:: else
		fi;
		if
		:: R[c].b[h].due != 0 && M(w, c).a[h].arm == 0 ->
			M(w, c).a[h].arm = R[c].b[h].due
		:: else
		fi
	}
	h = 0; M(w, c).dl = 1
}
#ifdef DROP_CLEAN
#define IS_CLEAN(w, c, x) (!M(w, c).a[x].chg)
#else
#define IS_CLEAN(w, c, x) (!M(w, c).a[x].dirty)
#endif
#ifdef EVICTION
#define EVICT(w, c, x) \
	:: d_step { (CALM(w) || (pc[w] == P_WALK && cg[w] == c && \
		!M(w, c).doubt)) && M(w, c).a[x].ld && IS_CLEAN(w, c, x) && \
		!M(w, c).a[x].tch && !(M(w, c).a[x].arm && M(w, c).dl) -> \
		clear_acct(M(w, c).a[x]) }
#else
#define EVICT(w, c, x)
#endif

#ifdef DROP_GENERATION
#define IS_MEMBER(w) true
#else
#define IS_MEMBER(w) MEMBER(w)
#endif

/* K: refused unless we are a member of the group's present generation. */
inline k_send(w) {
	if
	:: IS_MEMBER(w) ->
		t[w].st = 1;
		for (e : 0 .. NG - 1) {
			for (i : 0 .. NIN - 1) {
				t[w].p[e].from[i] = M(w, e).g[i];
				t[w].p[e].to[i] = M(w, e).fold[i]
			}
			i = 0;
			for (h : 0 .. NA - 1) {
				if
				:: M(w, e).a[h].chg ->
					t[w].p[e].m[h].on = 1;
					t[w].p[e].m[h].bv = M(w, e).a[h].pv;
					t[w].p[e].m[h].bs = M(w, e).a[h].ps;
					t[w].p[e].m[h].v = M(w, e).a[h].v;
					t[w].p[e].m[h].s = M(w, e).a[h].s;
					t[w].p[e].m[h].T = M(w, e).a[h].T
				:: else
				fi
			}
			h = 0
		}
		e = 0;
		pc[w] = P_K
		:: else -> forget(w); pc[w] = P_IDLE
	fi
}
inline k_settle(w) {
	for (e : 0 .. NG - 1) {
		M(w, e).ink = 1;
		for (i : 0 .. NIN - 1) { M(w, e).g[i] = M(w, e).fold[i] }
		i = 0; f = 0;
		for (h : 0 .. NA - 1) {
			if
			:: M(w, e).a[h].chg ->
				M(w, e).a[h].chg = 0;
				M(w, e).a[h].pv = M(w, e).a[h].v;
				M(w, e).a[h].ps = M(w, e).a[h].s;
				f = 1
			:: else
			fi
		}
		h = 0;
		/* Offsets of other producers' records may lie in between. */
		if
		:: f -> M(w, e).outn = L[e].n
		:: else
		fi;
		f = 0
	}
	e = 0; pc[w] = P_RUN
}

#if NG == 2
#define EVERY(p, w) (p(w, 0) && p(w, 1))
#define SOME(p, w) (p(w, 0) || p(w, 1))
#else
#define EVERY(p, w) (p(w, 0))
#define SOME(p, w) (p(w, 0))
#endif
/* Timers that are due may fire later: there may be more than a round takes. */
#define IS_DECIDED(w, c) (!CU(w, c) && M(w, c).dl && !ANY(w, c, tch))
#define HAS_NEWS(w, c) (ANY(w, c, chg) || !SAME(M(w, c).fold, M(w, c).g))

#define K_STEPS(w) \
	:: d_step { CALM(w) && t[w].st == 0 && EVERY(IS_DECIDED, w) && \
		SOME(HAS_NEWS, w) -> k_send(w) } \
	:: d_step { pc[w] == P_K && t[w].st == 1 && !t[w].req -> \
		t[w].req = 1 } \
	/* Aborted before the commit was asked for: again as it was. */ \
	:: d_step { pc[w] == P_K && t[w].st == 1 && !t[w].req && nf > 0 -> \
		nf--; clear_txn(t[w]); pc[w] = P_RUN } \
	:: d_step { pc[w] == P_K && t[w].st == 2 && t[w].mG && t[w].mL -> \
		k_settle(w); clear_txn(t[w]) } \
	/* Fenced while it was open, or the outcome is not known. */ \
	:: d_step { pc[w] == P_K && t[w].st == 0 -> lost(w) } \
	:: d_step { pc[w] == P_K && nf > 0 -> nf--; lost(w) } \
	WRONG_OUTCOMES(w)
#if defined(DROP_UNKNOWN)
/* An unknown outcome is taken for an abort. */
#define WRONG_OUTCOMES(w) \
	:: d_step { pc[w] == P_K && t[w].st == 2 && t[w].mG && t[w].mL -> \
		clear_txn(t[w]); pc[w] = P_RUN }
#elif defined(DROP_OUTCOME)
/* An unknown outcome is taken for a commit. */
#define WRONG_OUTCOMES(w) \
	:: d_step { pc[w] == P_K && t[w].st == 1 && t[w].req -> k_settle(w) }
#else
#define WRONG_OUTCOMES(w)
#endif

/* --- take-over ------------------------------------------------------------- */

/* Token, and what was remembered. */
inline take_token(w, c) {
	ntok++; R[c].tok = ntok; R[c].cid = 0;
	M(w, c).tok = ntok; M(w, c).cid = 0;
	M(w, c).outn = R[c].out;
	for (i : 0 .. NIN - 1) { M(w, c).fold[i] = R[c].W[i] }
	i = 0;
	M(w, c).we = R[c].hw
}
/* What has to be asked of an operator must not come of our own doing. */
inline read_g(w, c) {
	assert(!M(w, c).we || hasG);
	M(w, c).we = 0;
	for (i : 0 .. NIN - 1) {
		M(w, c).g[i] = G[c].ap[i];
		assert(M(w, c).fold[i] <= M(w, c).g[i])
	}
	i = 0;
	M(w, c).ink = hasG; M(w, c).cu = 1
}
#define IS_OPEN(w) (t[w].st == 1 || (t[w].st == 2 && !t[w].mL))
/* The end of the log is the high watermark. What another's open transaction
 * has below it is waited for. */
inline read_end(w, c) {
#ifdef DROP_LAST_STABLE
	M(w, c).we = (t[OTHER(w)].st == 2 && !t[OTHER(w)].mL ->
		t[OTHER(w)].li[c] : L[c].n);
#else
	M(w, c).wt = IS_OPEN(OTHER(w));
	M(w, c).we = L[c].n;
#endif
	M(w, c).wk = (M(w, c).outn < M(w, c).we ->
		M(w, c).outn : M(w, c).we)
}
inline adopt(w, c) {
	k = M(w, c).wk; f = 0;
#ifndef DROP_ADOPT
	f = L[c].v[k] > M(w, c).a[h].v;
#endif
	if
	:: f ->
		mark_dirty(w, c, h);
		M(w, c).a[h].v = L[c].v[k]; M(w, c).a[h].pv = L[c].v[k];
		M(w, c).a[h].s = L[c].s[k]; M(w, c).a[h].ps = L[c].s[k];
		M(w, c).a[h].T = L[c].T[k];
		M(w, c).a[h].tch = 1
	:: else
	fi;
	k = 0; f = 0; M(w, c).wk++
}
inline end_walk(w, c) {
	M(w, c).outn = M(w, c).we; M(w, c).wk = 0; M(w, c).we = 0;
	if
	:: c + 1 < NG -> cg[w] = c + 1; pc[w] = P_TOKEN
	:: else -> cg[w] = 0; pc[w] = P_RUN; check_caught_up(w)
	fi
}
#ifdef DROP_STABLE
#define STABLE(w) true
#else
#define STABLE(w) (t[OTHER(w)].st == 0 || \
	(t[OTHER(w)].st == 2 && t[OTHER(w)].mG))
#endif
#define AT(w, c, p) (pc[w] == p && cg[w] == c && !M(w, c).doubt)
#define TAKEOVER_STEPS(w, c) \
	:: d_step { AT(w, c, P_TOKEN) -> take_token(w, c); \
		pc[w] = P_READ_G } \
	:: d_step { AT(w, c, P_READ_G) && STABLE(w) -> read_g(w, c); \
		pc[w] = P_READ_END } \
	:: d_step { AT(w, c, P_READ_END) -> read_end(w, c); \
		pc[w] = P_WALK } \
	:: d_step { AT(w, c, P_WALK) && M(w, c).wt && !IS_OPEN(OTHER(w)) -> \
		M(w, c).wt = 0; M(w, c).we = L[c].n } \
	:: d_step { AT(w, c, P_WALK) && !M(w, c).wt && \
		M(w, c).wk < M(w, c).we -> \
		h = L[c].a[M(w, c).wk]; load(w, c, h); \
		if \
		:: ok -> adopt(w, c) \
		:: else -> lost(w) \
		fi; \
		h = 0; ok = 0 } \
	:: d_step { AT(w, c, P_WALK) && !M(w, c).wt && \
		M(w, c).wk == M(w, c).we -> end_walk(w, c) }

/* --- all steps ------------------------------------------------------------- */

#define MAY_FLUSH(w, c) (CALM(w) || AT(w, c, P_WALK))
#define IS_AT_MARKS(c, w) (R[c].hw && R[c].out == M(w, c).outn && \
	SAME(R[c].W, M(w, c).fold))
#define FLUSH_STEPS(w, c) \
	:: atomic { MAY_FLUSH(w, c) && PUT(w, c, 0) -> hazard(); \
		d_step { flush(w, c, 1, 0) } } \
	FLUSH_MORE(w, c) \
	/* W alone. */ \
	:: atomic { CALM(w) && AT_BOUNDARY(w, c) && !ANY(w, c, dirty) && \
		MATCH(c, M(w, c).tok, M(w, c).cid) && !IS_AT_MARKS(c, w) -> \
		hazard(); \
		d_step { flush(w, c, 0, 0) } } \
	:: d_step { M(w, c).doubt && (pc[w] == P_RUN || pc[w] == P_WALK) -> \
		rearm(w, c) } \
	/* Once a second: is Redis still what it was? */ \
	:: d_step { CALM(w) && !MATCH(c, M(w, c).tok, M(w, c).cid) -> lost(w) }
#if NA == 2
#define FLUSH_MORE(w, c) \
	:: atomic { MAY_FLUSH(w, c) && PUT(w, c, 1) -> hazard(); \
		d_step { flush(w, c, 0, 1) } } \
	:: atomic { MAY_FLUSH(w, c) && PUT(w, c, 0) && PUT(w, c, 1) -> \
		hazard(); \
		d_step { flush(w, c, 1, 1) } }
#define ACCT_STEPS(w, c) ACCT(w, c, 0) ACCT(w, c, 1)
#else
#define FLUSH_MORE(w, c)
#define ACCT_STEPS(w, c) ACCT(w, c, 0)
#endif
#if NIN == 2
#define FOLD_STEPS(w, c) FOLD(w, c, 0) FOLD(w, c, 1)
#else
#define FOLD_STEPS(w, c) FOLD(w, c, 0)
#endif
#define ACCT(w, c, x) DECIDE(w, c, x) FIRE(w, c, x) EVICT(w, c, x)
#define GROUP(w, c) TAKEOVER_STEPS(w, c) FOLD_STEPS(w, c) ACCT_STEPS(w, c) \
	TAKE_DUE(w, c) FLUSH_STEPS(w, c)
#define MEMBER_STEPS(w) \
	:: d_step { owner == w && pc[w] == P_IDLE -> \
		wgen[w] = gen; pc[w] = P_INIT } \
	/* It finds out that the groups are another's. */ \
	:: d_step { pc[w] != P_IDLE && pc[w] != P_K && !MEMBER(w) -> \
		forget(w); pc[w] = P_IDLE } \
	/* init_transactions: what is open is aborted, what is decided ends. */ \
	:: d_step { pc[w] == P_INIT && t[w].st != 2 -> \
		clear_txn(t[w]); cg[w] = 0; pc[w] = P_TOKEN }

#if NG == 2
#define WORKER(w) do GROUP(w, 0) GROUP(w, 1) K_STEPS(w) MEMBER_STEPS(w) od
#else
#define WORKER(w) do GROUP(w, 0) K_STEPS(w) MEMBER_STEPS(w) od
#endif

proctype Worker(byte w) {
end:	WORKER(w)
}

/* --- Kafka ----------------------------------------------------------------- */

inline commit(w) {
	t[w].st = 2;
	for (e : 0 .. NG - 1) {
		t[w].li[e] = L[e].n;
		for (i : 0 .. NIN - 1) {
			assert(t[w].p[e].from[i] == D[e].ap[i]);
			assert(t[w].p[e].to[i] >= D[e].ap[i]);
			D[e].ap[i] = t[w].p[e].to[i]
		}
		i = 0;
		for (h : 0 .. NA - 1) {
			if
			:: t[w].p[e].m[h].on ->
				/* The next version, once, of the right seat. */
				assert(t[w].p[e].m[h].bv == last[e].v[h]);
				assert(t[w].p[e].m[h].bs == last[e].s[h]);
				assert(t[w].p[e].m[h].v > last[e].v[h]);
				last[e].v[h] = t[w].p[e].m[h].v;
				last[e].s[h] = t[w].p[e].m[h].s;
				last[e].T[h] = t[w].p[e].m[h].T;
				k = L[e].n;
				assert(k < NL);
				L[e].a[k] = h; L[e].v[k] = last[e].v[h];
				L[e].s[k] = last[e].s[h];
				L[e].T[k] = last[e].T[h];
				L[e].n++; k = 0
			:: else
			fi
		}
		h = 0
	}
	e = 0
}
inline mark_g(w) {
	t[w].mG = 1; hasG = 1;
	for (e : 0 .. NG - 1) {
		for (i : 0 .. NIN - 1) { G[e].ap[i] = t[w].p[e].to[i] }
		i = 0
	}
	e = 0
}
#define COORDINATE(w) \
	:: d_step { t[w].st == 1 && t[w].req -> commit(w) } \
	:: d_step { t[w].st == 2 && !t[w].mG -> mark_g(w) } \
	:: d_step { t[w].st == 2 && !t[w].mL -> t[w].mL = 1 } \
	:: d_step { t[w].st == 2 && t[w].mG && t[w].mL && pc[w] != P_K -> \
		clear_txn(t[w]) } \
	/* It timed out. */ \
	:: d_step { t[w].st == 1 && pc[w] != P_K -> clear_txn(t[w]) } \
	:: d_step { t[w].st == 1 && pc[w] == P_K && nf > 0 -> \
		nf--; clear_txn(t[w]) }

proctype Kafka() {
end:	do
	COORDINATE(0)
	COORDINATE(1)
	:: d_step { owner == NOBODY -> owner = 0; gen++ }
	:: d_step { owner == NOBODY && nf > 0 -> owner = 1; gen++ }
	od
}

/* --- what goes wrong ------------------------------------------------------- */

#define CRASH(w) \
	:: d_step { nf > 0 && pc[w] != P_IDLE -> nf--; forget(w); \
		pc[w] = P_IDLE; \
		if \
		:: owner == w -> owner = NOBODY \
		:: else \
		fi }
proctype Faults() {
end:	do
	:: d_step { !late -> late = 1 } /* time goes by, which is no fault */
	:: d_step { nf > 0 -> nf = 0 } /* and nothing goes wrong any more */
	CRASH(0)
	CRASH(1)
#ifndef NOMOVE
	/* The owner was silent for too long, and does not know it. */
	:: d_step { nf > 0 && owner != NOBODY -> nf--; owner = OTHER(owner);
		gen++ }
#endif
#ifndef NOLATE
	:: d_step { z.net -> apply(z); ok = 0; z.net = 0; tidy_z() }
	:: d_step { z.net -> z.net = 0; tidy_z() }
#endif
#ifndef NOLOSS
	:: d_step { nf > 0 && hasG -> nf--;
		for (e : 0 .. NG - 1) { clear_red(R[e]) }
		e = 0 }
	:: d_step { nf > 0 && !saved && hasG -> saved = 1;
		for (e : 0 .. NG - 1) { copy_red(S[e], R[e]) }
		e = 0 }
	:: d_step { nf > 0 && saved -> nf--; saved = 0;
		for (e : 0 .. NG - 1) {
			copy_red(R[e], S[e]); clear_red(S[e])
		}
		e = 0 }
#endif
	od
}

/* --- in the end ------------------------------------------------------------ */

proctype End() {
	timeout -> d_step {
#ifdef REACH
		assert(false); /* is the end reached at all? */
#endif
		assert(owner != NOBODY && pc[owner] == P_RUN);
		for (e : 0 .. NG - 1) {
			for (i : 0 .. NIN - 1) {
				assert(G[e].ap[i] == NEV);
				assert(R[e].W[i] == NEV)
			}
			i = 0;
			assert(R[e].out == L[e].n);
			for (m : 0 .. NA - 1) {
				assert(R[e].b[m].v == last[e].v[m]);
				expect(m, G[e], f);
				assert(R[e].b[m].F == f);
				assert(f == 0 || last[e].T[m]); /* its timer */
				f = 0
			}
			m = 0
		}
		e = 0
	}
}

init {
	atomic {
		run Worker(0); run Worker(1); run Kafka(); run Faults();
		run End()
	}
}
