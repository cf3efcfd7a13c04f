#include "redis_tls.h"

#ifdef SEGMENTD_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#if HIREDIS_MAJOR < 1
#error "SEGMENTD_REDIS_TLS needs hiredis 1.0 or later"
#endif

enum sg_err
redis_tls_check(struct sg_fault *why)
{
	(void)why;
	return SG_OK;
}

static enum sg_err
trust(SSL_CTX *tls, const struct redis_target *target, struct sg_fault *why)
{
	int is_ok;

	(void)SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	is_ok = target->ca != NULL
			? SSL_CTX_load_verify_locations(tls, target->ca, NULL)
			: SSL_CTX_set_default_verify_paths(tls);
	if (is_ok != 1)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: CA file %s cannot be read",
			target->ca != NULL ? target->ca : "of the system");
	return SG_OK;
}

/* A key with a passphrase would be asked for on the terminal. */
static int
no_passphrase(char *text, int size, int is_writing, void *ctx)
{
	(void)text;
	(void)size;
	(void)is_writing;
	(void)ctx;
	return 0;
}

/* Who we are, to a server with tls-auth-clients. */
static enum sg_err
identify(SSL_CTX *tls, const struct redis_target *target, struct sg_fault *why)
{
	if (target->cert == NULL)
		return SG_OK;
	SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(tls, target->cert) != 1)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: certificate file %s cannot be read",
			target->cert);
	if (SSL_CTX_use_PrivateKey_file(tls, target->key, SSL_FILETYPE_PEM) !=
			1 ||
		SSL_CTX_check_private_key(tls) != 1)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: key file %s cannot be read, or is not "
			"that of the certificate",
			target->key);
	return SG_OK;
}

/* hiredis checks who signed the certificate but not whose it is. */
static bool
expect_host(SSL *ssl, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
		return true;
	ERR_clear_error();
	return SSL_set1_host(ssl, host) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum sg_err
redis_tls_start(redisContext *ctx, const struct redis_target *target,
	const char *host, struct sg_fault *why)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	enum sg_err err = SG_NOMEM;

	ERR_clear_error();
	if (tls == NULL)
		goto out;
	err = trust(tls, target, why);
	if (err == SG_OK)
		err = identify(tls, target, why);
	if (err != SG_OK)
		goto out;
	ssl = SSL_new(tls);
	if (ssl == NULL || !expect_host(ssl, host)) {
		err = sg_fault_set(why, SG_NOMEM, "no memory for TLS");
		goto out;
	}
	if (redisInitiateSSL(ctx, ssl) != REDIS_OK) {
		long verdict = SSL_get_verify_result(ssl);

		err = sg_fault_set(why, SG_STORE_DOWN, "%s: TLS: %s",
			target->where,
			verdict == X509_V_OK
				? ctx->errstr
				: X509_verify_cert_error_string(verdict));
		goto out;
	}
	ssl = NULL; /* the context owns it now */
	err = SG_OK;
out:
	SSL_free(ssl);
	SSL_CTX_free(tls);
	ERR_clear_error();
	return err;
}

/* TLS 1.3 refuses a client after the handshake, with an alert. */
const char *
redis_tls_reason(const char *text)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	return reason != NULL ? reason : text;
}

#else

enum sg_err
redis_tls_check(struct sg_fault *why)
{
	return sg_fault_set(why, SG_NO_LIBRARY,
		"redis.url: rediss:// needs hiredis 1.0 or later with "
		"hiredis_ssl, which was not there at build time; or put a TLS "
		"tunnel such as stunnel beside segmentd and use redis://");
}

enum sg_err
redis_tls_start(redisContext *ctx, const struct redis_target *target,
	const char *host, struct sg_fault *why)
{
	(void)ctx;
	(void)target;
	(void)host;
	return redis_tls_check(why);
}

const char *
redis_tls_reason(const char *text)
{
	return text;
}

#endif
