/*
 * signature.c
 *		Signatures of requests; see signature.h.
 *
 * What is signed is "id.timestamp.body" (Standard Webhooks 1.0.0, "Signature
 * scheme"), with HMAC-SHA256 (RFC 2104).  A signer keeps a context that has
 * the key in it already, and each request works on a copy of it.
 */
#include "signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST		32

struct MfSigner
{
	EVP_MAC_CTX *keyed;
};

MfSigner *
mf_signer_create(MfBytes secret)
{
	char		digest[] = "SHA256";
	OSSL_PARAM	parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()
	};
	MfSigner   *signer = calloc(1, sizeof(*signer));
	EVP_MAC    *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (signer != NULL && hmac != NULL)
		signer->keyed = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	if (signer != NULL && signer->keyed != NULL &&
		EVP_MAC_init(signer->keyed, (const unsigned char *) secret.data,
					 secret.length, parameters) == 1)
		return signer;
	mf_signer_free(signer);
	return NULL;
}

void
mf_signer_free(MfSigner *signer)
{
	if (signer == NULL)
		return;
	EVP_MAC_CTX_free(signer->keyed);
	free(signer);
}

void
mf_base64(const void *bytes, size_t length, char *text)
{
	EVP_EncodeBlock((unsigned char *) text, bytes, (int) length);
}

static bool
sign(const MfSigner *signer, MfBytes id, const char *timestamp, MfBytes body,
	 unsigned char *digest)
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup(signer->keyed);
	const struct
	{
		const char *data;
		size_t		length;
	}			parts[] = {
		{id.data, id.length}, {".", 1}, {timestamp, strlen(timestamp)},
		{".", 1}, {body.data, body.length}
	};
	bool		good = context != NULL;
	size_t		length = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && good; i++)
		if (parts[i].length > 0)
			good = EVP_MAC_update(context,
								  (const unsigned char *) parts[i].data,
								  parts[i].length) == 1;
	good = good && EVP_MAC_final(context, digest, &length, DIGEST) == 1 &&
		length == DIGEST;
	EVP_MAC_CTX_free(context);
	return good;
}

bool
mf_signature_write(MfSigner *const *signers, size_t count, MfBytes id,
				   const char *timestamp, MfBytes body, char *text)
{
	unsigned char digest[DIGEST];

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
	{
		if (!sign(signers[i], id, timestamp, body, digest))
			return false;
		if (i > 0)
			*text++ = ' ';
		memcpy(text, "v1,", 3);
		mf_base64(digest, DIGEST, text + 3);
		text += 3 + 44;
	}
	return true;
}
