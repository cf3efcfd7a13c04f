/*
 * http.c - requests to a registry, one at a time.
 *
 * One easy handle, so that connections and TLS sessions are kept. User and
 * password never come into a message: of a URL only scheme, host, port and path
 * are repeated.
 */
#include "http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

#define URL_BYTES_MAX 2048
#define SHOWN_BYTES 160
#define MEDIA "application/vnd.schemaregistry.v1+json"

struct base {
	char *url;   /* no trailing slash, no user */
	char *login; /* of the URL: user:password; NULL: none */
};

struct http {
	CURL *curl;
	struct curl_slist *headers;
	const atomic_bool *is_stopping;
	struct base bases[HTTP_URLS_MAX];
	size_t nbases;
	size_t first; /* the one that answered last */
	char *login;  /* of the options; NULL: none */
	char *ca_file;
	long timeout_ms;
	char error[CURL_ERROR_SIZE];
};

/* --- base URLs ------------------------------------------------------------ */

static char *
part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;

	if (curl_url_get(url, part, &text, CURLU_URLDECODE) != CURLUE_OK)
		return NULL;
	return text;
}

/* "user:password" of the URL, which loses them. */
static enum sg_err
take_login(CURLU *url, char **ret_login)
{
	char *user = part_of(url, CURLUPART_USER);
	char *password = part_of(url, CURLUPART_PASSWORD);
	char *login = NULL;
	enum sg_err err = SG_OK;

	if (user != NULL && asprintf(&login, "%s:%s", user,
				    password == NULL ? "" : password) < 0)
		err = SG_NOMEM;
	if (err == SG_OK)
		*ret_login = login;
	curl_free(user);
	curl_free(password);
	(void)curl_url_set(url, CURLUPART_USER, NULL, 0);
	(void)curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
	return err;
}

