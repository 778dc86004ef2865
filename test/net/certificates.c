/*
 * certificates.c
 *		See certificates.h.
 */
#include "certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
extend(X509 *x509, int what, const char *value)
{
	X509V3_CTX	context;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
	if (extension == NULL || X509_add_ext(x509, extension, -1) != 1)
		abort();
	X509_EXTENSION_free(extension);
}

static char *
text_of(BIO *bio)
{
	char	   *data;
	const long	length = BIO_get_mem_data(bio, &data);
	char	   *text = strndup(data, (size_t) length);

	BIO_free(bio);
	return text;
}

Certificate
certificate_make(const char *host, const Certificate *issuer, long from,
				 long until)
{
	static long serial = 1;
	Certificate made;
	X509_NAME  *name;
	BIO		   *bio;
	char		alternative[300];

	made.key = EVP_EC_gen("P-256");
	made.x509 = X509_new();
	if (made.key == NULL || made.x509 == NULL)
		abort();
	if (issuer == NULL)
		issuer = &made;
	X509_set_version(made.x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.x509), from);
	X509_gmtime_adj(X509_getm_notAfter(made.x509), until);
	name = X509_get_subject_name(made.x509);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
							   (const unsigned char *) host, -1, -1, 0);
	X509_set_issuer_name(made.x509, X509_get_subject_name(issuer->x509));
	X509_set_pubkey(made.x509, made.key);
	snprintf(alternative, sizeof(alternative), "DNS:%s", host);
	extend(made.x509, NID_subject_alt_name, alternative);
	if (issuer == &made)
		extend(made.x509, NID_basic_constraints, "critical,CA:TRUE");
	if (X509_sign(made.x509, issuer->key, EVP_sha256()) == 0)
		abort();

	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, made.x509);
	made.pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, made.key, NULL, NULL, 0, NULL, NULL);
	made.key_pem = text_of(bio);
	return made;
}

void
certificate_free(Certificate *certificate)
{
	X509_free(certificate->x509);
	EVP_PKEY_free(certificate->key);
	free(certificate->pem);
	free(certificate->key_pem);
}
