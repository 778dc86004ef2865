/*
 * certificates.h
 *		Certificates for the tests of TLS, made when they are needed.
 */
#ifndef MF_TEST_NET_CERTIFICATES_H
#define MF_TEST_NET_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>

typedef struct Certificate
{
	X509	   *x509;
	EVP_PKEY   *key;
	char	   *pem;			/* of the certificate, and of its key */
	char	   *key_pem;
} Certificate;

/*
 * A certificate for this host, valid from and until so many seconds from now.
 * NULL for the issuer: it signs itself, as a CA.
 */
extern Certificate certificate_make(const char *host,
									const Certificate *issuer, long from,
									long until);
extern void certificate_free(Certificate *certificate);

#endif							/* MF_TEST_NET_CERTIFICATES_H */