static bool
is_http(CURLU *url)
{
	char *scheme = part_of(url, CURLUPART_SCHEME);
	char *query = part_of(url, CURLUPART_QUERY);
	bool is = scheme != NULL && query == NULL &&
		  (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	curl_free(query);
	return is;
}

static enum sg_err
add_base(struct http *http, const char *text, struct sg_fault *why)
{
	struct base *base = &http->bases[http->nbases];
	CURLU *url;
	char *whole = NULL;
	enum sg_err err;

	if (http->nbases == HTTP_URLS_MAX)
		return sg_fault_set(why, SG_BAD_OPTION,
			"more than %d URLs of a schema registry",
			HTTP_URLS_MAX);
	url = curl_url();
	if (url == NULL)
		return SG_NOMEM;
	if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
		!is_http(url)) {
		/* Not the text: it may hold a password. */
		err = sg_fault_set(why, SG_BAD_OPTION,
			"number %zu of the schema registry's URLs is none: "
			"http[s]://[user:password@]host[:port][/prefix]",
			http->nbases + 1);
		goto out;
	}
	err = take_login(url, &base->login);
	if (err == SG_OK &&
		curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		base->url = strdup(whole);
	if (base->url == NULL) {
		err = SG_NOMEM;
		goto out;
	}
	for (size_t n = strlen(base->url); n > 0 && base->url[n - 1] == '/';)
		base->url[--n] = '\0';
	http->nbases++;
out:
	curl_free(whole);
	curl_url_cleanup(url);
	if (err != SG_OK) {
		free(base->login);
		base->login = NULL;
	}
	return err;
}

static enum sg_err
add_bases(struct http *http, const char *urls, struct sg_fault *why)
{
	static const char between[] = ", ";
	char one[URL_BYTES_MAX];
	enum sg_err err = SG_OK;

	for (urls += strspn(urls, between); *urls != '\0' && err == SG_OK;
		urls += strspn(urls, between)) {
		size_t len = strcspn(urls, between);

		if (len >= sizeof(one))
			return sg_fault_set(why, SG_BAD_OPTION,
				"a URL of the schema registry is longer than "
				"%d bytes",
				URL_BYTES_MAX);
		memcpy(one, urls, len);
		one[len] = '\0';
		err = add_base(http, one, why);
		urls += len;
	}
	if (err == SG_OK && http->nbases == 0)
		err = sg_fault_set(
			why, SG_BAD_OPTION, "no URL of a schema registry");
	return err;
}

/* --- open, close ---------------------------------------------------------- */

static size_t
on_bytes(char *bytes, size_t size, size_t n, void *ctx)
{
	struct buf *body = ctx;

	buf_put(body, bytes, size * n);
	return body->is_failed ? 0 : size * n;
}

static int
on_progress(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
	curl_off_t ulnow)
{
	const struct http *http = ctx;

	(void)dltotal;
	(void)dlnow;
	(void)ultotal;
	(void)ulnow;
	return http->is_stopping != NULL && atomic_load(http->is_stopping);
}

static void
global_init(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *
copy_or_null(const char *text)
{
	return text == NULL || text[0] == '\0' ? NULL : strdup(text);
}

static enum sg_err
fill(struct http *http, const struct registry_opts *opts, struct sg_fault *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct curl_slist *more;
	char *user = copy_or_null(opts->user);

	if (user != NULL &&
		asprintf(&http->login, "%s:%s", user,
			opts->password == NULL ? "" : opts->password) < 0)
		http->login = NULL;
	if (user != NULL && http->login == NULL) {
		free(user);
		return SG_NOMEM;
	}
	free(user);
	http->ca_file = copy_or_null(opts->ca_file);
	http->timeout_ms = (long)opts->timeout_ms;
	(void)pthread_once(&once, global_init);
	http->curl = curl_easy_init();
	http->headers = curl_slist_append(NULL, "Accept: " MEDIA);
	more = http->headers == NULL ? NULL
				     : curl_slist_append(http->headers,
					       "Content-Type: " MEDIA);
	if (http->curl == NULL || more == NULL)
		return SG_NOMEM;
	return add_bases(http, opts->urls, why);
}

enum sg_err
http_open(const struct registry_opts *opts, const atomic_bool *is_stopping,
	struct http **ret_http, struct sg_fault *why)
{
	struct http *http = calloc(1, sizeof(*http));
	enum sg_err err;

	if (http == NULL)
		return SG_NOMEM;
	http->is_stopping = is_stopping;
	err = fill(http, opts, why);
	if (err == SG_OK)
		*ret_http = http;
	else
		http_close(http);
	return err;
}

void
http_close(struct http *http)
{
	if (http == NULL)
		return;
	for (size_t i = 0; i < http->nbases; i++) {
		free(http->bases[i].url);
		free(http->bases[i].login);
	}
	if (http->curl != NULL)
		curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	free(http->login);
	free(http->ca_file);
	free(http);
}

/* --- a request ------------------------------------------------------------ */

static void
set_options(struct http *http, const struct base *base, const char *url,
	const char *body, struct buf *ret_body)
{
	CURL *curl = http->curl;
	const char *login = http->login != NULL ? http->login : base->login;

	curl_easy_reset(curl); /* keeps connections */
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, http->timeout_ms);
	(void)curl_easy_setopt(
		curl, CURLOPT_CONNECTTIMEOUT_MS, http->timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
	if (http->ca_file != NULL)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_file);
	if (login != NULL) {
		(void)curl_easy_setopt(
			curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(curl, CURLOPT_USERPWD, login);
	}
	if (body != NULL)
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
}

/* Is the answer about what was asked, not about the server's own state? */
static bool
is_answer(long status)
{
	return status < 300 ||
	       (status >= 400 && status < 500 && status != 401 &&
		       status != 403 && status != 407 && status != 408 &&
		       status != 429);
}

static enum sg_err
ask_one(struct http *http, const struct base *base, const char *path,
	const char *body, long *ret_status, struct buf *ret_body,
	struct sg_fault *why)
{
	char url[URL_BYTES_MAX];
	char message[SHOWN_BYTES];
	CURLcode code;
	long status = 0;
	int len = snprintf(url, sizeof(url), "%s%s", base->url, path);

	if (len < 0 || (size_t)len >= sizeof(url))
		return sg_fault_set(why, SG_REGISTRY_DOWN,
			"a URL is longer than %d bytes", URL_BYTES_MAX);
	buf_reset(ret_body);
	http->error[0] = '\0';
	set_options(http, base, url, body, ret_body);
	code = curl_easy_perform(http->curl);
	if (ret_body->is_failed) {
		/* Start over with an empty one next time. */
		buf_fini(ret_body);
		buf_init(ret_body, ANSWER_BYTES_MAX);
		return sg_fault_set(why, SG_REGISTRY_DOWN,
			"%s: an answer of more than %zu bytes", base->url,
			ANSWER_BYTES_MAX);
	}
	if (code != CURLE_OK)
		return sg_fault_set(why, SG_REGISTRY_DOWN, "%s: %s", base->url,
			http->error[0] != '\0' ? http->error
					       : curl_easy_strerror(code));
	(void)curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = status;
	if (is_answer(status))
		return SG_OK;
	(void)answer_error((const char *)ret_body->bytes, ret_body->len,
		message, sizeof(message));
	return sg_fault_set(why, SG_REGISTRY_DOWN, "%s: HTTP status %ld%s%s%s",
		base->url, status, message[0] != '\0' ? ": " : "", message,
		status >= 300 && status < 400
			? " (redirections are not followed)"
			: "");
}

enum sg_err
http_ask(struct http *http, const char *path, const char *body,
	long *ret_status, struct buf *ret_body, struct sg_fault *why)
{
	size_t first = http->first;
	enum sg_err err = SG_REGISTRY_DOWN;

	for (size_t i = 0; i < http->nbases; i++) {
		size_t at = (first + i) % http->nbases;

		if (http->is_stopping != NULL && atomic_load(http->is_stopping))
			return sg_fault_set(
				why, SG_REGISTRY_DOWN, "told to stop");
		err = ask_one(http, &http->bases[at], path, body, ret_status,
			ret_body, why);
		if (err == SG_OK)
			http->first = at;
		if (err != SG_REGISTRY_DOWN)
			break;
	}
	return err;
}

void
http_put_segment(struct buf *path, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			buf_put(path, text, 1);
		else
			buf_printf(path, "%%%02X", (unsigned char)*text);
	}
}
