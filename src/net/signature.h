/*
 * signature.h
 *		Signatures of requests: Standard Webhooks 1.0.0, symmetric ("v1").
 */
#ifndef MF_SIGNATURE_H
#define MF_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "../frame/sending.h"

/* "v1," and 32 bytes in base64, and what separates it or ends it. */
#define MF_SIGNATURE_TEXT		(3 + 44 + 1)

/* One secret, ready to sign. */
typedef struct MfSigner MfSigner;

/* The key is the secret's bytes.  NULL: out of memory. */
extern MfSigner *mf_signer_create(MfBytes secret);
extern void mf_signer_free(MfSigner *signer);

/*
 * Writes the value of webhook-signature: one signature for each signer, with
 * spaces between.  `text` has count * MF_SIGNATURE_TEXT bytes, at least one.
 * False: out of memory.
 */
extern bool mf_signature_write(MfSigner *const *signers, size_t count,
							   MfBytes id, const char *timestamp,
							   MfBytes body, char *text);

/* Base64 with padding; `text` has 4 * (length + 2) / 3 + 1 bytes. */
extern void mf_base64(const void *bytes, size_t length, char *text);

#endif							/* MF_SIGNATURE_H */
